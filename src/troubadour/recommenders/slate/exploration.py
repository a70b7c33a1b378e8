"""Giving new pieces a chance, with the probability of every choice known (Thompson, 1933)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

RARE: Final = 2
"""A piece that at most so many listeners met is hardly known."""
_POINTS: Final = 512


class Draw(NamedTuple):
    """One item that was drawn."""

    row: int
    propensity: float
    """The probability with which it was, given the candidates."""


def posterior_std(heard: NDArray[np.int64], curiosity: float) -> NDArray[np.float64]:
    """Standard deviation of what is believed of each item: the fewer met it, the larger."""
    return np.asarray(curiosity / np.sqrt(1.0 + heard))


def probability_best(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each of some independent normal values to be the largest, sum 1.

    By quadrature, within about 1e-6; costs 512 evaluations a candidate. Shape as `mean`.

    >>> probability_best(np.array([0.0, 0.0]), np.array([1.0, 3.0])).round(6).tolist()
    [0.5, 0.5]
    """
    from scipy.special import log_ndtr

    if len(mean) == 1:
        return np.ones(1)
    deviation = np.maximum(deviation, 1e-6)
    # No value below the greatest lower bound can win.
    low = float((mean - 6 * deviation).max())
    high = float((mean + 6 * deviation).max())
    x = np.linspace(low, high, _POINTS)[:, None]
    z = (x - mean) / deviation
    below = cast("Any", log_ndtr)(z)
    density = np.exp(-0.5 * z**2 - np.log(deviation) + below.sum(axis=1, keepdims=True) - below)
    mass = density.sum(axis=0)
    return np.asarray(mass / mass.sum())


def explore(
    rows: NDArray[np.int64],
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    slots: int,
    rng: np.random.Generator | None,
) -> list[Draw]:
    """Fill some slots by Thompson sampling: each item wins as often as it may well be the best.

    Each slot has candidates of its own (the first, the slots + 1st, ... for the first slot), so that
    the probability of every draw is known exactly: it is drawn by the very probabilities that are
    told. Without `rng` the best of each slot's candidates is taken, with probability 1.

    Args:
        rows: candidates, best first.
        mean: what each is believed to score.
        deviation: how unsure that is, above 0.
        slots: how many to draw.

    Returns:
        Up to `slots` items, none twice.
    """
    drawn: list[Draw] = []
    for slot in range(min(slots, len(rows))):
        mine = slice(slot, None, slots)
        if rng is None:
            drawn.append(Draw(int(rows[mine][np.argmax(mean[mine])]), 1.0))
            continue
        chances = probability_best(mean[mine], deviation[mine])
        picked = int(rng.choice(len(chances), p=chances))
        drawn.append(Draw(int(rows[mine][picked]), float(chances[picked])))
    return drawn
