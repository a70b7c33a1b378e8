from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions, Kind, Weights
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.scorers.ratings import RatingsRecommender, RatingsSpec, ratings_only


def planted(
    rank: int, seed: int = 0, listeners: int = 150, items: int = 80
) -> tuple[Interactions, Interactions]:
    """Ratings from biases and a few latent dimensions with noise 0.2; 80% are the training part."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (listeners, rank)) @ rng.normal(0, 1, (rank, items)) * 0.6
    truth = 3.0 + rng.normal(0, 0.3, (listeners, 1)) + rng.normal(0, 0.3, items) + taste
    seen = rng.random(truth.shape) < 0.5
    who, what = np.nonzero(seen)
    value = np.clip(truth + rng.normal(0, 0.2, truth.shape), 1, 5)[seen].astype(np.float32)
    log = Interactions(
        who.astype(np.int32), what.astype(np.int32), np.full(len(who), Kind.RATING, np.uint8), value,
        rng.permutation(len(who)) + 1, IdMap(map(str, range(listeners))), IdMap(map(str, range(items))),
    )  # fmt: skip
    cut = int(len(log) * 0.8)
    return log.where(slice(0, cut)), log.where(slice(cut, None))


def test_planted_directions_are_found() -> None:
    train, test = planted(2)
    biases = RatingsRecommender(RatingsSpec(factors=0)).fit(train).errors(train, test)
    factors = RatingsRecommender(RatingsSpec(factors=4)).fit(train).errors(train, test)
    assert factors.rmse < 0.55 * biases.rmse
    assert factors.mae < 0.55 * biases.mae
    assert factors.rmse < 0.4, "noise alone is .2"


def test_without_any_direction_biases_are_enough() -> None:
    train, test = planted(0)
    biases = RatingsRecommender(RatingsSpec(factors=0)).fit(train).errors(train, test)
    factors = RatingsRecommender(RatingsSpec(factors=4)).fit(train).errors(train, test)
    assert biases.rmse < 0.25
    assert factors.rmse < biases.rmse + 0.05


def test_only_ratings_are_learnt_from_and_the_latest_counts() -> None:
    def log(*events: tuple[Kind, float]) -> Interactions:
        n = len(events)
        return Interactions(
            np.zeros(n, np.int32), np.zeros(n, np.int32), np.array([k for k, _ in events], np.uint8),
            np.array([v for _, v in events], np.float32), np.arange(1, n + 1), IdMap("a"), IdMap("x"),
        )  # fmt: skip

    spec = RatingsSpec(factors=0, bias_regularisation=0)
    latest = RatingsRecommender(spec).fit(log((Kind.RATING, 1), (Kind.PLAY, 1), (Kind.RATING, 4)))
    history = ratings_only(log((Kind.RATING, 4))).history(0)
    assert latest.score([history])[0, 0] == pytest.approx(4.0)
    assert np.isnan(RatingsRecommender(spec).fit(log((Kind.PLAY, 1))).score([history])[0, 0])


def test_a_weight_for_ratings_changes_no_prediction() -> None:
    train, test = planted(2, listeners=40)
    for weight in (1.0, 0.5):
        weights = Weights(rating=weight)
        model = RatingsRecommender().fit(train, FitOptions(weights))
        found = model.score(train.histories(weights=weights))
        if weight == 1.0:
            first = found
    np.testing.assert_allclose(found, first, atol=1e-9)
    assert np.isfinite(model.errors(train, test).rmse)
    with pytest.raises(InputError, match="rating is 0"):
        RatingsRecommender().fit(train, FitOptions(Weights(rating=0.0)))


def test_errors_need_ratings() -> None:
    train, test = planted(2, listeners=10)
    with pytest.raises(InputError, match="no ratings"):
        RatingsRecommender().fit(train).errors(train, test.where(slice(0, 0)))
