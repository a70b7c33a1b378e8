"""Off-policy estimates against the true value of a simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.simulate import SimulationSpec, simulate_with_truth
from troubadour.recommenders.evaluation.off_policy import Logged, doubly_robust, ips, snips
from troubadour.recommenders.slate.exploration import probability_best

N = 24
PLACES = 4000


@dataclass(frozen=True)
class World:
    """True rewards and two policies."""

    liked: np.ndarray
    """Probability that a listener likes an item, shape (n_listeners, N)."""
    logging: np.ndarray
    """Probability of each item under the logging policy."""
    target: np.ndarray
    """Probability of each item under the target policy."""
    model: np.ndarray
    """Predictions of an imperfect reward model."""


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    attributes = [
        {"style": ("jig", "reel", "air")[i % 3], "tempo_bpm": float(rng.uniform(60, 200)), "mode": ("major", "minor")[i % 2]}
        for i in range(N)
    ]  # fmt: skip
    _, truth = simulate_with_truth(
        [f"p{i}" for i in range(N)], attributes, rng, SimulationSpec(listeners=100, events=10)
    )
    utility = truth.utility.astype(np.float64)
    poor, good = (utility + rng.normal(0, noise, utility.shape) for noise in (3.0, 0.7))
    return World(
        1 / (1 + np.exp(0.5 - utility)),
        np.stack([probability_best(row / 6, np.ones(N)) for row in poor]),
        np.stack([probability_best(row, np.ones(N)) for row in good]),
        np.clip(0.4 + 0.1 * good, 0, 1),
    )


def logged(world: World, seed: int) -> tuple[Logged, float, float]:
    """Logged choices, the true value of the target policy, and the mean reward of the log."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, len(world.liked), PLACES)
    item = (np.cumsum(world.logging[who], axis=1) > rng.random((PLACES, 1))).argmax(axis=1)
    reward = (rng.random(PLACES) < world.liked[who, item]).astype(float)
    log = Logged(
        reward,
        world.logging[who, item],
        world.target[who, item],
        world.model[who, item],
        (world.target * world.model).sum(axis=1)[who],
    )
    return log, float((world.target * world.liked).sum(axis=1)[who].mean()), float(reward.mean())


@pytest.mark.parametrize("estimator", [ips, snips, doubly_robust])
def test_the_true_value_lies_in_the_interval(estimator, world) -> None:
    inside = 0
    for seed in range(10):
        log, truth, naive = logged(world, seed)
        found = estimator(log, np.random.default_rng(seed)).value
        inside += found.low <= truth <= found.high
        assert abs(found.mean - truth) < abs(naive - truth), "closer than taking the log as it is"
    assert inside >= 8, f"{inside} of 10 intervals hold the truth"


def test_the_logging_policy_has_the_logged_value(world) -> None:
    log, _, naive = logged(world, 0)
    same = Logged(log.reward, log.propensity, log.propensity)
    assert ips(same, np.random.default_rng(0)).value.mean == pytest.approx(naive)
    assert ips(same, np.random.default_rng(0)).effective == pytest.approx(len(log.reward))


def test_a_cap_reduces_variance_and_adds_bias(world) -> None:
    log, _, _ = logged(world, 1)
    free, capped = (ips(log, np.random.default_rng(0), cap=c).value for c in (np.inf, 3.0))
    assert capped.high - capped.low < free.high - free.low
    assert capped.mean < free.mean


def test_impossible_estimates_are_refused() -> None:
    one = np.ones(3)
    with pytest.raises(InputError, match="propensity is 0"):
        Logged(one, one * 0, one)
    with pytest.raises(InputError, match="one entry"):
        Logged(one, one[:2], one)
    with pytest.raises(InputError, match="probability 0 for every logged choice"):
        snips(Logged(one, one, one * 0), np.random.default_rng(0))
    with pytest.raises(InputError, match="predicted"):
        doubly_robust(Logged(one, one, one), np.random.default_rng(0))
