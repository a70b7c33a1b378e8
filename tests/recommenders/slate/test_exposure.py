from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from troubadour.interactions.events import History
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet
from troubadour.recommenders.evaluation.metrics import concentration
from troubadour.recommenders.slate.exposure import STRENGTHS, affordable, caps, prices


def crowded(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of all listeners favour the same few pieces far beyond their share of plays."""
    n = 300
    plays = np.rint(1000 / np.arange(1, n + 1) ** 0.7).astype(np.int64)
    scores = rng.normal(size=(400, n)) + 4.0 * (np.arange(n) < 5) + 1.5 * (np.arange(n) < 30)
    rows = np.argsort(-scores, axis=1)[:, :100]
    return rows, np.take_along_axis(scores, rows, axis=1), plays


def shown(rows: np.ndarray, scores: np.ndarray, price: np.ndarray, k: int = 10) -> np.ndarray:
    best = np.argsort(-(scores - price[rows]), axis=1)[:, :k]
    return np.bincount(np.take_along_axis(rows, best, axis=1).ravel(), minlength=len(price))


def test_the_most_shown_get_no_more_of_the_lists_than_the_most_played_of_the_plays() -> None:
    rows, scores, plays = crowded(np.random.default_rng(0))
    before = concentration(shown(rows, scores, np.zeros(300)))
    price = prices(rows, scores, plays, 10)
    after = concentration(shown(rows, scores, price))
    assert before > concentration(plays) >= after
    assert (price >= 0).all()


def test_items_below_their_cap_have_price_zero() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 300))
    rows = np.argsort(-scores, axis=1)[:, :100]
    plays = np.rint(1000 / np.arange(1, 301) ** 0.7).astype(np.int64)
    price = prices(rows, np.take_along_axis(scores, rows, axis=1), plays, 10)
    assert not price.any()


def test_without_listeners_prices_are_zero() -> None:
    assert not prices(np.zeros((0, 50), np.int64), np.zeros((0, 50)), np.ones(60, np.int64), 20).any()
    assert not prices(np.zeros((3, 5), np.int64), np.zeros((3, 5)), np.ones(60, np.int64), 20).any()


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=400))
def test_lists_that_keep_to_the_caps_are_no_more_concentrated_than_plays(counts: list[int]) -> None:
    plays = np.array(counts)
    allowed = caps(plays)
    head = max(1, int(np.ceil(0.01 * len(plays))))
    if plays.sum() and np.sort(plays)[::-1][head - 1] >= plays.sum() / len(plays):
        assert np.sort(allowed)[::-1][:head].sum() <= concentration(plays) + 1e-9


def test_the_strength_of_prices_is_limited_by_their_loss() -> None:
    """Where the recommended head is relevant, full prices would lower NDCG."""
    rng = np.random.default_rng(0)
    n, people = 300, 400
    plays = np.rint(1000 / np.arange(1, n + 1) ** 0.7).astype(np.int64)
    total = rng.normal(size=(people, n)) + 6.0 * (np.arange(n) < 3)
    histories = tuple(History.empty() for _ in range(people))
    nothing = tuple(np.empty(0, np.int32) for _ in range(people))

    def cases(relevant: list[int]) -> EvaluationSet:
        return EvaluationSet(
            histories, tuple(np.array(relevant, np.int32) for _ in range(people)), nothing, n
        )

    strength, figures = affordable(total, cases([0, 1, 2]), plays)
    assert strength < 1
    assert figures[-1] < 0.97 * figures[0]
    assert figures[STRENGTHS.index(strength)] >= 0.97 * figures[0]
    assert affordable(total, cases([100, 101]), plays)[0] == 1.0, "nobody misses what prices take away"
