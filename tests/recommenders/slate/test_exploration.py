from __future__ import annotations

import numpy as np
import pytest

from troubadour.recommenders.slate.exploration import explore, posterior_std, probability_best


def test_probability_best_agrees_with_sampling() -> None:
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(size=12), rng.uniform(0.2, 2.0, 12)
    slate = rng.normal(mean, deviation, size=(200_000, 12)).argmax(axis=1)
    np.testing.assert_allclose(
        probability_best(mean, deviation), np.bincount(slate, minlength=12) / 200_000, atol=0.005
    )


def test_zero_deviation_gives_a_certain_choice() -> None:
    np.testing.assert_allclose(
        probability_best(np.array([0.0, 5.0, 1.0]), np.full(3, 0.1)), [0, 1, 0], atol=1e-9
    )
    np.testing.assert_allclose(probability_best(np.array([3.0]), np.array([1.0])), [1.0])


def test_choice_frequencies_equal_propensities() -> None:
    rows = np.arange(100, 110)
    mean, deviation = np.linspace(1, 0, 10), np.full(10, 0.7)
    counts: dict[int, int] = {}
    known: dict[int, float] = {}
    for seed in range(600):
        slate = explore(rows, mean, deviation, 2, np.random.default_rng(seed))
        assert len({one.row for one in slate}) == 2
        for one in slate:
            counts[one.row] = counts.get(one.row, 0) + 1
            assert known.setdefault(one.row, one.propensity) == one.propensity
    for row, propensity in known.items():
        assert counts[row] / 600 == pytest.approx(propensity, abs=0.07)
    assert sum(known.values()) == pytest.approx(2.0, abs=0.01), "two places are filled"


def test_without_rng_the_best_items_are_taken() -> None:
    slate = explore(np.array([5, 6, 7]), np.array([0.1, 0.9, 0.5]), np.ones(3), 1, None)
    assert slate == [(6, 1.0)]
    assert explore(np.array([], np.int64), np.array([]), np.array([]), 3, None) == []


def test_more_listeners_give_a_smaller_deviation() -> None:
    np.testing.assert_allclose(posterior_std(np.array([0, 3, 99]), 2.0), [2.0, 1.0, 0.2])
