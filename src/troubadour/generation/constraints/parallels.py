"""Constraint against parallel fifths, octaves and unisons between any two voices.

Two voices are parallel where both move at the same tick and their interval modulo the octave is a
fifth (or a unison) before and after. A voice moves where a note follows its last note without a rest,
at another pitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.given import Given
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase

PERFECT = (0, 7)
"""Intervals in semitones, modulo 12."""
_PLACE = np.arange(128)


def parallel(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether two voices move in parallel fifths, octaves or unisons.

    Args:
        before: MIDI pitches of both voices before the tick.
        after: MIDI pitches at the tick.
    """
    if before[0] == after[0] or before[1] == after[1]:
        return False
    interval = abs(before[0] - before[1]) % 12
    return interval in PERFECT and abs(after[0] - after[1]) % 12 == interval


class Parallels:
    """Removes pitches that make parallels, and lengths after which parallels could not be avoided.

    Args:
        voices: number of voices.
        given: given events.
        lasts: pitches on which each voice may end, one mask a voice, shape (128,).
    """

    needs_lookahead = True

    def __init__(self, voices: int, given: Given | None, lasts: Sequence[Mask]) -> None:
        self._given = given or Given(((),) * voices)
        self._deadlines: list[int] = [-1] * voices
        self._lasts = tuple(tuple(np.flatnonzero(m).tolist()) for m in lasts)
        self._now: list[Span | None] = [None] * voices
        self._before: list[Span | None] = [None] * voices

    def on_event(self, voice: int, span: Span) -> None:
        """Keep the last two events of a voice."""
        self._before[voice], self._now[voice] = self._now[voice], span

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._now, new._before = self._now.copy(), self._before.copy()
        return new

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Narrow pitches at the start of an event, and lengths that end where a note is due."""
        self._deadlines = automaton.deadlines
        if automaton.phase == Phase.EVENT:
            self._allow_pitches(automaton, mask)
        elif automaton.pitches:
            self._allow_lengths(automaton, mask)

    def _allow_pitches(self, automaton: Automaton, mask: Mask) -> None:
        voice, tick = automaton.voice, automaton.time
        old = self._pitch_before(voice, tick)
        if old is None:
            return
        started = []
        for other, span in enumerate(self._now):
            if other == voice or span is None or span.start != tick or not span.pitches:
                continue
            before = self._before[other]
            if before is not None and before.stop == tick and before.pitches:
                started.append((before.pitches[-1], span.pitches[-1]))
        for their_old, their_new in started:
            interval = abs(old - their_old) % 12
            if interval in PERFECT and their_old != their_new:
                clash = (np.abs(_PLACE - their_new) % 12 == interval) & (old != _PLACE)
                mask[vocab.PITCH : vocab.PITCH + 128] &= ~clash
        due = self._due(tick, after=voice)
        if due:
            pitches = np.flatnonzero(mask[vocab.PITCH : vocab.PITCH + 128])
            for pitch in pitches.tolist():
                if not _solvable([*started, (old, pitch)], due):
                    mask[vocab.PITCH + pitch] = False

    def _allow_lengths(self, automaton: Automaton, mask: Mask) -> None:
        voice, start = automaton.voice, automaton.now + automaton.longs * vocab.MAX_DURATION
        place = self._due_tick(voice, automaton.now + 1)
        if place < 0 or place > start + 2 * vocab.MAX_DURATION:
            return
        room = place - start
        if vocab.MAX_DURATION < room <= vocab.MAX_DURATION + 3:
            mask[vocab.LONG] = False
        if not 1 <= room <= vocab.MAX_DURATION or not mask[vocab.DURATION + room - 1]:
            return
        pitch = automaton.pitches[-1]
        due = [(pitch, self._options(voice, place))]
        due += self._due(place, after=-1, without=voice)
        if not _solvable([], due):
            mask[vocab.DURATION + room - 1] = False

    def _due_tick(self, voice: int, tick: int) -> int:
        """First tick from `tick` on where a note of a voice is due; -1 = none."""
        span = self._given.next(voice, tick)
        while span is not None and not span.pitches:
            span = self._given.next(voice, span.stop)
        if span is not None:
            return span.start
        return self._deadlines[voice]

    def _options(self, voice: int, tick: int) -> tuple[int, ...]:
        span = self._given.next(voice, tick)
        if span is not None and span.start == tick:
            return span.pitches[-1:]
        return self._lasts[voice]

    def _pitch_before(self, voice: int, tick: int) -> int | None:
        """Pitch that a voice sounds up to `tick`; `None` if it rests or is not known."""
        span = self._now[voice]
        if span is not None and span.start >= tick:
            span = self._before[voice]
        if span is None or span.stop != tick:
            span = self._given.ending(voice, tick)
        return span.pitches[-1] if span is not None and span.pitches else None

    def _due(self, tick: int, after: int, without: int = -1) -> list[tuple[int, tuple[int, ...]]]:
        """Voices that have a note due at `tick` and have not started it: pitch before, and allowed pitches."""
        found = []
        for voice in range(after + 1, len(self._now)):
            if voice == without or self._due_tick(voice, tick) != tick:
                continue
            old = self._pitch_before(voice, tick)
            if old is not None:
                found.append((old, self._options(voice, tick)))
        return found


def _solvable(moved: list[tuple[int, int]], due: list[tuple[int, tuple[int, ...]]]) -> bool:
    """Whether the voices that are due can move without parallels to each other and to `moved`."""
    if not due:
        return True
    old, options = due[0]
    for new in options:
        if any(parallel((old, o), (new, n)) for o, n in moved):
            continue
        if _solvable([*moved, (old, new)], due[1:]):
            return True
    return False
