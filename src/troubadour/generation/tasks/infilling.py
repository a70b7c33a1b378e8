"""Infilling: new notes for some bars of a piece, in all voices or in some, that fit their surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    bar_span,
    describe,
    excerpt,
    instrument_defaults_of,
    merge,
    refuse_parts,
    tempo_index,
    voice_spans,
    voice_tracks,
)
from troubadour.generation.tasks.tracks import numbered, refuse_kinds, simplified, view
from troubadour.music.quantise import bars_of
from troubadour.music.score import Score
from troubadour.tokens.tokenizer import encode

CONTEXT_GUIDANCE: Final = 1.5
"""Default guidance weight of the notes after the gap, in one voice. Chosen on validation data; in several
voices no weight above 1 improved the result (`docs/benchmarks/infill.md`)."""
_AROUND: Final = (32, 16, 8, 4, 2, 1)
"""Numbers of bars on both sides of the gap to try for the excerpt, in this order."""
_MOST_VOICES: Final = 128
_TOKENS: Final = 800
"""Longest excerpt in tokens: visible context and piece share the model's context, and longer sequences were
rare in training."""


@dataclass(frozen=True, slots=True)
class Infill:
    """The given piece with new notes in some bars."""

    score: Score
    """The given piece."""
    bars: tuple[int, int] | None = None
    """First and last bar (1-based, inclusive). `None` = whole piece."""
    voices: tuple[int, ...] = ()
    """Voices to compose, 1-based in the order of the tracks, higher voices of a track first; empty = all."""
    context_guidance: float | None = None
    """Guidance weight of the notes after the gap, 1 (no guidance) to 4; above 1 the network runs twice.
    `None` = `CONTEXT_GUIDANCE` in one voice, 1 in several."""
    tracks: tuple[int, ...] = ()
    """Tracks with notes to compose, 1-based, in addition to `voices`. Tracks with drums or chords are refused."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Task.prepare`; all controls hold for the new notes, and given notes are checked against them.

        Raises:
            InputError: bars, voices or tracks are out of range, a track has drums or chords, no given note
                remains, or two controls contradict each other.
        """
        refuse_parts(brief)
        if self.context_guidance is not None and not 1.0 <= self.context_guidance <= 4.0:
            raise InputError(f"context_guidance is {self.context_guidance}; allowed: 1 to 4")
        if not len(self.score):
            raise InputError("the given piece has no notes; use compose for a new piece")
        first, stop = bar_span(self.score, self.bars)
        whole = simplified(self.score)
        chosen = self._requested(whole)
        refuse_kinds(whole, {track for track, _ in chosen}, lines_only=True)
        seen, numbers = view(whole, {track for track, _ in chosen}, around=True)
        part = around(seen, first, stop)
        piece = part.score
        of_whole = [numbers[t] for t in part.tracks]
        complete = describe(piece, brief)
        voices = voice_spans(piece)
        context_guidance = self.context_guidance or (CONTEXT_GUIDANCE if len(voices) == 1 else 1.0)
        begin, end = first - part.offset, stop - part.offset
        tracks = voice_tracks(piece)
        requested = {i for i, voice in enumerate(_ranked(tracks)) if (of_whole[voice[0]], voice[1]) in chosen}
        given = [
            [s for s in voice if i not in requested or not begin <= s.start < end]
            for i, voice in enumerate(voices)
        ]
        if not any(s.pitches for voice in given for s in voice):
            raise InputError("bars and voices leave nothing of the given piece; use compose for a new piece")
        if given == voices:
            raise InputError(
                f"bars are {self.bars}: no note of the requested voices starts there; choose other bars or voices"
            )
        constraint_plan = compile_constraints(
            complete,
            instrument_defaults_of(piece),
            tempo_index(complete),
            passages=passages(composer, complete, corpus),
            spans=given,
            upbeat=piece.upbeat_ticks,
            ticks=max(s.stop for voice in voices for s in voice),
        )
        removed = _rows([[s for s in voice if s not in given[i]] for i, voice in enumerate(voices)], tracks)
        kept_rows = _rows(given, tracks)

        def finish(composed: Score) -> Score:
            new = [
                (n[0] + part.offset, n[1], n[2], n[3], of_whole[n[4]])
                for n in composed.notes().tolist()
                if (n[0], n[1], n[2], n[4]) not in kept_rows
            ]
            places = {(start + part.offset, p, of_whole[track]) for start, _, p, track in removed}
            kept = [n for n in self.score.notes().tolist() if (n[0], n[2], n[4]) not in places]
            return merge(self.score, kept, new)

        return PreparedTask(
            complete,
            constraint_plan,
            opening(composer, complete, constraint_plan, after_gap(given)),
            finish,
            context_guidance,
        )

    def _requested(self, score: Score) -> set[tuple[int, int]]:
        """Voices to compose, as (track, number of the voice in the track), both 0-based."""
        every = _ranked(voice_tracks(score))
        bad = [v for v in self.voices if not 1 <= v <= len(every)]
        if bad:
            raise InputError(f"voices are {list(self.voices)}; allowed: 1 to {len(every)} of the given piece")
        voices = {every[v - 1] for v in self.voices}
        if self.voices and not self.tracks:
            return voices
        # A track may have further voices in some bars only; these belong to the request as well.
        tracks = numbered(score, self.tracks)
        return voices | {(track, number) for track in tracks for number in range(_MOST_VOICES)}


def _rows(voices: Sequence[Sequence[Span]], tracks: Sequence[int]) -> set[tuple[int, int, int, int]]:
    """Notes (onset, length, pitch, track) of the events of each voice."""
    return {
        (s.start, s.stop - s.start, p, tracks[i])
        for i, voice in enumerate(voices)
        for s in voice
        for p in s.pitches
    }


def _ranked(tracks: Sequence[int]) -> list[tuple[int, int]]:
    """(track, number of the voice in the track) of each voice, 0-based."""
    return [(track, tracks[:i].count(track)) for i, track in enumerate(tracks)]


def after_gap(given: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """Given events from the first gap on; the events before it are forced and need no visible context."""
    ends = []
    for voice in given:
        time = 0
        for span in voice:
            if span.start > time:
                break
            time = span.stop
        ends.append(time)
    gap = min(ends)
    return [[s for s in voice if s.start >= gap] for voice in given]


def around(score: Score, first: int, stop: int) -> Excerpt:
    """Excerpt of a score around a gap, as long as metre and model allow.

    Args:
        score: a quantised score.
        first: first tick of the gap, at a barline.
        stop: tick after the gap.

    Raises:
        InputError: the metre changes within the gap.
    """
    starts = bars_of(score).start.tolist()
    changes = [m.tick for m in score.metres]
    low = max((t for t in changes if t <= first), default=0)
    high = min((t for t in changes if t > first), default=max(score.end_ticks, stop))
    if stop > high:
        raise InputError("the metre changes within the bars to infill; allowed: one metre throughout")
    inside = [t for t in starts if low <= t < high]
    left, right = [t for t in inside if t <= first], [t for t in inside if t >= stop]
    for bars in _AROUND:
        begin = left[max(len(left) - 1 - bars, 0)]
        end = right[bars] if len(right) > bars else high
        found = excerpt(score, begin, end)
        if len(encode(found.score)) <= _TOKENS and found.score.n_bars <= 64:
            return found
    return found
