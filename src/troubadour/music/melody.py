"""Melodies: the skyline of a track, its intervals and steps, and hashes of n-grams of steps.

The skyline takes the highest note at each onset (Uitdenbogerd & Zobel, Manipulation of Music for
Melody Matching, 1998). A step from one note to the next is an interval in semitones and a ratio of
durations, so that a string of steps is free of key and tempo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.music.score import Score

Rows = NDArray[np.int64]
"""Indices of notes of a score."""
Steps = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_BASE: Final = 0x9E3779B97F4A7C15
_STIR: Final = 0xBF58476D1CE4E5B9
_BITS: Final = 2**64 - 1


def skyline(score: Score, track: int) -> Rows:
    """Indices of the highest note at each onset of a track, in order of onset, shape (n,).

    Of two notes of one pitch the longer one is taken. Costs a few microseconds a note column.

    >>> rows = [(0, 24, 60, 80, 0), (0, 24, 67, 80, 0), (24, 24, 65, 80, 0)]
    >>> skyline(Score.from_notes(rows, ticks_per_quarter=24), 0).tolist()
    [1, 2]
    """
    rows: Rows = np.flatnonzero(score.track == track)
    if not len(rows):
        return rows
    # Notes of a score are sorted by onset, track, pitch and duration: the last of each onset is the top.
    onset = score.onset[rows]
    top: Rows = rows[np.append(onset[1:] != onset[:-1], True)]
    return top


def lead_track(score: Score, notes: int = 1) -> int | None:
    """Index of the first pitched track with at least `notes` notes; None where there is none."""
    counts = np.bincount(score.track, minlength=len(score.tracks)).tolist()
    found = (i for i, track in enumerate(score.tracks) if not track.is_drum and counts[i] >= notes)
    return next(found, None)


def intervals(score: Score, track: int) -> Steps:
    """Semitones from each note of a track's skyline to the next, shape (n - 1,)."""
    return np.diff(score.pitch[skyline(score, track)]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class StepCode:
    """A coding of steps, each as one integer from 0 on.

    The code is `(interval + 128) * radix + ratio + radix / 2`, where `ratio` is the rounded logarithm
    of the ratio of durations.
    """

    per_doubling: int
    """Parts into which a doubling of the duration is divided."""
    radix: int
    """Ratios that are told apart; wider ones count as the widest."""

    def of(self, semitones: ArrayLike, ratio: ArrayLike) -> Steps:
        """Codes of steps, in the shape to which the arguments broadcast.

        Args:
            semitones: interval, -127 to 127.
            ratio: duration of the later note, in units of that of the earlier one, above 0.
        """
        half = self.radix // 2
        parts = np.round(np.log2(np.asarray(ratio, dtype=np.float64)) * self.per_doubling).astype(np.int64)
        parts = np.clip(parts, 1 - half, half - 1) + half
        coded: Steps = (np.asarray(semitones).astype(np.int64) + 128) * self.radix + parts
        return coded

    def one(self, before: tuple[int, int], after: tuple[int, int]) -> int:
        """The code of one step between two (pitch, duration); quicker than `of`."""
        half = self.radix // 2
        parts = round(log2(after[1] / before[1]) * self.per_doubling)
        return (after[0] - before[0] + 128) * self.radix + min(max(parts, 1 - half), half - 1) + half

    def along(self, score: Score, rows: Rows) -> Steps:
        """Codes of the steps between successive notes of a score, shape (len(rows) - 1,)."""
        duration = score.duration[rows].astype(np.float64)
        return self.of(np.diff(score.pitch[rows]), duration[1:] / duration[:-1])


EXACT: Final = StepCode(12, 1024)
"""Steps that distinguish all rhythms of the grid: for passages in common. Stored in corpora."""
NEAR: Final = StepCode(4, 128)
"""Steps that pass over small differences of rhythm: for near duplicates. Stored in catalogues."""


def ngram_hashes(steps: Steps, length: int) -> Hashes:
    """A 64-bit hash of each run of `length` steps, shape (max(len(steps) - length + 1, 0),).

    A polynomial in an odd base, modulo 2^64, over scrambled steps (Karp & Rabin, 1987). Runs are built
    by doubling: about 2 log2(length) passes over the steps. The low bits depend on the low bits of the
    steps only; use the high ones for tables.

    Args:
        length: steps in a run, 1 or more.
    """
    n = len(steps) - length + 1
    if n < 1:
        return np.zeros(0, dtype=np.uint64)
    run, size, base = (
        _scrambled(steps),
        1,
        _BASE,
    )  # hashes of runs of `size` steps; base to the power of `size`
    found: Hashes | None = None
    done = 0
    while True:
        if length & size:
            part = run[done : done + n]
            found = part if found is None else found * np.uint64(base) + part
            done += size
        if 2 * size > length:
            break
        run = run[:-size] * np.uint64(base) + run[size:]
        size, base = 2 * size, base * base & _BITS
    assert found is not None
    return found


def ngram_hash(steps: Sequence[int | Steps], n: int) -> Hashes:
    """The hashes of `n` runs that differ in some of their steps, equal to those of `ngram_hashes`, shape (n,).

    Args:
        steps: of a run in order, each a number for all runs or an array of shape (n,).
    """
    # Arithmetic of Python's own integers is quicker as long as all runs are equal.
    same, total = 0, None
    for step in steps:
        if isinstance(step, int):
            scrambled = _scrambled_one(step)
            if total is None:
                same = (same * _BASE + scrambled) & _BITS
            else:
                total = total * np.uint64(_BASE) + np.uint64(scrambled)
        elif total is None:
            total = np.uint64((same * _BASE) & _BITS) + _scrambled(step)
        else:
            total = total * np.uint64(_BASE) + _scrambled(step)
    return np.full(n, same, dtype=np.uint64) if total is None else total


def stored_ngram_hashes(steps: Steps, length: int) -> NDArray[np.uint32]:
    """The 32-bit hash of each run of `length` steps that catalogues hold, shape as in `ngram_hashes`.

    Its values are stored with every piece, so they must not change; everything else uses `ngram_hashes`.
    """
    n = max(len(steps) - length + 1, 0)
    value = np.zeros(n, dtype=np.uint64)
    for i in range(length if n else 0):
        value = (value + steps[i : i + n].astype(np.uint64)) * np.uint64(_BASE)
        value ^= value >> np.uint64(32)
    return value.astype(np.uint32)


def _scrambled(steps: NDArray[Any]) -> Hashes:
    """Each step spread over 64 bits."""
    mixed = steps.astype(np.uint64) * np.uint64(_STIR)
    scrambled: Hashes = mixed ^ (mixed >> np.uint64(29))
    return scrambled


def _scrambled_one(step: int) -> int:
    mixed = (step * _STIR) & _BITS
    return mixed ^ (mixed >> 29)
