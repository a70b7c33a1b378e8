"""Continue a piece."""

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
"""Bars of a given piece that the network sees when it continues it."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The piece with more bars after it."""

    score: Score
    """The given piece; of a long one the network sees the last 32 bars."""
    bars: int
    """How many more, 1 to 32."""
    tracks: tuple[int, ...] = ()
    """Tracks with notes to continue, from 1; all, if none is named. The others are silent in the new bars.
    Drums and chords cannot be composed here."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """As `Task.prepare`; all constraints hold for what is new.

        Raises:
            InputError: bars is out of range, a track is of a kind that cannot be composed, or the piece or a
                constraint is not acceptable.
        """
        most = vocab.MAX_BARS - CONTEXT_BARS
        if not 1 <= self.bars <= most:
            raise InputError(f"bars is {self.bars}; allowed: 1 to {most} more bars")
        refuse_parts(brief)
        whole = simplified(self.score)
        chosen = numbered(whole, self.tracks)
        refuse_kinds(whole, chosen, lines_only=True)
        seen, shown = view(whole, chosen)
        part = _tail(seen)
        piece = part.score
        told = describe(piece, brief)
        bar = piece.metres[0].bar_ticks(TICKS_PER_QUARTER)
        last = whole.end_ticks - part.cut  # where the piece ends, if not the tracks that go on
        end = -(-(last - piece.upbeat_ticks) // bar) * bar + piece.upbeat_ticks
        total = (end - piece.upbeat_ticks) // bar + self.bars
        told = replace(told, bars=total)
        # The last bar of a piece with an upbeat is as short as the upbeat leaves it.
        ticks = max(end, total * bar) if last == end and piece.upbeat_ticks else None
        constraint_plan = compile_constraints(
            told,
            instrument_defaults_of(piece),
            tempo_index(told),
            passages=passages(composer, told, corpus),
            spans=[_until(voice, last) for voice in voice_spans(piece)],
            upbeat=piece.upbeat_ticks,
            ticks=ticks,
        )

        def finish(grown: Score) -> Score:
            new = grown.notes()[grown.onset >= last].copy()
            new[:, 0] += part.cut
            for row in new:
                row[4] = shown[part.tracks[row[4]]]
            return merge(self.score, self.score.notes(), new)

        return PreparedTask(told, constraint_plan, opening(composer, told, constraint_plan), finish)


def _tail(score: Score) -> Excerpt:
    """The last bars, not further back than the last change of metre."""
    if not len(score):
        raise InputError("the given piece has no notes")
    starts = bars_of(score).start
    whole = starts[1:] if score.upbeat_ticks else starts
    if len(score.metres) == 1 and len(whole) <= CONTEXT_BARS:
        return Excerpt(score, 0, tuple(range(len(score.tracks))))
    allowed = whole[whole >= score.metres[-1].tick]
    if not len(allowed):
        raise InputError("the given piece changes its metre at the very end")
    return excerpt(score, int(allowed[max(len(allowed) - CONTEXT_BARS, 0)]), score.end_ticks)


def _until(spans: list[Span], tick: int) -> list[Span]:
    """What of a voice starts before a tick, with a rest up to there."""
    given = [Span(s.start, min(s.stop, tick), s.pitches) for s in spans if s.start < tick]
    if given and given[-1].stop < tick:
        given.append(Span(given[-1].stop, tick, ()))
    return given
