"""Compose some bars of a piece anew, in all voices or in some, to fit what stands around them."""

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
"""How much what follows the gap counts in a piece in one voice. Chosen on validation; in several voices no
weight above 1 helped there (`docs/benchmarks/infill.md`)."""
_AROUND: Final = (32, 16, 8, 4, 2, 1)
"""Bars on both sides of the gap that the network sees: the most that fit."""
_MOST_VOICES: Final = 128
_TOKENS: Final = 800
"""Longest excerpt: it is shown in part and written as a whole, and training saw little longer."""


@dataclass(frozen=True, slots=True)
class Infill:
    """The piece with some bars composed anew."""

    score: Score
    """The given piece."""
    bars: tuple[int, int] | None = None
    """First and last bar, from 1; all without a word."""
    voices: tuple[int, ...] = ()
    """Voices to compose, from 1 in the order of the tracks, higher voices of a track first; all, if none is named."""
    context_guidance: float | None = None
    """How much what follows the gap counts, 1 (as learnt) to 4; above 1 the network runs twice. Without a word
    `CONTEXT_GUIDANCE` in one voice, 1 in several."""
    tracks: tuple[int, ...] = ()
    """Tracks with notes to compose, from 1; beside `voices`. Drums and chords cannot be composed here."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """As `Task.prepare`; all constraints hold for what is new, and given notes are held against them.

        Raises:
            InputError: there are no such bars, voices or tracks, a track is of a kind that cannot be composed,
                nothing is left to go by, or two demands clash.
        """
        refuse_parts(brief)
        if self.context_guidance is not None and not 1.0 <= self.context_guidance <= 4.0:
            raise InputError(f"context_guidance is {self.context_guidance}; allowed: 1 to 4")
        if not len(self.score):
            raise InputError("the given piece has no notes")
        first, stop = bar_span(self.score, self.bars)
        whole = simplified(self.score)
        chosen = self._asked(whole)
        refuse_kinds(whole, {track for track, _ in chosen}, lines_only=True)
        seen, shown = view(whole, {track for track, _ in chosen}, around=True)
        part = around(seen, first, stop)
        piece = part.score
        of_whole = [shown[t] for t in part.tracks]
        told = describe(piece, brief)
        voices = voice_spans(piece)
        context_guidance = self.context_guidance or (CONTEXT_GUIDANCE if len(voices) == 1 else 1.0)
        begin, end = first - part.cut, stop - part.cut
        tracks = voice_tracks(piece)
        asked = {i for i, voice in enumerate(_ranked(tracks)) if (of_whole[voice[0]], voice[1]) in chosen}
        given = [
            [s for s in voice if i not in asked or not begin <= s.start < end]
            for i, voice in enumerate(voices)
        ]
        if not any(s.pitches for voice in given for s in voice):
            raise InputError("bars and voices leave nothing of the given piece; use compose for a new one")
        if given == voices:
            raise InputError(f"bars are {self.bars}: no note of the voices asked for starts there")
        constraint_plan = compile_constraints(
            told,
            instrument_defaults_of(piece),
            tempo_index(told),
            passages=passages(composer, told, corpus),
            spans=given,
            upbeat=piece.upbeat_ticks,
            ticks=max(s.stop for voice in voices for s in voice),
        )
        removed = {
            (s.start, s.stop - s.start, p, tracks[i])
            for i, voice in enumerate(voices)
            for s in voice
            for p in s.pitches
            if s not in given[i]
        }
        stays = {
            (s.start, s.stop - s.start, p, tracks[i])
            for i, voice in enumerate(given)
            for s in voice
            for p in s.pitches
        }

        def finish(grown: Score) -> Score:
            new = [
                (n[0] + part.cut, n[1], n[2], n[3], of_whole[n[4]])
                for n in grown.notes().tolist()
                if (n[0], n[1], n[2], n[4]) not in stays
            ]
            places = {(start + part.cut, p, of_whole[track]) for start, _, p, track in removed}
            kept = [n for n in self.score.notes().tolist() if (n[0], n[2], n[4]) not in places]
            return merge(self.score, kept, new)

        return PreparedTask(
            told,
            constraint_plan,
            opening(composer, told, constraint_plan, after_gap(given)),
            finish,
            context_guidance,
        )

    def _asked(self, score: Score) -> set[tuple[int, int]]:
        """Voices to compose: track, and number of the voice in it, from 0."""
        every = _ranked(voice_tracks(score))
        bad = [v for v in self.voices if not 1 <= v <= len(every)]
        if bad:
            raise InputError(f"voices are {list(self.voices)}; allowed: 1 to {len(every)} of the given piece")
        voices = {every[v - 1] for v in self.voices}
        if self.voices and not self.tracks:
            return voices
        # A voice that opens in a part of the track alone is meant as well.
        tracks = numbered(score, self.tracks)
        return voices | {(track, number) for track in tracks for number in range(_MOST_VOICES)}


def _ranked(tracks: Sequence[int]) -> list[tuple[int, int]]:
    """Of each voice its track, and its number in it, from 0."""
    return [(track, tracks[:i].count(track)) for i, track in enumerate(tracks)]


def after_gap(given: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """What is given after the first place where something is missing: all before it is written anyway."""
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
    """The gap with as much of the piece around it as its metre and the model allow."""
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
