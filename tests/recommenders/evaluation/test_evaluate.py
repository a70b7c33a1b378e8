from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from troubadour.core import registry
from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.evaluation.bootstrap import compare, interval
from troubadour.recommenders.evaluation.evaluate import PER_LISTENER, evaluate, evaluate_lists
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet, discovery_cases, next_play_cases
from troubadour.recommenders.evaluation.split import split_at, split_by_share


@dataclass(frozen=True)
class Fixed:
    """Scores that are independent of the history."""

    values: np.ndarray

    def score(self, histories: Sequence[History], items: Any = None) -> np.ndarray:
        return np.tile(self.values[items], (len(histories), 1))


def cases(n_items: int, relevant: list[list[int]], hidden: list[list[int]]) -> EvaluationSet:
    as_rows = [tuple(np.array(rows, np.int32) for rows in column) for column in (relevant, hidden)]
    return EvaluationSet(tuple(History.empty() for _ in relevant), *as_rows, n_items)


def test_the_whole_catalogue_except_hidden_items_is_ranked() -> None:
    some = cases(5, [[1], [2, 4]], [[4], []])
    found = evaluate(Fixed(np.array([0.0, 3, 2, np.nan, 9])), some, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(found.lists, [[1, 2], [4, 1]])
    np.testing.assert_allclose(found.recall, [1.0, 0.5])
    np.testing.assert_allclose(found.reciprocal_rank, [1.0, 1.0])
    assert found.coverage == 3 / 5


def test_items_without_a_score_are_not_recommended() -> None:
    found = evaluate(Fixed(np.array([np.nan, 1.0])), cases(2, [[0]], [[1]]), 5, np.random.default_rng(0))
    np.testing.assert_array_equal(found.lists, [[-1, -1]])
    assert found.recall[0] == 0


def test_constant_scores_gain_nothing_from_the_order_of_rows() -> None:
    # All of a popular head comes first among the rows; equal scores must not rank it first.
    some = cases(1000, [[i] for i in range(100)], [[]] * 100)
    found = [
        evaluate(Fixed(np.zeros(1000)), some, 20, np.random.default_rng(seed)).recall.mean()
        for seed in range(30)
    ]
    assert np.mean(found) == pytest.approx(0.02, abs=0.01)


def test_final_lists_are_evaluated_unchanged() -> None:
    some = cases(4, [[2]], [[0]])
    assert evaluate_lists(np.array([[1, 2]]), some).reciprocal_rank[0] == 0.5
    with pytest.raises(InputError, match="2 lists for 1 cases"):
        evaluate_lists(np.zeros((2, 2), np.int64), some)
    with pytest.raises(InputError, match="k is 0"):
        evaluate(Fixed(np.zeros(4)), some, 0, np.random.default_rng(0))


def test_discoveries_are_new_and_welcome(make_plays) -> None:
    log = make_plays(
        [(0, 0, 1), (0, 1, 2), (0, 1, 11), (0, 2, 12), (0, 3, 13), (1, 0, 12)], 2, 4,
        [Kind.PLAY, Kind.PLAY, Kind.PLAY, Kind.LIKE, Kind.SKIP, Kind.PLAY],
    )  # fmt: skip
    found = discovery_cases(split_at(log, 10))
    assert len(found) == 1, "the second listener has no past"
    assert found.relevant[0].tolist() == [2], "1 was heard before and 3 was skipped"
    assert found.hidden[0].tolist() == [0, 1]


def test_the_next_play_may_be_a_repeat(make_plays) -> None:
    log = make_plays(
        [(0, 0, 1), (1, 0, 2), (0, 3, 11), (0, 0, 12), (1, 2, 13), (1, 0, 14)], 2, 4,
        [Kind.PLAY, Kind.PLAY, Kind.SKIP, Kind.PLAY, Kind.PLAY, Kind.PLAY],
    )  # fmt: skip
    found, repeats = next_play_cases(split_at(log, 10))
    assert [r.tolist() for r in found.relevant] == [[0], [2]], "a skipped piece is not the next play"
    assert repeats.tolist() == [True, False]
    assert all(len(h) == 0 for h in found.hidden)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] if n == "sequential" else [])
        for n in registry.names("recommenders")
    ],
)
def test_changing_the_future_changes_no_score(name: str, tribes: Interactions) -> None:
    """Adds a like at the end and permutes held-out events: the fitted model must not change."""
    rng = np.random.default_rng(0)
    # Some ratings too, for models of ratings only.
    kinds, values = tribes.kind.copy(), tribes.value.copy()
    kinds[::3], values[::3] = Kind.RATING, rng.integers(1, 6, len(values[::3]))
    tribes = dataclasses.replace(tribes, kind=kinds, value=values)
    split = split_by_share(tribes, 0.2)
    assert split.time is not None
    future = np.flatnonzero(tribes.time >= split.time)
    item, kind = tribes.item.copy(), tribes.kind.copy()
    item[future] = rng.permutation(item[future])
    kind[future[::2]] = Kind.SKIP
    value = tribes.value.copy()
    value[future[::2]] = np.nan
    columns = {f.name: getattr(tribes, f.name) for f in dataclasses.fields(tribes)}
    columns |= {"item": item, "kind": kind, "value": value}
    planted = {"listener": 0, "item": 59, "kind": Kind.LIKE, "value": np.nan, "time": split.time}
    for key, value in planted.items():
        columns[key] = np.append(columns[key], np.array(value, columns[key].dtype))
    changed = split_at(Interactions(**columns), split.time)
    assert len(changed.test) == len(split.test) + 1

    options = FitOptions(item_vectors=rng.normal(size=(60, 8)).astype(np.float32))
    scores = []
    for log in (split.train, changed.train):
        model = registry.find("recommenders", name)().fit(log, options)
        scores.append(model.score(log.histories()))
    np.testing.assert_array_equal(*scores)
    # Control: the same change in the training part changes scores.
    early = dataclasses.replace(split.train, item=rng.permutation(split.train.item))
    moved = registry.find("recommenders", name)().fit(early, options).score(early.histories())
    assert not np.array_equal(moved, scores[0], equal_nan=True)


def test_every_metric_has_an_interval(tribes: Interactions) -> None:
    split = split_by_share(tribes, 0.2)
    some = discovery_cases(split)
    styles = [f"tribe {i // 15}" for i in range(60)]
    model = registry.find("recommenders", "ease")().fit(split.train)
    found = evaluate(model, some, 10, np.random.default_rng(0), styles=styles).intervals(
        np.random.default_rng(1)
    )
    assert {*found} == {*PER_LISTENER}
    for one in found.values():
        assert one.low <= one.mean <= one.high


def test_intervals_have_the_stated_coverage() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        found = interval(rng.exponential(1.0, 100), rng, n=300)
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_paired_comparison_sees_what_separate_intervals_cannot() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(300)
    other = one - 0.02 + rng.normal(0, 0.05, 300)
    assert interval(one, rng).low < interval(other, rng).high, "the intervals overlap"
    found = compare(one, other, rng)
    assert found.p < 0.01
    assert found.difference.low > 0
    same = compare(one, one + rng.normal(0, 0.1, 300), rng)
    assert same.p > 0.05
    with pytest.raises(InputError, match="one value per listener in both"):
        compare(one, other[:-1], rng)
    with pytest.raises(InputError, match="no value other than NaN"):
        interval(np.array([np.nan]), rng)
