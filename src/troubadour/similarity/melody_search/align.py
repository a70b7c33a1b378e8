"""Local alignment of a query melody with many windows of an index at once (Smith & Waterman, 1981).

Notes are compared under a known transposition, so that one altered note costs one note and not two
intervals. All windows advance together, row by row of the query; within a row, gaps are closed by a
running maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

GAP: Final = 0.6
"""Cost of a note that has no counterpart."""
_WRONG: Final = -0.7
_NEAR: Final = -0.4
"""Cost of a note one or two semitones off, which is more often an error than another melody."""
_OCTAVE: Final = 0.5
RHYTHM: Final = 0.25
"""Bonus of a matched note with equal duration, after correction for tempo."""
_FAR: Final = 1000
_CLOSE: Final = 2  # eighths of log2: within a fifth
_OUTSIDE: Final = -1e6
FINE: Final = 8
"""Resolution of query pitches in steps per semitone: sung pitches lie between the semitones."""
_IN_TUNE: Final = 0.25
"""Deviation in semitones that costs nothing."""
HELD: Final = FINE // 2 + 1
"""Deviation, in `FINE` steps, from which a sung note counts as another pitch."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentWindows:
    """Windows of the index to align a query with; each array has shape (n_windows,)."""

    line: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    semitones: NDArray[np.int64]
    """Transposition from the query, in semitones."""
    tempo: NDArray[np.int64]
    """Time scale relative to the query, eighths of log2; 127 = rhythm is ignored."""

    @classmethod
    def none(cls) -> Self:
        """Empty set of windows."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing, nothing)

    def __getitem__(self, part: Any) -> Self:
        part = slice(part, part + 1) if isinstance(part, int) else part
        return type(self)(
            self.line[part], self.start[part], self.stop[part], self.semitones[part], self.tempo[part]
        )


def align(
    pitch: NDArray[np.int16],
    gap: NDArray[np.int8],
    their_pitch: NDArray[np.uint8],
    their_gap: NDArray[np.int8],
    windows: AlignmentWindows,
) -> NDArray[np.float64]:
    """Alignment score of the query in each window, shape (n_windows,), 0 to 1.

    Args:
        pitch: query pitches in `FINE` steps per semitone, shape (m,).
        gap: query inter-onset intervals, eighths of log2 quarters, shape (m,).
        their_pitch: MIDI pitches of the whole index, shape (n,).
        their_gap: inter-onset intervals of the whole index, shape (n,).
        windows: windows to align with.
    """
    best = np.zeros(len(windows.start), dtype=np.float32)
    row: Floats | None = None
    for row in _rows(pitch, gap, their_pitch, their_gap, windows):
        np.maximum(best, row.max(axis=1), out=best)
    timed = (windows.tempo != 127) & (len(pitch) > 1)
    most = len(pitch) + np.where(timed, RHYTHM * (len(pitch) - 1), 0.0)
    shares: NDArray[np.float64] = np.clip(best / most, 0.0, 1.0)
    return shares


def _rows(
    pitch: NDArray[np.int16],
    gap: NDArray[np.int8],
    their_pitch: NDArray[np.uint8],
    their_gap: NDArray[np.int8],
    windows: AlignmentWindows,
) -> Any:
    """Rows of the alignment table, each of shape (n_windows, width)."""
    width = int((windows.stop - windows.start).max())
    place = windows.start[:, None] + np.arange(width)
    outside = place >= windows.stop[:, None]
    place = np.minimum(place, len(their_pitch) - 1)
    # Index pitches transposed to the query; a far value beyond the end of a window.
    theirs = their_pitch[place].astype(np.int16) - windows.semitones[:, None].astype(np.int16)
    theirs *= np.int16(FINE)
    theirs[outside] = _FAR * FINE
    lasting = their_gap[place].astype(np.int16) - windows.tempo[:, None].astype(np.int16)
    lasting[(their_gap[place] == -128) | (windows.tempo[:, None] == 127)] = 1000
    slope = (GAP * np.arange(width)).astype(np.float32)
    above: Floats = np.zeros((len(place), width), dtype=np.float32)
    table = _table()
    for i in range(len(pitch)):
        off = np.clip(theirs - pitch[i], -128 * FINE, 128 * FINE)
        gain = table[off + 128 * FINE]
        if gap[i] != -128:
            gain += np.float32(RHYTHM) * ((np.abs(off) <= HELD) & (np.abs(lasting - gap[i]) <= _CLOSE))
        gain[:, 1:] += above[:, :-1]
        np.maximum(gain, above - np.float32(GAP), out=gain)
        np.maximum(gain, 0.0, out=gain)
        gain[outside] = 0.0
        # Running maximum over all cells to the left, minus the cost of the skipped notes.
        above = (np.maximum.accumulate(gain + slope, axis=1) - slope).astype(np.float32)
        above[outside] = 0.0
        yield above


def _table() -> Floats:
    """Gain of two notes by their pitch distance, -128 to 128 semitones in `FINE` steps."""
    whole = np.full(257, _WRONG)
    whole[126:131] = _NEAR
    whole[[128 - 24, 128 - 12, 128 + 12, 128 + 24]] = _OCTAVE
    whole[128] = 1.0
    steps = np.arange(-128 * FINE, 128 * FINE + 1) / FINE
    nearest = np.rint(steps)
    # Full gain up to a quarter of a semitone; from there linear interpolation to the next semitone.
    away = np.maximum(np.abs(steps - nearest) - _IN_TUNE, 0.0) / (1 - 2 * _IN_TUNE)
    table = np.interp(nearest + np.sign(steps - nearest) * away, np.arange(-128, 129), whole)
    table[[0, -1]] = _OUTSIDE
    return np.asarray(table, dtype=np.float32)


def trace(
    pitch: NDArray[np.int16],
    gap: NDArray[np.int8],
    their_pitch: NDArray[np.uint8],
    their_gap: NDArray[np.int8],
    window: AlignmentWindows,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Note pairs of the best alignment with one window: rows of the query, rows of the index."""
    table = np.concatenate(list(_rows(pitch, gap, their_pitch, their_gap, window)))
    i, j = divmod(int(np.argmax(table)), table.shape[1])
    pairs: list[tuple[int, int]] = []
    while i >= 0 and j >= 0 and table[i, j] > 0:
        here = float(table[i, j])
        left = float(table[i, j - 1]) - GAP if j else -1.0
        up = float(table[i - 1, j]) - GAP if i else -1.0
        if abs(here - left) < 1e-4 and left > 0:
            j -= 1
        elif abs(here - up) < 1e-4 and up > 0:
            i -= 1
        else:
            pairs.append((i, j))
            i, j = i - 1, j - 1
    pairs.reverse()
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1] + int(window.start[0])
