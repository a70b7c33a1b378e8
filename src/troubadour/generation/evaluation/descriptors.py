"""Objective descriptors of pieces, and their overlap in two collections.

After Yang & Lerch (2018), "On the evaluation of generative models in music". Descriptors do not
measure quality.
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
"""Divisions of a bar in patterns of onsets."""
INTERVALS: Final = 12
"""Largest melodic interval in semitones with a class of its own in the histogram."""
DURATIONS: Final = (3, 6, 8, 12, 18, 24, 36, 48, 72, 96)
"""Upper bounds of the classes of duration in 24ths of a quarter."""


def describe(score: Score) -> dict[str, float]:
    """Descriptors of one quantised score with at least one note.

    - `pitch-class entropy`: bits;
    - `scale consistency`: largest share of notes that one major scale contains, 0 to 1;
    - `groove consistency`: mean share of the 16 divisions of a bar that agree with the next bar, 0 to 1;
    - `polyphony`: mean number of sounding notes while any sounds;
    - `notes a quarter`: notes divided by quarters;
    - `pitch range`, `mean step`: semitones;
    - `self-similarity`: share of bars whose rhythm occurs elsewhere in the piece, 0 to 1.
    """
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
    """Shares of melodic intervals from -12 to 12 semitones, wider ones in the end classes, shape (25,)."""
    steps = np.concatenate([np.zeros(0), *(_steps(s) for s in scores)]).astype(np.int64)
    counts = np.bincount(np.clip(steps, -INTERVALS, INTERVALS) + INTERVALS, minlength=2 * INTERVALS + 1)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


def durations(scores: Sequence[Score]) -> NDArray[np.float64]:
    """Shares of the classes of duration, the last without upper bound, shape (len(DURATIONS) + 1,)."""
    found = [s.duration * 24 // s.ticks_per_quarter for s in scores]
    classes = np.searchsorted(DURATIONS, np.concatenate(found))
    counts = np.bincount(classes, minlength=len(DURATIONS) + 1)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


def overlaps(ours: Sequence[Score], theirs: Sequence[Score]) -> dict[str, float]:
    """Overlapping area of the distributions of each descriptor in two collections, 0 (none) to 1 (equal)."""
    left, right = ([describe(s) for s in scores] for scores in (ours, theirs))
    found = {name: overlap(_column(left, name), _column(right, name)) for name in left[0]}
    found["interval histogram"] = float(np.minimum(intervals(ours), intervals(theirs)).sum())
    found["duration histogram"] = float(np.minimum(durations(ours), durations(theirs)).sum())
    return found


def overlap(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Overlapping area of the kernel densities of two samples, 0 to 1.

    A constant sample has no density; histograms with common bins replace both then.

    Args:
        left: one value a piece, shape (n,).
        right: one value a piece, shape (m,).
    """
    both = np.concatenate([left, right])
    if np.ptp(left) < 1e-9 or np.ptp(right) < 1e-9:
        edges = np.histogram_bin_edges(both, 20)
        a, b = (np.histogram(x, edges)[0] / len(x) for x in (left, right))
        return float(np.minimum(a, b).sum())
    # Wide enough for the tails of both densities.
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
    """Whether each division of each bar has an onset, shape (bars, 16)."""
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    shifted = score.onset + ((length - score.upbeat_ticks) if score.upbeat_ticks else 0)
    grid = np.zeros((int(shifted.max()) // length + 1, _PLACES))
    grid[shifted // length, shifted % length * _PLACES // length] = 1.0
    return grid


def _sounding(score: Score) -> NDArray[np.int64]:
    """Number of sounding notes at each tick, shape (n_ticks + 1,)."""
    change = np.zeros(score.end_ticks + 1, dtype=np.int64)
    np.add.at(change, score.onset, 1)
    np.add.at(change, np.minimum(score.onset + score.duration, score.end_ticks), -1)
    return np.cumsum(change)


def _self_similarity(bars: NDArray[np.float64]) -> float:
    """Share of bars whose pattern of onsets occurs in another bar too."""
    if len(bars) < 2:
        return 0.0
    _, inverse, counts = np.unique(bars, axis=0, return_inverse=True, return_counts=True)
    return float((counts[inverse.ravel()] > 1).mean())
