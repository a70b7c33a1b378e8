"""Interval n-grams and inter-onset intervals, the keys and features of melody search."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.similarity.melody_search.align import FINE
from troubadour.similarity.melody_search.lines import Skyline

GRAM: Final = 4
"""Intervals per n-gram."""
_WIDEST: Final = 12
RADIX: Final = 2 * _WIDEST + 2
"""Digits of an n-gram's number: intervals -12 to 12, and one digit for "no interval"."""
_NONE: Final = 0
_DOUBT: Final = 0.15
"""Deviation in semitones from which a sung note is also tried as the neighbouring semitone."""
_DOUBTED: Final = 0.6
"""Weight of such an alternative."""
_SILENT: Final = np.int8(-128)


def fine(query: Skyline) -> NDArray[np.int16]:
    """Pitches in `FINE` steps per semitone, shape (n,)."""
    steps = FINE * query.pitch.astype(np.int16)
    if query.astray is not None:
        steps = steps + np.rint(FINE * query.astray).astype(np.int16)
    return steps


def readings(query: Skyline, length: int) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.float64]]:
    """Runs of `length` + 1 notes of the query.

    Notes sung off pitch are also tried as the pitch on their other side, at most the two least certain
    notes of a run at once.

    Returns:
        Pitches, shape (k, length + 1); first note of each run, shape (k,); weight, shape (k,).
    """
    runs = np.lib.stride_tricks.sliding_window_view(query.pitch, length + 1).astype(np.int16)
    starts = np.arange(len(runs))
    if query.astray is None:
        return runs, starts, np.ones(len(runs))
    off = np.lib.stride_tricks.sliding_window_view(query.astray, length + 1)
    order = np.argsort(-np.abs(off), axis=1, kind="stable")
    every = [runs]
    kept = [starts]
    trust = [np.ones(len(runs))]
    for flipped in ((0,), (1,), (0, 1)):
        columns = order[:, list(flipped)]
        doubt = np.take_along_axis(off, columns, axis=1)
        rows = np.flatnonzero((np.abs(doubt) >= _DOUBT).all(axis=1))
        other = runs[rows].copy()
        change = np.sign(doubt[rows]).astype(np.int16)
        np.put_along_axis(
            other, columns[rows], np.take_along_axis(other, columns[rows], axis=1) + change, axis=1
        )
        every.append(other)
        kept.append(starts[rows])
        trust.append(np.full(len(rows), _DOUBTED ** len(flipped)))
    return np.concatenate(every), np.concatenate(kept), np.concatenate(trust)


def gaps(line: Skyline) -> NDArray[np.int8]:
    """Time from each note to the next, eighths of log2 quarters, shape (n,); -128 for the last note."""
    out = np.full(len(line), _SILENT, dtype=np.int8)
    if len(line) > 1:
        step = np.maximum(np.diff(line.onset), 1 / 64)
        out[:-1] = np.clip(np.round(8 * np.log2(step)), -60, 60).astype(np.int8)
    return out


def coded(runs: NDArray[np.int16]) -> NDArray[np.int64]:
    """Intervals of each run of pitches, shape (n, notes), encoded as one integer, shape (n,)."""
    codes = np.zeros(len(runs), dtype=np.int64)
    for step in np.diff(runs, axis=1).T:
        codes = codes * RADIX + _digit(step)
    return codes


def runs_of(pitch: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The n-gram of `GRAM` intervals that starts at each note, encoded as one integer; cut at the end of a line.

    Args:
        pitch: MIDI pitches of all lines, shape (n,).
        starts: first note of each line, followed by n, shape (n_lines + 1,).
    """
    steps = np.full(len(pitch), _NONE, dtype=np.int64)
    if len(pitch):
        steps[:-1] = _digit(np.diff(pitch.astype(np.int16)))
        steps[starts[1:] - 1] = _NONE
    codes = np.zeros(len(steps), dtype=np.int64)
    going = np.ones(len(steps), dtype=bool)
    for i in range(GRAM):
        here = np.concatenate([steps[i:], np.full(min(i, len(steps)), _NONE, dtype=np.int64)])
        going &= here != _NONE
        codes = codes * RADIX + np.where(going, here, 0)
    return codes


def _digit(step: NDArray[Any]) -> NDArray[np.int16]:
    return np.asarray(np.clip(step, -_WIDEST, _WIDEST) + _WIDEST + 1, dtype=np.int16)
