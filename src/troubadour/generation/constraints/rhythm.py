"""Vary one side of a piece and keep the other: the rhythm without the pitches, or the reverse."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Self

from troubadour.generation.constraints.base import Span, Stateless, until
from troubadour.generation.constraints.given import Given
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Rhythm(Stateless):
    """Each voice starts and ends its notes where a given piece does; pitches are free.

    Where no pitch is left a rest of the same length stands in.

    Args:
        spans: of each voice, in time order; between them voices are free.
        lasts: pitches on which each voice is to end, one mask a voice, where that leaves any.
    """

    def __init__(self, spans: Sequence[Sequence[Span]], lasts: Sequence[Mask] = ()) -> None:
        self._given = Given(spans)
        sounding = [[s.start for s in voice if s.pitches] for voice in spans]
        self._last = [starts[-1] if starts else -1 for starts in sounding]
        self._lasts = tuple(lasts)

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """The length is forced, as is whether there is a note."""
        if automaton.phase == Phase.EVENT:
            span = self._given.next(automaton.voice, automaton.time)
            if span is None or span.start != automaton.time:
                return
            if span.pitches:
                mask[vocab.REST] = False
                if self._lasts and span.start == self._last[automaton.voice]:
                    kept = mask[vocab.PITCH : vocab.PITCH + 128] & self._lasts[automaton.voice]
                    if kept.any():
                        mask[vocab.PITCH : vocab.PITCH + 128] = kept
            else:
                mask[vocab.PITCH : vocab.PITCH + 128] = False
            return
        span = self._given.next(automaton.voice, automaton.now)
        if span is None or span.start != automaton.now:
            return
        left = span.stop - span.start - automaton.longs * vocab.MAX_DURATION
        free = mask.copy()
        mask[vocab.DURATION : vocab.PITCH] = False
        mask[vocab.LONG] = left > vocab.MAX_DURATION
        if left <= vocab.MAX_DURATION:
            mask[vocab.DURATION + left - 1] = free[vocab.DURATION + left - 1]


class RhythmCell(NamedTuple):
    """A stretch of a voice and the chords that start in it, in order."""

    start: int
    stop: int
    chords: tuple[tuple[int, ...], ...]


class PitchOrder:
    """Each voice sounds the pitches of a given piece in their order, bar by bar; the rhythm is free.

    Args:
        cells: of each voice, without gaps: a bar each, or more where no note starts in a bar.
    """

    needs_lookahead = False

    def __init__(self, cells: Sequence[Sequence[RhythmCell]]) -> None:
        self._cells = tuple(tuple(c) for c in cells)
        self._starts = [[c.start for c in voice] for voice in self._cells]
        self._said = [[0] * len(voice) for voice in self._cells]

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._said = [row.copy() for row in self._said]
        return new

    def _at(self, voice: int, tick: int) -> int:
        return bisect_right(self._starts[voice], tick) - 1

    def on_event(self, voice: int, span: Span) -> None:
        """One more chord of its cell was said."""
        if span.pitches:
            self._said[voice][self._at(voice, span.start)] += 1

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """The next pitch is forced, a rest may stand before it while there is room for what follows."""
        voice = automaton.voice
        starts = automaton.phase == Phase.EVENT
        tick = automaton.time if starts else automaton.now
        index = self._at(voice, tick)
        cell, said = self._cells[voice][index], self._said[voice][index]
        left = len(cell.chords) - said
        if starts:
            wanted = mask[vocab.PITCH : vocab.PITCH + 128].copy()
            mask[vocab.PITCH : vocab.PITCH + 128] = False
            if left:
                pitch = cell.chords[said][0]
                mask[vocab.PITCH + pitch] = wanted[pitch]
            if left and cell.stop - tick - _slot(cell, tick, left) * left < 3:
                mask[vocab.REST] = False
            return
        if automaton.pitches and left:
            chord = cell.chords[said]
            if len(automaton.pitches) < len(chord):
                pitch = chord[len(automaton.pitches)]
                may = mask[vocab.PITCH + pitch]
                mask[:] = False
                mask[vocab.PITCH + pitch] = may
                return
            mask[vocab.PITCH : vocab.PITCH + 128] = False
            left -= 1
        until(automaton, mask, max(cell.stop - _slot(cell, tick, left + 1) * left, tick + 3))


def _slot(cell: RhythmCell, tick: int, left: int) -> int:
    """Ticks to keep for each chord to come: a sixteenth, or a 32nd where there is no room for that."""
    return 6 if cell.stop - tick >= 6 * left else 3
