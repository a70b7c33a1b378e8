"""What another way of choosing would have earned, estimated from what was shown with known chances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.recommenders.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Places that were filled by chance, and what came of each; all arrays of shape (n,).

    It is taken that what a listener does with a piece depends on the piece and the listener, not on
    what stood beside it. Items that the log's policy never shows cannot be learnt about: where
    the other policy would show them it must be estimated by `predicted_target`, or is missed.

    Raises:
        InputError: lengths differ, or a probability is out of range.
    """

    reward: Floats
    """What came of it, such as 1 for a play and 0 for none."""
    propensity: Floats
    """Probability with which the shown item was chosen for the place, above 0 to 1."""
    target: Floats
    """Probability with which the other policy would choose the same item there, 0 to 1."""
    predicted: Floats | None = None
    """What a model expected of the shown item, for doubly robust estimates."""
    predicted_target: Floats | None = None
    """What the model expects under the other policy: the mean over what it would choose there."""

    def __post_init__(self) -> None:
        columns = (self.reward, self.propensity, self.target, self.predicted, self.predicted_target)
        if len({len(c) for c in columns if c is not None}) != 1 or not len(self.reward):
            raise InputError("reward, propensity and target must have one entry a place, at least one")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise InputError(f"propensity is {self.propensity.min()}; allowed: above 0, up to 1")
        if not ((self.target >= 0) & (self.target <= 1 + 1e-9)).all():
            raise InputError(f"target is {self.target.max()}; allowed: 0 to 1")


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a policy: its mean reward a place."""

    value: Interval
    """With its 95% bootstrap interval over places."""
    effective: float
    """How many places under the other policy's own choice would tell as much (Kish, 1965)."""


def ips(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """Inverse propensity scoring: unbiased, and noisy where policies differ (Horvitz & Thompson, 1952).

    Args:
        cap: largest weight; below infinity less noise for some bias (Bottou et al., JMLR 2013).
    """
    weight = _weights(logged, cap)
    return _estimate(weight * logged.reward, np.ones(len(weight)), weight, rng)


def snips(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """Self-normalised: divided by the mean weight, hardly biased and calmer (Swaminathan & Joachims, 2015)."""
    weight = _weights(logged, cap)
    return _estimate(weight * logged.reward, weight, weight, rng)


def doubly_robust(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """A model's guess, corrected by what it got wrong (Dudík, Langford & Li, ICML 2011).

    Right on average if either the model or the propensities are.

    Raises:
        InputError: the predictions are missing.
    """
    if logged.predicted is None or logged.predicted_target is None:
        raise InputError("doubly robust estimates need predicted and predicted_target; or use ips")
    weight = _weights(logged, cap)
    gained = logged.predicted_target + weight * (logged.reward - logged.predicted)
    return _estimate(gained, np.ones(len(weight)), weight, rng)


def _weights(logged: Logged, cap: float) -> Floats:
    return np.minimum(logged.target / logged.propensity, cap)


def _estimate(
    gained: Floats, over: Floats, weight: Floats, rng: np.random.Generator, n: int = 1000
) -> Estimate:
    if not over.sum():
        raise InputError("the other policy would show none of what was shown; nothing can be told of it")
    means = np.empty(n)
    for i in range(n):
        picks = rng.integers(0, len(gained), len(gained))
        means[i] = gained[picks].sum() / max(over[picks].sum(), 1e-12)
    low, high = np.quantile(means, [0.025, 0.975])
    square = float((weight**2).sum())
    return Estimate(
        Interval(float(gained.sum() / over.sum()), float(low), float(high)),
        float(weight.sum() ** 2 / square) if square else 0.0,
    )
