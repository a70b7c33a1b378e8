"""At most so many successive notes in common with other music, in any key and at any speed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.given import Given
from troubadour.generation.originality import PassageIndex
from troubadour.music.melody import EXACT, Steps
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase

_LENGTHS = np.arange(1, vocab.MAX_DURATION + 1)
_Note = tuple[int, int]  # pitch, ticks


class NgramBlocker:
    """Forbids notes that would make a passage too long that stands in other music.

    All notes but the last of a voice are held to one note less than the limit, so that any last
    note will do. A note is also forbidden if the given notes that follow it would complete a
    passage, with nothing but rests between them.

    Args:
        windows: the other music's passages of the limit less one steps.
        voices: how many, each alone on its track.
        given: the given notes.
    """

    needs_lookahead = True

    def __init__(self, windows: PassageIndex, voices: int, given: Given | None) -> None:
        self._windows = windows
        self._given = given
        self._notes: list[tuple[_Note, ...]] = [()] * voices

    def copy(self) -> Self:
        """An independent control in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._notes = self._notes.copy()
        return new

    def on_event(self, lane: int, span: Span) -> None:
        """Remember as many notes of a voice as a passage has."""
        if span.pitches:
            kept = self._notes[lane][-self._windows.length :]
            self._notes[lane] = (*kept, (span.pitches[-1], span.stop - span.start))

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Strike out lengths that complete a passage together with the pitch that was chosen."""
        if automaton.phase == Phase.EVENT or not automaton.pitches:
            return
        lane = automaton.lane
        notes, size = self._notes[lane], self._windows.length
        coming = self._coming(lane, automaton.now + 1)
        # A passage has `size` steps; so many notes stand before the one that is being written.
        if len(notes) + len(coming) < size:
            return
        gone = automaton.longs * vocab.MAX_DURATION
        open_ = np.flatnonzero(mask[vocab.DURATION : vocab.PITCH])
        if automaton.final is not None and not coming:
            open_ = open_[automaton.now + gone + open_ + 1 != automaton.final]
        if not len(open_):
            return
        past = [EXACT.one(a, b) for a, b in pairwise(notes)]
        here = (automaton.pitches[-1], _LENGTHS[open_] + gone)
        row: list[Any] = [*past]
        if notes:
            row.append(_steps(notes[-1], here))
        first = len(row) - 1  # the step into this note, if there is one
        if coming:
            row.append(_steps(here, coming[0]))
            row += [EXACT.one(a, b) for a, b in pairwise(coming)]
        bad = np.zeros(len(open_), dtype=bool)
        for start in range(max(0, len(past) - size + 1), len(row) - size + 1):
            if start + size > first and not bad.all():
                bad |= self._windows.contain(row[start : start + size], len(open_))
        mask[vocab.DURATION + open_[bad]] = False

    def _coming(self, lane: int, tick: int) -> list[_Note]:
        """The given notes of a voice from `tick` on, as far as one passage reaches."""
        found: list[_Note] = []
        span = None if self._given is None else self._given.next(lane, tick)
        while span is not None and self._given is not None and len(found) < self._windows.length:
            if span.pitches:
                found.append((span.pitches[-1], span.stop - span.start))
            span = self._given.next(lane, span.stop)
        return found


def longest_run(notes: Sequence[_Note], windows: PassageIndex) -> bool:
    """Whether any passage of successive notes is among the windows."""
    steps = [EXACT.one(a, b) for a, b in pairwise(notes)]
    size = windows.length
    return any(bool(windows.contain(steps[i : i + size], 1)[0]) for i in range(len(steps) - size + 1))


def _steps(before: tuple[int, Any], after: tuple[int, Any]) -> Steps:
    """Codes of steps, where one of the durations is an array."""
    return EXACT.of(after[0] - before[0], np.asarray(after[1]) / np.asarray(before[1]))


__all__ = ["NgramBlocker", "longest_run"]
