"""Objective descriptors of pieces, and how much two collections overlap in them.

After Yang & Lerch (2018), "On the evaluation of generative models in music". They describe; they do
not prove quality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from troubadour.music import melody
from troubadour.music.score import Score
from troubadour.music.theory.scales import degrees

_SCALES: Final = np.array([[(tonic + degree) % 12 for degree in degrees("major")] for tonic in range(12)])
_PLACES: Final = 16
"""Places of a bar that a groove tells apart."""
INTERVALS: Final = 12
"""Largest melodic step, in semitones, with a bar of its own in the histogram."""
DURATIONS: Final = (3, 6, 8, 12, 18, 24, 36, 48, 72, 96)
"""Upper bounds of the classes of duration, in ticks of a 24th of a quarter."""


def describe(score: Score) -> dict[str, float]:
    """Numbers of one quantised score with notes: entropies in bits, shares from 0 to 1, counts a quarter."""
    quarters = score.end_ticks / score.ticks_per_quarter
    classes = np.bincount(score.pitch % 12, minlength=12) / len(score)
    bars = _bars(score)
    filled = _sounding(score)
    return {
        "pitch-class entropy": _entropy(classes),
        "scale consistency": float(classes[_SCALES].sum(axis=1).max()),
        "groove consistency": float(1 - np.abs(np.diff(bars, axis=0)).mean()) if len(bars) > 1 else 1.0,
        "polyphony": float(filled[filled > 0].mean()),
        "notes a quarter": len(score) / quarters,
        "pitch range": float(score.pitch.max() - score.pitch.min()),
        "mean step": float(np.abs(_steps(score)).mean()) if len(_steps(score)) else 0.0,
        "self-similarity": _self_similarity(bars),
    }


def intervals(scores: Sequence[Score]) -> NDArray[np.float64]:
    """Shares of melodic steps from -12 to 12 semitones, wider ones at the ends, shape (25,)."""
    steps = np.concatenate([np.zeros(0), *(_steps(s) for s in scores)]).astype(np.int64)
    counts = np.bincount(np.clip(steps, -INTERVALS, INTERVALS) + INTERVALS, minlength=2 * INTERVALS + 1)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


def durations(scores: Sequence[Score]) -> NDArray[np.float64]:
    """Shares of the classes of duration, the last one open, shape (len(DURATIONS) + 1,)."""
    found = [s.duration * 24 // s.ticks_per_quarter for s in scores]
    classes = np.searchsorted(DURATIONS, np.concatenate(found))
    counts = np.bincount(classes, minlength=len(DURATIONS) + 1)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


def overlaps(ours: Sequence[Score], theirs: Sequence[Score]) -> dict[str, float]:
    """Overlapping area of each descriptor's distribution in two collections, 0 (none) to 1 (the same)."""
    left, right = ([describe(s) for s in scores] for scores in (ours, theirs))
    found = {name: overlap(_column(left, name), _column(right, name)) for name in left[0]}
    found["interval histogram"] = float(np.minimum(intervals(ours), intervals(theirs)).sum())
    found["duration histogram"] = float(np.minimum(durations(ours), durations(theirs)).sum())
    return found


def overlap(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Overlapping area of two samples' kernel densities, 0 to 1; of constants, whether they are equal."""
    both = np.concatenate([left, right])
    if np.ptp(left) < 1e-9 or np.ptp(right) < 1e-9:
        # No density has a width there: shares on a common grid say what can be said.
        edges = np.histogram_bin_edges(both, 20)
        a, b = (np.histogram(x, edges)[0] / len(x) for x in (left, right))
        return float(np.minimum(a, b).sum())
    # Wide enough for the tails, which belong to the area.
    grid = np.linspace(both.min() - np.ptp(both), both.max() + np.ptp(both), 1024)
    a, b = gaussian_kde(left)(grid), gaussian_kde(right)(grid)
    return float(min(1.0, np.trapezoid(np.minimum(a, b), grid)))


def _column(rows: Sequence[Mapping[str, float]], name: str) -> NDArray[np.float64]:
    return np.array([row[name] for row in rows])


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log2(some)).sum())


def _steps(score: Score) -> NDArray[np.float64]:
    """Intervals between successive notes of the skyline of each pitched track, in semitones."""
    each = [melody.intervals(score, i) for i, track in enumerate(score.tracks) if not track.is_drum]
    return np.concatenate([np.zeros(0), *each])


def _bars(score: Score) -> NDArray[np.float64]:
    """Which places of each bar have an onset, shape (bars, 16)."""
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    shifted = score.onset + ((length - score.upbeat_ticks) if score.upbeat_ticks else 0)
    grid = np.zeros((int(shifted.max()) // length + 1, _PLACES))
    grid[shifted // length, shifted % length * _PLACES // length] = 1.0
    return grid


def _sounding(score: Score) -> NDArray[np.int64]:
    """Notes that sound at each tick."""
    change = np.zeros(score.end_ticks + 1, dtype=np.int64)
    np.add.at(change, score.onset, 1)
    np.add.at(change, np.minimum(score.onset + score.duration, score.end_ticks), -1)
    return np.cumsum(change)


def _self_similarity(bars: NDArray[np.float64]) -> float:
    """Share of bars whose rhythm stands elsewhere in the piece too."""
    if len(bars) < 2:
        return 0.0
    _, inverse, counts = np.unique(bars, axis=0, return_inverse=True, return_counts=True)
    return float((counts[inverse.ravel()] > 1).mean())
