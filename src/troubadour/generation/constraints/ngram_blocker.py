"""N-gram blocker: a limit on successive notes in common with other music, in any key and at any tempo."""

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
    """Forbids notes that complete a passage of other music longer than the limit.

    All notes of a voice except the last are held to one note less than the limit, so that any last
    note is allowed. A note is also forbidden if it completes a passage together with the given notes
    that follow it, rests between them ignored.

    Args:
        passages: passages of the other music, each of (limit - 1) steps between notes.
        voices: number of voices, each on its own track.
        given: given events.
    """

    needs_lookahead = True

    def __init__(self, passages: PassageIndex, voices: int, given: Given | None) -> None:
        self._passages = passages
        self._given = given
        self._notes: list[tuple[_Note, ...]] = [()] * voices

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._notes = self._notes.copy()
        return new

    def on_event(self, voice: int, span: Span) -> None:
        """Keep the last notes of a voice, as many as a passage has."""
        if span.pitches:
            kept = self._notes[voice][-self._passages.length :]
            self._notes[voice] = (*kept, (span.pitches[-1], span.stop - span.start))

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Remove the lengths that complete a passage with the current pitch; costs one look-up a length and window."""
        if automaton.phase == Phase.EVENT or not automaton.pitches:
            return
        voice = automaton.voice
        notes, size = self._notes[voice], self._passages.length
        coming = self._coming(voice, automaton.now + 1)
        # A passage has `size` steps, so it needs `size` other notes.
        if len(notes) + len(coming) < size:
            return
        written = automaton.longs * vocab.MAX_DURATION
        open_ = np.flatnonzero(mask[vocab.DURATION : vocab.PITCH])
        if automaton.final is not None and not coming:
            open_ = open_[automaton.now + written + open_ + 1 != automaton.final]
        if not len(open_):
            return
        past = [EXACT.one(a, b) for a, b in pairwise(notes)]
        here = (automaton.pitches[-1], _LENGTHS[open_] + written)
        row: list[Any] = [*past]
        if notes:
            row.append(_steps(notes[-1], here))
        first = len(row) - 1  # index of the step into this note, if there is one
        if coming:
            row.append(_steps(here, coming[0]))
            row += [EXACT.one(a, b) for a, b in pairwise(coming)]
        bad = np.zeros(len(open_), dtype=bool)
        for start in range(max(0, len(past) - size + 1), len(row) - size + 1):
            if start + size > first and not bad.all():
                bad |= self._passages.contain(row[start : start + size], len(open_))
        mask[vocab.DURATION + open_[bad]] = False

    def _coming(self, voice: int, tick: int) -> list[_Note]:
        """Given notes of a voice from `tick`, at most as many as a passage has steps."""
        found: list[_Note] = []
        span = None if self._given is None else self._given.next(voice, tick)
        while span is not None and self._given is not None and len(found) < self._passages.length:
            if span.pitches:
                found.append((span.pitches[-1], span.stop - span.start))
            span = self._given.next(voice, span.stop)
        return found


def has_passage(notes: Sequence[_Note], passages: PassageIndex) -> bool:
    """Whether successive notes (pitch, ticks) contain one of the passages."""
    steps = [EXACT.one(a, b) for a, b in pairwise(notes)]
    size = passages.length
    return any(bool(passages.contain(steps[i : i + size], 1)[0]) for i in range(len(steps) - size + 1))


def _steps(before: tuple[int, Any], after: tuple[int, Any]) -> Steps:
    """Codes of steps between (pitch, ticks), where ticks may be arrays."""
    return EXACT.of(after[0] - before[0], np.asarray(after[1]) / np.asarray(before[1]))


__all__ = ["NgramBlocker", "has_passage"]
