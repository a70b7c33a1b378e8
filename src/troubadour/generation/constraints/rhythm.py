"""Constraints for variations: the given rhythm with free pitches, or the given pitches with free rhythm."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Self

from troubadour.generation.constraints.base import Span, Stateless, end_by
from troubadour.generation.constraints.given import Given
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Rhythm(Stateless):
    """Keeps onsets and lengths of the given events; pitches are free.

    A rest of the same length replaces a note for which no pitch is allowed.

    Args:
        spans: given events of each voice in time order; a voice is free between them.
        lasts: preferred pitches of the last note, one mask a voice, shape (128,); ignored where the other
            constraints allow none of them.
    """

    def __init__(self, spans: Sequence[Sequence[Span]], lasts: Sequence[Mask] = ()) -> None:
        self._given = Given(spans)
        sounding = [[s.start for s in voice if s.pitches] for voice in spans]
        self._last = [starts[-1] if starts else -1 for starts in sounding]
        self._lasts = tuple(lasts)

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Force note or rest at the start of an event, then its length."""
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
    """One or more bars of a voice and the notes or chords that start in them."""

    start: int
    """Ticks."""
    stop: int
    """Ticks, exclusive."""
    chords: tuple[tuple[int, ...], ...]
    """MIDI pitches of each note or chord, in time order."""


class PitchOrder:
    """Keeps the order of the given pitches within each cell; the rhythm is free.

    Args:
        cells: cells of each voice, without gaps; one bar each, or several where no note starts in a bar.
    """

    needs_lookahead = False

    def __init__(self, cells: Sequence[Sequence[RhythmCell]]) -> None:
        self._cells = tuple(tuple(c) for c in cells)
        self._starts = [[c.start for c in voice] for voice in self._cells]
        self._sounded = [[0] * len(voice) for voice in self._cells]

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._sounded = [row.copy() for row in self._sounded]
        return new

    def _at(self, voice: int, tick: int) -> int:
        return bisect_right(self._starts[voice], tick) - 1

    def on_event(self, voice: int, span: Span) -> None:
        """Count a note or chord of its cell."""
        if span.pitches:
            self._sounded[voice][self._at(voice, span.start)] += 1

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Force the next pitch; a rest may precede it while the cell has ticks for the remaining notes."""
        voice = automaton.voice
        starts = automaton.phase == Phase.EVENT
        tick = automaton.time if starts else automaton.now
        index = self._at(voice, tick)
        cell, sounded = self._cells[voice][index], self._sounded[voice][index]
        left = len(cell.chords) - sounded
        if starts:
            allowed = mask[vocab.PITCH : vocab.PITCH + 128].copy()
            mask[vocab.PITCH : vocab.PITCH + 128] = False
            if left:
                pitch = cell.chords[sounded][0]
                mask[vocab.PITCH + pitch] = allowed[pitch]
            if left and cell.stop - tick - _slot(cell, tick, left) * left < 3:
                mask[vocab.REST] = False
            return
        if automaton.pitches and left:
            chord = cell.chords[sounded]
            if len(automaton.pitches) < len(chord):
                pitch = chord[len(automaton.pitches)]
                may = mask[vocab.PITCH + pitch]
                mask[:] = False
                mask[vocab.PITCH + pitch] = may
                return
            mask[vocab.PITCH : vocab.PITCH + 128] = False
            left -= 1
        end_by(automaton, mask, max(cell.stop - _slot(cell, tick, left + 1) * left, tick + 3))


def _slot(cell: RhythmCell, tick: int, left: int) -> int:
    """Ticks reserved for each remaining chord: a sixteenth, or a 32nd where sixteenths do not fit."""
    return 6 if cell.stop - tick >= 6 * left else 3
