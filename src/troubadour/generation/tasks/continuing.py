"""Continuation of a piece."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.build import compile_constraints
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.tasks.base import PreparedTask, opening, passages
from troubadour.generation.tasks.source import (
    Excerpt,
    describe,
    excerpt,
    instrument_defaults_of,
    merge,
    refuse_parts,
    tempo_index,
    voice_spans,
)
from troubadour.generation.tasks.tracks import numbered, refuse_kinds, simplified, view
from troubadour.music.quantise import TICKS_PER_QUARTER, bars_of
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab

CONTEXT_BARS: Final = 32
"""Number of bars at the end of the given piece that are in the prompt."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The given piece with more bars after it."""

    score: Score
    """The given piece; the prompt holds its last 32 bars."""
    bars: int
    """Number of new bars, 1 to 32."""
    tracks: tuple[int, ...] = ()
    """Tracks with notes to continue, 1-based; empty = all. The others are silent in the new bars.
    Tracks with drums or chords are refused."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Task.prepare`; all controls hold for the new bars.

        Raises:
            InputError: `bars` is out of range, a track has drums or chords, or the piece or a control does not
                allow the task.
        """
        most = vocab.MAX_BARS - CONTEXT_BARS
        if not 1 <= self.bars <= most:
            raise InputError(f"bars is {self.bars}; allowed: 1 to {most} more bars")
        refuse_parts(brief)
        whole = simplified(self.score)
        chosen = numbered(whole, self.tracks)
        refuse_kinds(whole, chosen, lines_only=True)
        seen, numbers = view(whole, chosen)
        part = _tail(seen)
        piece = part.score
        complete = describe(piece, brief)
        bar = piece.metres[0].bar_ticks(TICKS_PER_QUARTER)
        last = whole.end_ticks - part.offset  # end of the whole piece; the continued tracks may end earlier
        end = -(-(last - piece.upbeat_ticks) // bar) * bar + piece.upbeat_ticks
        total = (end - piece.upbeat_ticks) // bar + self.bars
        complete = replace(complete, bars=total)
        # The last bar of a piece with an upbeat is as short as the upbeat leaves it.
        ticks = max(end, total * bar) if last == end and piece.upbeat_ticks else None
        constraint_plan = compile_constraints(
            complete,
            instrument_defaults_of(piece),
            tempo_index(complete),
            passages=passages(composer, complete, corpus),
            spans=[_until(voice, last) for voice in voice_spans(piece)],
            upbeat=piece.upbeat_ticks,
            ticks=ticks,
        )

        def finish(composed: Score) -> Score:
            new = composed.notes()[composed.onset >= last].copy()
            new[:, 0] += part.offset
            for row in new:
                row[4] = numbers[part.tracks[row[4]]]
            return merge(self.score, self.score.notes(), new)

        return PreparedTask(complete, constraint_plan, opening(composer, complete, constraint_plan), finish)


def _tail(score: Score) -> Excerpt:
    """The last bars of a score, at most `CONTEXT_BARS`, from the last change of metre at the earliest."""
    if not len(score):
        raise InputError("the given piece has no notes; there is nothing to continue")
    starts = bars_of(score).start
    whole = starts[1:] if score.upbeat_ticks else starts
    if len(score.metres) == 1 and len(whole) <= CONTEXT_BARS:
        return Excerpt(score, 0, tuple(range(len(score.tracks))))
    allowed = whole[whole >= score.metres[-1].tick]
    if not len(allowed):
        raise InputError(
            "the given piece changes its metre at its end; give a piece with a whole bar after the last change"
        )
    return excerpt(score, int(allowed[max(len(allowed) - CONTEXT_BARS, 0)]), score.end_ticks)


def _until(spans: list[Span], tick: int) -> list[Span]:
    """Events of a voice before a tick, filled up to the tick with a rest."""
    given = [Span(s.start, min(s.stop, tick), s.pitches) for s in spans if s.start < tick]
    if given and given[-1].stop < tick:
        given.append(Span(given[-1].stop, tick, ()))
    return given
