from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.app.surfaces.forecast import LEAST, METHODS, Method, forecast, mase_at, naive


def test_on_a_planted_trend_it_errs_less_than_naive() -> None:
    rng = np.random.default_rng(0)
    series = np.maximum(10 + 4.0 * np.arange(52) + rng.normal(0, 4, 52), 0)
    found = forecast(series, 4)
    assert found is not None
    assert found.method == "damped trend"
    assert found.mase < 0.7 * found.naive_mase
    assert found.values == pytest.approx(10 + 4 * np.arange(52, 56), abs=12)


def test_where_only_chance_rules_it_says_so() -> None:
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(20):
        found = forecast(np.cumsum(rng.normal(0, 5, 60)) + 200, 4)
        assert found is not None
        gains.append(1 - found.mase / found.naive_mase)
    assert abs(float(np.mean(gains))) < 0.15, "nothing beats naive on a random walk"


def test_noise_about_a_level_is_forecast_by_its_mean() -> None:
    rng = np.random.default_rng(2)
    found = forecast(rng.poisson(40, 60).astype(float), 4)
    assert found is not None
    assert found.method != "naive"
    assert found.mase < found.naive_mase
    assert found.values == pytest.approx(40, abs=8)


def test_its_error_is_that_of_weeks_the_choice_has_not_seen() -> None:
    """The reported error depends only on values after the horizon of the last early origin."""
    rng = np.random.default_rng(4)
    series = rng.poisson(30, 40).astype(float)
    changed = series.copy()
    changed[-3:] += 100
    one, other = forecast(series, 4), forecast(changed, 4)
    assert one is not None
    assert other is not None
    assert one.method == other.method
    assert one.mase < other.mase


def test_naive_is_scaled_to_about_one_on_a_random_walk() -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 1, 400)) + 100
    assert mase_at(walk, list(range(50, 398)), naive, 1).mean() == pytest.approx(1.0, abs=0.15)


def test_too_little_is_not_forecast() -> None:
    assert forecast(np.ones(LEAST - 1)) is None
    short = forecast(np.arange(LEAST, dtype=float), 4)
    assert short is not None
    assert np.isnan(short.mase), "no origin is left to measure on"


@given(st.lists(st.integers(0, 1000), min_size=LEAST, max_size=40), st.integers(1, 26))
def test_whatever_was_played_a_forecast_is_finite_and_not_below_nought(
    plays: list[int], horizon: int
) -> None:
    found = forecast(np.array(plays, dtype=float), horizon)
    assert found is not None
    assert found.values.shape == (horizon,)
    assert np.isfinite(found.values).all()
    assert (found.values >= 0).all()


def test_what_never_changes_goes_on() -> None:
    found = forecast(np.full(30, 7.0), 4)
    assert found is not None
    assert found.values.tolist() == [7.0] * 4
    assert np.isnan(found.mase)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_forecast_knows_nothing_from_its_origin_on(method: Method) -> None:
    rng = np.random.default_rng(6)
    series = rng.poisson(20, 30).astype(float)
    together = method(series, [1, 7, 19, 30], 5)
    for origin, expected in zip([1, 7, 19, 30], together, strict=True):
        np.testing.assert_allclose(method(series[:origin], [origin], 5)[0], expected)
