"""What makes a melody itself, whatever its key and tempo: for exact and near duplicates."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.score import Score

Grams = NDArray[np.uint32]

_LENGTH: Final = 6
_RATIO_STEPS: Final = 4


def melody(score: Score) -> NDArray[np.int64]:
    """The steps of the first melodic track's top line, shape (n - 1,): interval and duration ratio."""
    for i, track in enumerate(score.tracks):
        mine = np.flatnonzero(score.track == i)
        if track.is_drum or len(mine) < 2:
            continue
        top = np.append(score.onset[mine][1:] != score.onset[mine][:-1], True)
        line = mine[top]
        interval = np.diff(score.pitch[line]).astype(np.int64)
        duration = score.duration[line].astype(np.float64)
        ratio = np.round(np.log2(duration[1:] / duration[:-1]) * _RATIO_STEPS).astype(np.int64)
        steps: NDArray[np.int64] = (interval + 128) * 128 + np.clip(ratio, -63, 63) + 64
        return steps
    return np.zeros(0, dtype=np.int64)


def fingerprint(score: Score) -> str:
    """Equal for two scores that differ in key, tempo, instrument or loudness only, 32 hex digits."""
    rows = score.notes()[:, [0, 1, 2, 4]].astype(np.int64)
    if len(rows):
        rows = rows.copy()
        rows[:, 2] -= rows[0, 2]
        rows[:, :2] = rows[:, :2] * 24 // score.ticks_per_quarter
    return hashlib.sha256(rows.tobytes()).hexdigest()[:32]


def grams(score: Score) -> Grams:
    """Hashes of all runs of six steps of the melody, sorted and distinct, shape (k,)."""
    steps = melody(score)
    n = len(steps) - _LENGTH + 1
    if n < 1:
        return np.zeros(0, dtype=np.uint32)
    value = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i in range(_LENGTH):
            value = (value + steps[i : i + n].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(32)
    return np.unique(value.astype(np.uint32))
