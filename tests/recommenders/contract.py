"""Contract of every registered recommender, plugins included; run by test_contract.py.

Tests of a plugin can run it by `from contract import *` beside a fixture `make`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions, Kind, Weights
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import Additive, FitOptions, Persistent, Unlearning

LISTENERS, ITEMS = 24, 16
UNPLAYED = ITEMS  # one more item, without listeners
Make = Callable[[], Any]


def log_of(
    cells: list[tuple[int, int, float]], items: int = ITEMS + 1, listeners: int = LISTENERS
) -> Interactions:
    """Ratings as the common input of rating and play models: 5 has weight 1, 1 has weight -1."""
    return Interactions(
        np.array([c[0] for c in cells], dtype=np.int32),
        np.array([c[1] for c in cells], dtype=np.int32),
        np.full(len(cells), Kind.RATING, dtype=np.uint8),
        np.array([c[2] for c in cells], dtype=np.float32),
        np.arange(1, len(cells) + 1),
        IdMap(f"l{i}" for i in range(listeners)),
        IdMap(f"i{i}" for i in range(items)),
    )


def checkerboard() -> Interactions:
    """Even listeners like even items, odd listeners odd items; two of each kind are held out for each."""
    cells = [
        (who, what, 5.0 if (who + what) % 2 == 0 else 1.0)
        for who in range(LISTENERS)
        for what in range(ITEMS)
        if (what - who) % ITEMS not in (0, 1, 8, 9)
    ]
    order = np.random.default_rng(3).permutation(len(cells))
    return log_of([cells[i] for i in order])


def options() -> FitOptions:
    """Vectors that separate even from odd items; one item has none."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(0, 0.1, (ITEMS + 1, 3)).astype(np.float32)
    vectors[:, 0] += np.where(np.arange(ITEMS + 1) % 2 == 0, 1.0, -1.0)
    vectors[UNPLAYED] = np.nan
    return FitOptions(Weights(), vectors)


@pytest.fixture(scope="module")
def fitted(make: Make) -> Any:
    return make().fit(checkerboard(), options())


def fresh(parity: int, n: int = 5) -> History:
    return History(np.arange(n) * 2 + parity, np.ones(n))


def test_a_checkerboard_is_completed(fitted: Any, personalised: bool) -> None:
    scores = fitted.score([fresh(0), fresh(1)])
    unmet = np.arange(10, ITEMS)
    even, odd = unmet[unmet % 2 == 0], unmet[unmet % 2 == 1]
    if personalised:
        assert scores[0, even].min() > scores[0, odd].max()
        assert scores[1, odd].min() > scores[1, even].max()
    else:
        np.testing.assert_array_equal(scores[0, unmet], scores[1, unmet])


def test_scores_have_the_requested_shape_and_order(fitted: Any) -> None:
    everything = fitted.score([fresh(0), fresh(1), History.empty()])
    assert everything.shape == (3, ITEMS + 1)
    assert everything.dtype == np.float64
    chosen = np.array([7, 2, 2], dtype=np.int32)
    np.testing.assert_allclose(
        fitted.score([fresh(0), fresh(1), History.empty()], chosen),
        everything[:, chosen],
        rtol=1e-5,
        atol=1e-6,
    )
    assert fitted.score([], chosen).shape == (0, 3)
    assert fitted.score([fresh(0)], chosen[:0]).shape == (1, 0)


def test_an_item_is_either_known_to_all_or_to_none(fitted: Any) -> None:
    scores = fitted.score([fresh(0), fresh(1), History.empty()])
    assert not np.isinf(scores).any()
    known = ~np.isnan(scores)
    assert (known == known[0]).all()
    assert known[0, :ITEMS].all(), "all of these were met, and have vectors"


def test_items_without_listeners_are_unknown_or_last(fitted: Any) -> None:
    row = fitted.score([fresh(0)])[0]
    assert np.isnan(row[UNPLAYED]) or row[UNPLAYED] <= np.nanmin(row)


