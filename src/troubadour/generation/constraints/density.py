"""Constraint on the number of notes of a piece."""

from __future__ import annotations

from typing import Final, Self

from troubadour.generation.constraints.base import Span, end_by
from troubadour.generation.constraints.given import Given
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase
from troubadour.tokens.prefix import DENSITY_EDGES

SLOT: Final = 8
"""Ticks reserved for each note that is still needed; a sixteenth takes six."""


def note_counts(level: int, quarters: float, voices: int) -> tuple[int, int]:
    """Smallest and largest number of notes of a density level; see `prefix.density_level`.

    Args:
        level: 0 to 7.
        quarters: length of the piece in quarters.
        voices: number of voices.
    """
    size = quarters * voices
    low = 0 if level == 0 else int(DENSITY_EDGES[level - 1] * size) + 1
    high = int(DENSITY_EDGES[level] * size) if level < len(DENSITY_EDGES) else 10**6
    return low, high


class Density:
    """Keeps the number of notes between two bounds.

    Args:
        bounds: smallest and largest number of notes, inclusive.
        given: given events.
    """

    needs_lookahead = False

    def __init__(self, bounds: tuple[int, int], given: Given | None) -> None:
        self._low, self._high = bounds
        self._given = given
        self._deadlines: list[int] | None = None
        self._free = self._due = self._count = 0

    def begin(self, automaton: Automaton) -> None:
        """Count free ticks and due notes, as soon as the automaton knows the end of the piece."""
        if self._deadlines is not None or automaton.final is None:
            return
        self._deadlines = automaton.deadlines
        for voice, deadline in enumerate(automaton.deadlines):
            self._free += deadline if deadline >= 0 else automaton.final
            self._due += deadline >= 0
            for span in self._given.spans[voice] if self._given and voice < len(self._given.spans) else ():
                self._free -= span.stop - span.start
                self._due += len(span.pitches)

    @property
    def spare(self) -> int:
        """Free ticks beyond those that the missing notes need; negative = the notes do not fit."""
        return self._free - SLOT * max(self._low - self._count - self._due, 0)

    @property
    def most(self) -> int:
        """Number of notes that may be added to those that are due; negative = too many are due."""
        return self._high - self._count - self._due

    def _is_due(self, voice: int, tick: int) -> bool:
        if self._deadlines is not None and 0 <= self._deadlines[voice] <= tick:
            return True
        span = self._given.next(voice, tick) if self._given else None
        return span is not None and span.start == tick

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Forbid notes above the upper bound, and long events while many notes are missing."""
        self.begin(automaton)
        voice = automaton.voice
        if automaton.phase == Phase.EVENT:
            if self._is_due(voice, automaton.time):
                return
            if self.most <= 0:
                mask[vocab.PITCH : vocab.PITCH + 128] = False
            elif self.spare < SLOT and mask[vocab.PITCH : vocab.PITCH + 128].any():
                mask[vocab.REST] = False
        elif not self._is_due(voice, automaton.now):
            # A note uses its own slot; a rest uses none.
            room = self.spare + (SLOT if automaton.pitches and self._low > self._count + self._due else 0)
            end_by(automaton, mask, automaton.now + max(room, SLOT))

    def on_event(self, voice: int, span: Span) -> None:
        """Count the notes of an event and subtract its ticks from the free ticks."""
        self._count += len(span.pitches)
        if self._is_due(voice, span.start):
            self._due -= len(span.pitches)
        else:
            stop = span.stop
            deadline = self._deadlines[voice] if self._deadlines is not None else -1
            if 0 <= deadline < stop:
                # A last note that starts early is the note that was due.
                if span.pitches:
                    self._due -= 1
                stop = deadline
            self._free -= stop - span.start

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new
