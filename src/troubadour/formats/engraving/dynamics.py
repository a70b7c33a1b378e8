"""Dynamics as a person would print them: levels that hold for phrases, not one for every note."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from troubadour.music.quantise import VELOCITY_LEVELS

MARKS: Final = ("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff")
_CHANGE: Final = 2.5
"""Cost of a new dynamic, in levels times bars."""


def printed_levels(bars: Sequence[Sequence[int]]) -> dict[int, str]:
    """The dynamic printed in each bar that has one.

    The cheapest path through the levels (Viterbi), where a change costs as much as two and a half
    bars that are one level off. Nothing is printed where all notes have the usual velocity.

    Args:
        bars: velocities of the notes that start in each bar; empty for a bar of rests.
    """
    loud = [v for bar in bars for v in bar]
    if not loud or set(loud) == {80}:
        return {}
    medians = [_level(statistics.median(bar)) if bar else None for bar in bars]
    totals = [0.0] * len(MARKS)
    back: list[list[int]] = []
    for median in medians:
        best = min(range(len(MARKS)), key=lambda i: totals[i])
        came = [i if totals[i] <= totals[best] + _CHANGE else best for i in range(len(MARKS))]
        back.append(came)
        totals = [totals[came[i]] + (_CHANGE if came[i] != i else 0.0) for i in range(len(MARKS))]
        if median is not None:
            totals = [t + abs(i - median) for i, t in enumerate(totals)]
    place = min(range(len(MARKS)), key=lambda i: totals[i])
    path = [place]
    for came in reversed(back[1:]):
        place = came[place]
        path.append(place)
    path.reverse()
    out: dict[int, str] = {}
    before, waiting = -1, False
    for i, level in enumerate(path):
        waiting = waiting or level != before
        before = level
        if waiting and bars[i]:
            out[i] = MARKS[level]
            waiting = False
    return out


def _level(velocity: float) -> int:
    return min(range(len(VELOCITY_LEVELS)), key=lambda i: abs(VELOCITY_LEVELS[i] - velocity))
