"""Chord loops: music that goes round and does not close."""

from __future__ import annotations

from typing import Final

import numpy as np

from troubadour.analysis.beats import Beats, Floats
from troubadour.music.score import Score

_PERIODS: Final = (2, 4, 8, 3, 6)
"""Bars of a loop that are looked for."""
_ROUNDS: Final = 3
"""Times that a loop is heard at the end of a piece before it counts as one."""
_ALIKE: Final = 0.9
"""Least cosine between the pitch classes of bars that stand for each other."""
_APART: Final = 0.8
"""Cosine below which two bars of a loop are different chords."""


def closing_loop(score: Score, table: Beats) -> tuple[int, Floats] | None:
    """Bass and pitch classes of the first bar of the loop with which a piece ends; none where it has none.

    Only music in chords has loops: a tune that repeats itself closes on its last note all the same.

    Args:
        score: quantised, of pitched notes only.
        table: its beats.

    Returns:
        The pitch class of the bar's first bass note, and how long each class sounds in it, shape (12,).
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
