"""Bars of a score: numbers of the bars in which notes lie, and bars as lines of text."""

from __future__ import annotations

import numpy as np

from troubadour.music.quantise import bars_of
from troubadour.music.score import Column, Score
from troubadour.music.theory.names import note_name


def bar_numbers(score: Score, ticks: Column) -> Column:
    """The bar in which each tick of a quantised score lies, from 1 (0 = upbeat), shape of `ticks`."""
    before = 1 if score.upbeat_ticks else 0
    return (np.searchsorted(bars_of(score).start, ticks, side="right") - before).astype(np.int32)


def bars_text(score: Score, *, whole: bool = True) -> list[str]:
    """Names of the notes that start in each bar, one line a bar, tracks separated by ` / `.

    An upbeat is a bar of its own. Durations are not shown. The score has one metre.

    Args:
        whole: whether the score is complete; if it is not, a last bar that is not full is left out.
    """
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    first = score.upbeat_ticks - length if score.upbeat_ticks else 0
    lines = []
    while first < score.end_ticks and (whole or first + length <= score.end_ticks):
        voices = []
        for track in range(len(score.tracks)):
            inside = (score.track == track) & (score.onset >= first) & (score.onset < first + length)
            voices.append(" ".join(note_name(p) for p in score.pitch[inside].tolist()) or "-")
        lines.append(" / ".join(voices))
        first += length
    return lines
