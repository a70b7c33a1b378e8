"""Off-policy evaluation: value of a target policy from logged choices with known propensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.recommenders.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Logged choices of a stochastic policy with their rewards; all arrays have shape (n,).

    Assumption: the reward depends on item and listener, not on the other items of the list. Items that the
    logging policy never shows have no estimate; `predicted_target` covers them in doubly robust estimates.

    Raises:
        InputError: lengths differ, or a probability is out of range.
    """

    reward: Floats
    """Observed reward, for example 1 for a play and 0 for no play."""
    propensity: Floats
    """Probability with which the logging policy chose the shown item, above 0 to 1."""
    target: Floats
    """Probability with which the target policy chooses the same item, 0 to 1."""
    predicted: Floats | None = None
    """Reward of the shown item predicted by a model, for doubly robust estimates."""
    predicted_target: Floats | None = None
    """Predicted reward under the target policy: the mean over its choices."""

    def __post_init__(self) -> None:
        columns = (self.reward, self.propensity, self.target, self.predicted, self.predicted_target)
        if len({len(c) for c in columns if c is not None}) != 1 or not len(self.reward):
            raise InputError(
                "reward, propensity and target differ in length or are empty; need one entry per position"
            )
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise InputError(f"propensity is {self.propensity.min()}; allowed: above 0, up to 1")
        if not ((self.target >= 0) & (self.target <= 1 + 1e-9)).all():
            raise InputError(f"target is {self.target.max()}; allowed: 0 to 1")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated value of a policy: mean reward per list position."""

    value: Interval
    """Estimate with a 95% bootstrap interval over positions."""
    effective: float
    """Effective sample size, positions (Kish, 1965)."""


def ips(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """Estimates by inverse propensity scoring (Horvitz & Thompson, 1952): unbiased, with high variance.

    Args:
        logged: logged choices.
        rng: source of the bootstrap.
        cap: largest importance weight, above 0; finite values trade variance for bias (Bottou et al.,
            JMLR 2013).

    Raises:
        InputError: the policies have no choice in common.
    """
    weight = _weights(logged, cap)
    return _estimate(weight * logged.reward, np.ones(len(weight)), weight, rng)


def snips(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """Estimates by self-normalised inverse propensity scoring (Swaminathan & Joachims, 2015).

    The estimate is divided by the mean weight: small bias, lower variance. See `ips`.
    """
    weight = _weights(logged, cap)
    return _estimate(weight * logged.reward, weight, weight, rng)


def doubly_robust(logged: Logged, rng: np.random.Generator, *, cap: float = np.inf) -> Estimate:
    """Computes the doubly robust estimate (Dudík, Langford & Li, ICML 2011).

    It is unbiased if either the reward model or the propensities are correct. See `ips`.

    Raises:
        InputError: the predictions are missing, or the policies have no choice in common.
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
        raise InputError(
            "the target policy has probability 0 for every logged choice; log more of its choices"
        )
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
