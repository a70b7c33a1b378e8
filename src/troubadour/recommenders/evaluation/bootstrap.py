"""Bootstrap confidence intervals over listeners (Efron, 1979), paired for the comparison of models."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

Floats = NDArray[np.float64]
_BLOCK = 100


class Interval(NamedTuple):
    """Mean over listeners with a bootstrap confidence interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Comparison(NamedTuple):
    """Paired comparison of two models on the same listeners."""

    difference: Interval
    """Mean of (one - other) with its interval."""
    p: float
    """Two-sided bootstrap p-value of the hypothesis of no difference."""

    def __str__(self) -> str:
        return f"{self.difference.mean:+.4f} [{self.difference.low:+.4f}, {self.difference.high:+.4f}], p {self.p:.3f}"


def interval(values: Floats, rng: np.random.Generator, *, level: float = 0.95, n: int = 1000) -> Interval:
    """Computes the mean over listeners with a percentile bootstrap interval.

    Args:
        values: one per listener, float64, shape (n_listeners,); NaN entries are ignored.
        rng: source of the resamples.
        level: coverage of the interval, above 0 and below 1.
        n: number of resamples, 1 or more.

    Raises:
        InputError: there is no value other than NaN.
    """
    values = values[~np.isnan(values)]
    means = _resampled(values, rng, n)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def compare(
    one: Floats, other: Floats, rng: np.random.Generator, *, level: float = 0.95, n: int = 2000
) -> Comparison:
    """Compares two models by a paired bootstrap over listeners.

    Args:
        one, other: metric values, float64, shape (n_listeners,), listeners in the same order. Pairs with a
            NaN are ignored.
        rng: source of the resamples.
        level: coverage of the interval, above 0 and below 1.
        n: number of resamples, 1 or more.

    Raises:
        InputError: the shapes differ, or there is no listener.
    """
    if one.shape != other.shape:
        raise InputError(
            f"values have the shapes {one.shape} and {other.shape}; need one value per listener in both"
        )
    differences = one - other
    differences = differences[~np.isnan(differences)]
    means = _resampled(differences, rng, n)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    tail = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return Comparison(
        Interval(float(differences.mean()), float(low), float(high)), min(1.0, max(2 * tail, 1 / n))
    )


def _resampled(values: Floats, rng: np.random.Generator, n: int) -> Floats:
    if not len(values):
        raise InputError("there is no value other than NaN; need the value of at least one listener")
    means = np.empty(n)
    for at in range(0, n, _BLOCK):  # in blocks: n resamples of 100,000 listeners would take a gigabyte
        size = min(_BLOCK, n - at)
        picks = rng.integers(0, len(values), size=(size, len(values)))
        means[at : at + size] = values[picks].mean(axis=1)
    return means