def test_items_added_after_fitting_are_unknown(fitted: Any) -> None:
    later = np.array([ITEMS + 5, 3], dtype=np.int32)
    row = fitted.score([fresh(0)], later)[0]
    assert np.isnan(row[0])
    assert np.isfinite(row[1])
    old = fresh(0)
    grown = History(np.append(old.items, ITEMS + 5), np.append(old.weights, 1.0))
    np.testing.assert_allclose(fitted.score([grown]), fitted.score([old]), rtol=1e-12)


def test_negative_rows_are_refused(fitted: Any) -> None:
    with pytest.raises(InputError, match="-1"):
        fitted.score([fresh(0)], np.array([-1], dtype=np.int32))


def test_scores_depend_on_the_history_only(fitted: Any) -> None:
    alone = fitted.score([fresh(0)])
    among = fitted.score([fresh(1), fresh(0), History.empty()])
    np.testing.assert_allclose(among[1], alone[0], rtol=1e-5, atol=1e-6)


def test_a_new_listener_gets_scores(fitted: Any) -> None:
    row = fitted.score([History.empty()])[0]
    assert np.isfinite(row[:ITEMS]).all()


def test_negative_weights_do_not_raise_scores(fitted: Any, personalised: bool) -> None:
    against = History(fresh(0).items, -fresh(0).weights)
    scores = fitted.score([fresh(0), against, History.empty()])
    assert np.isfinite(scores[:, :ITEMS]).all()
    if personalised:
        even = np.arange(10, ITEMS, 2)
        gap = scores[:, even].mean(axis=1) - scores[:, even + 1].mean(axis=1)
        assert gap[1] <= gap[2] + 1e-9 < gap[0]


def test_fitting_changes_neither_the_recommender_nor_the_log(make: Make) -> None:
    model, log = make(), checkerboard()
    before = [column.copy() for column in (log.listener, log.item, log.value, log.time)]
    model.fit(log, options())
    with pytest.raises(ModelError, match="fit"):
        model.score([fresh(0)])
    for was, column in zip(before, (log.listener, log.item, log.value, log.time), strict=True):
        np.testing.assert_array_equal(was, column)


def test_the_same_log_gives_the_same_scores(make: Make, fitted: Any) -> None:
    again = make().fit(checkerboard(), options())
    histories = [fresh(0), fresh(1), History.empty()]
    np.testing.assert_array_equal(again.score(histories), fitted.score(histories))


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [(0, 3, 5.0)],
        [(0, 3, 5.0), (0, 4, 5.0), (0, 5, 1.0)],
        [(0, 3, 1.0), (1, 3, 1.0)],
        [(who, what, 5.0) for who in range(4) for what in range(4)],
    ],
    ids=["empty log", "one event", "one listener", "nothing but dislikes", "all equal"],
)
def test_small_logs_do_not_fail(make: Make, cells: list[tuple[int, int, float]]) -> None:
    model = make().fit(log_of(cells), options())
    met = History(np.array([3]), np.array([1.0]))
    scores = model.score([met, History.empty()])
    assert scores.shape == (2, ITEMS + 1)
    assert not np.isinf(scores).any()


def test_equal_items_score_alike(make: Make, fair: bool) -> None:
    model = make().fit(log_of([(who, what, 5.0) for who in range(6) for what in range(6)]), options())
    row = model.score([History(np.array([0, 1]), np.ones(2))])[0, 2:6]
    assert not fair or np.allclose(row, row[0], rtol=1e-5)


def test_an_empty_catalogue_does_not_fail(make: Make) -> None:
    nothing = log_of([], items=0, listeners=0)
    model = make().fit(nothing, FitOptions(Weights(), np.zeros((0, 3), dtype=np.float32)))
    assert model.score([History.empty()]).shape == (1, 0)


def test_a_stored_recommender_gives_equal_scores(fitted: Any) -> None:
    assert isinstance(fitted, Persistent)
    spec, arrays = fitted.state()
    assert all(array.dtype != object for array in arrays.values())
    again = type(fitted).from_state(json.loads(json.dumps(spec)), {k: a.copy() for k, a in arrays.items()})
    histories = [fresh(0), fresh(1), History.empty()]
    np.testing.assert_array_equal(again.score(histories), fitted.score(histories))


