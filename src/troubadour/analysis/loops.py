"""Chord loops: music that repeats a chord progression and ends without a cadence."""

from __future__ import annotations

from typing import Final

import numpy as np

from troubadour.analysis.beats import Beats, Floats
from troubadour.music.score import Score

_PERIODS: Final = (2, 4, 8, 3, 6)
"""Loop lengths that are tried, in bars."""
_ROUNDS: Final = 3
"""Smallest number of repetitions at the end of a piece."""
_ALIKE: Final = 0.9
"""Lowest cosine between the pitch classes of corresponding bars."""
_APART: Final = 0.8
"""Cosine below which two bars of a loop count as different chords."""


def closing_loop(score: Score, table: Beats) -> tuple[int, Floats] | None:
    """Bass and pitch classes of the first bar of the loop at the end of a piece; None without a loop.

    Only chordal music has loops: a melody that repeats still ends on its last note.

    Args:
        score: quantised score, pitched notes only.
        table: its beat grid.

    Returns:
        Pitch class of the bar's first bass note, and the duration of each pitch class in the bar, shape (12,).
    """
    span = float(score.end_ticks - score.onset.min()) if len(score) else 0.0
    if not span or float(score.duration.sum()) < 2.5 * span:
        return None
    rows, row = np.unique(table.bar[table.bar > 0], return_inverse=True)
    sums = np.zeros((len(rows), 12))
    np.add.at(sums, row, table.plain[table.bar > 0])
    norm = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    for period in _PERIODS:
        if len(rows) < _ROUNDS * period:
            continue
        tail = norm[-_ROUNDS * period :]
        alike = (tail[period:] * tail[:-period]).sum(axis=1)
        within = tail[-period:] @ tail[-period:].T
        if alike.min() >= _ALIKE and within.min() < _APART:
            sounding = table.bass[(table.bar == rows[-period]) & (table.bass >= 0)]
            return int(sounding[0]) % 12, sums[-period]
    return None