def test_an_incomplete_state_is_refused(fitted: Any) -> None:
    spec, arrays = fitted.state()
    for name in arrays:
        with pytest.raises(ModelError):
            type(fitted).from_state(spec, {k: a for k, a in arrays.items() if k != name})


def test_contributions_sum_to_the_score_and_removal_changes_it(fitted: Any) -> None:
    if not isinstance(fitted, Additive):
        pytest.skip("its score is no sum over the history")
    history = History(np.array([0, 2, 4, 9, ITEMS + 5]), np.array([1.0, 2.0, 0.5, -0.25, 1.0]))
    for item in (6, 7, 12, 4):
        parts = fitted.contributions(history, item)
        score = fitted.score([history])[0, item]
        assert parts.shape == (len(history),)
        assert parts.sum() == pytest.approx(score, abs=1e-6)
    assert np.isnan(fitted.contributions(history, ITEMS + 5)).all()


def test_removing_a_play_changes_the_score_by_its_term(fitted: Any, linear: bool) -> None:
    if not (isinstance(fitted, Additive) and linear):
        pytest.skip("its score is not linear in the history")
    history = History(np.array([0, 2, 4, 9]), np.array([1.0, 2.0, 0.5, -0.25]))
    row = fitted.score([history])[0]
    for item in (6, 7, 12):
        parts = fitted.contributions(history, item)
        for gone, part in zip(history.items.tolist(), parts.tolist(), strict=True):
            without = fitted.score([history.without(gone)])[0]
            assert row[item] - without[item] == pytest.approx(part, abs=1e-6)


def test_a_forgotten_listener_leaves_no_trace(make: Make, fitted: Any) -> None:
    if not isinstance(fitted, Unlearning):
        pytest.skip("it has to be fitted again")
    log = checkerboard()
    for gone in (0, 5):
        less = make().fit(log.where(log.listener != gone), options())
        forgot = fitted.forget(log.history(gone))
        histories = [fresh(0), fresh(1), log.history(gone), History.empty()]
        np.testing.assert_allclose(forgot.score(histories), less.score(histories), rtol=0, atol=1e-8)


def test_all_can_be_forgotten_one_after_the_other(make: Make) -> None:
    log = checkerboard()
    model = make().fit(log, options())
    if not isinstance(model, Unlearning):
        pytest.skip("it has to be fitted again")
    for gone in range(LISTENERS - 2):
        model = model.forget(log.history(gone))
    less = make().fit(log.where(log.listener >= LISTENERS - 2), options())
    histories = [fresh(0), fresh(1), History.empty()]
    np.testing.assert_allclose(model.score(histories), less.score(histories), rtol=0, atol=1e-8)
    for gone in range(LISTENERS - 2, LISTENERS):
        model = model.forget(log.history(gone))
    nothing = make().fit(log.where(log.listener < 0), options())
    np.testing.assert_allclose(model.score(histories), nothing.score(histories), rtol=0, atol=1e-8)


def test_forgetting_an_unknown_history_is_refused(fitted: Any) -> None:
    if not isinstance(fitted, Unlearning):
        pytest.skip("it has to be fitted again")
    few = type(fitted)().fit(log_of([(0, 1, 5.0), (0, 2, 5.0), (1, 2, 5.0), (1, 3, 5.0)]), options())
    with pytest.raises(InputError, match="listener"):
        few.forget(History(np.array([5, 6]), np.ones(2)))


def test_too_little_memory_is_refused_with_advice(make: Make) -> None:
    spec = getattr(make(), "spec", None)
    if "memory_bytes" not in {f.name for f in dataclasses.fields(spec or Weights())}:
        pytest.skip("what it keeps is no larger than what it is given")
    small = type(make())(dataclasses.replace(spec, memory_bytes=1))
    with pytest.raises(InputError, match=r"memory_bytes .* or .*"):
        small.fit(checkerboard(), options())
