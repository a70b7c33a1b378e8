from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from troubadour.core.errors import InputError, NotFoundError
from troubadour.interactions.events import History, Interactions, Kind, Weights
from troubadour.interactions.id_map import IdMap

CATALOGUE = IdMap(["kesh", "morrisons", "banshee", "aria", "new"])
NAN = float("nan")


def log(*events: tuple[str, str, Kind, float, int]) -> Interactions:
    columns: list[Any] = [list(c) for c in zip(*events, strict=True)] if events else [[]] * 5
    return Interactions.from_ids(*columns, items=CATALOGUE)


@pytest.fixture
def small() -> Interactions:
    return log(
        ("ann", "morrisons", Kind.PLAY, 1.0, 300),
        ("ann", "kesh", Kind.PLAY, 0.5, 100),
        ("bob", "kesh", Kind.SKIP, 0.1, 200),
        ("ann", "kesh", Kind.LIKE, NAN, 400),
        ("bob", "aria", Kind.RATING, 5.0, 500),
        ("bob", "banshee", Kind.PLAY, NAN, 50),
    )


def test_events_are_sorted_by_time_and_cannot_be_written(small: Interactions) -> None:
    assert small.time.tolist() == [50, 100, 200, 300, 400, 500]
    assert small.items.ids_of(small.item) == [
        "banshee", "kesh", "kesh", "morrisons", "kesh", "aria",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="read-only"):
        small.item[0] = 3


def test_the_callers_arrays_stay_theirs() -> None:
    items, weights = np.array([1, 0], np.int32), np.array([1.0, 2.0])
    history = History(items, weights)
    items[0] = 4
    assert history.items.tolist() == [1, 0]


def test_a_cell_adds_up_as_documented(small: Interactions) -> None:
    got = small.to_matrix().toarray()
    assert got.shape == (2, 5)
    ann, bob = small.listeners.row("ann"), small.listeners.row("bob")
    assert got[ann].tolist() == pytest.approx([np.log2(1.5) + 1, 1, 0, 0, 0])
    assert got[bob].tolist() == pytest.approx([-0.25, 0, 1, 1, 0])


def test_repeated_plays_count_less_and_less_and_the_latest_rating_holds() -> None:
    events = [("ann", "kesh", Kind.PLAY, 1.0, t) for t in range(3)]
    events += [("ann", "aria", Kind.RATING, r, t) for r, t in ((5.0, 10), (1.0, 20))]
    events += [("ann", "banshee", Kind.RATING, 3.0, 30)]
    matrix = log(*events).to_matrix()
    assert matrix.toarray()[0].tolist() == pytest.approx([2, 0, 0, -1, 0])
    assert len(matrix.data) == 2  # a rating of 3 has weight 0


def test_weights_are_the_callers_choice(small: Interactions) -> None:
    plays_only = small.to_matrix(Weights(like=0, skip=0, rating=0, unknown_share=0.5))
    ann, bob = small.listeners.row("ann"), small.listeners.row("bob")
    assert plays_only.toarray()[ann].tolist() == pytest.approx([np.log2(1.5), 1, 0, 0, 0])
    assert plays_only.toarray()[bob].tolist() == pytest.approx([0, 0, np.log2(1.5), 0, 0])


def test_cut_in_time_is_a_partition(small: Interactions) -> None:
    for cut in (0, 50, 51, 300, 501):
        before, since = small.before(cut), small.since(cut)
        assert (before.time < cut).all()
        assert (since.time >= cut).all()
        assert len(before) + len(since) == len(small)


def test_restricting_listeners_keeps_rows(small: Interactions) -> None:
    ann = small.of_listeners([small.listeners.row("ann")])
    assert len(ann) == 3
    assert ann.listeners == small.listeners
    assert ann.to_matrix().toarray().shape == (2, 5)


def test_histories_equal_the_matrix_and_follow_the_last_event(small: Interactions) -> None:
    dense = small.to_matrix().toarray()
    for row, history in enumerate(small.histories()):
        again = np.zeros(5)
        again[history.items] = history.weights
        assert again.tolist() == dense[row].tolist()
    ann = small.history(small.listeners.row("ann"))
    assert small.items.ids_of(ann.items) == ["morrisons", "kesh"]  # the like of kesh came last
    ann_row, bob_row = small.listeners.row("ann"), small.listeners.row("bob")
    assert [len(h) for h in small.histories([bob_row, ann_row, bob_row])] == [3, 2, 3]
    assert small.items.ids_of(ann.without(CATALOGUE.row("kesh")).items) == ["morrisons"]


def test_a_history_from_columns_equals_that_of_the_log(small: Interactions) -> None:
    rng = np.random.default_rng(4)
    for row in range(2):
        mine = np.flatnonzero(small.listener == row)
        shuffled = rng.permutation(mine)
        built = History.from_events(
            small.item[shuffled], small.kind[shuffled], small.value[shuffled], small.time[shuffled]
        )
        assert built.items.tolist() == small.history(row).items.tolist()
        assert built.weights.tolist() == small.history(row).weights.tolist()
    assert len(History.from_events([], [], [], [])) == 0
    with pytest.raises(InputError, match="rating"):
        History.from_events([0], [Kind.RATING], [7.0], [1])
    with pytest.raises(InputError, match="2, 1, 1 and 1 entries"):
        History.from_events([0, 1], [Kind.PLAY], [1.0], [1])


def test_the_catalogue_can_grow_but_not_change(small: Interactions) -> None:
    grown = small.with_catalogue(CATALOGUE.extended(["composed just now"]))
    assert grown.to_matrix().shape == (2, 6)
    with pytest.raises(InputError, match="begins with the items of this log"):
        small.with_catalogue(IdMap(["aria", "kesh"]))


def test_an_empty_log_is_fine() -> None:
    nobody = Interactions.empty(CATALOGUE)
    assert nobody.to_matrix().shape == (0, 5)
    assert nobody.histories() == []
    assert len(nobody.before(10)) == 0
    assert len(History.empty()) == 0


def test_a_history_of_a_listener_without_events_is_empty(small: Interactions) -> None:
    assert len(small.before(60).history(small.listeners.row("ann"))) == 0


@pytest.mark.parametrize(
    ("kind", "value", "time", "says"),
    [
        (Kind.PLAY, 1.2, 1, "share heard"),
        (Kind.SKIP, -0.1, 1, "share heard"),
        (Kind.RATING, 0.0, 1, "rating is 0"),
        (Kind.RATING, NAN, 1, "rating is nan"),
        (Kind.PLAY, 1.0, -1, "time has the value -1"),
        (Kind.PLAY, 1.0, 2**41, "time has the value"),
        (7, 1.0, 1, "kind has the value 7"),
        (Kind.PLAY, 1.0, 1.5, "time has the type"),
    ],
)
def test_bad_events_are_refused_by_name(kind: int, value: float, time: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Interactions.from_ids(["ann"], ["kesh"], [kind], [value], [time], items=CATALOGUE)


def test_ids_outside_the_catalogue_are_refused() -> None:
    with pytest.raises(NotFoundError, match="'nowhere'"):
        log(("ann", "nowhere", Kind.PLAY, 1.0, 1))


@pytest.mark.parametrize(
    ("items", "weights"), [([1, 1], [1.0, 1.0]), ([1], [NAN]), ([1, 2], [1.0]), ([-1], [1.0])]
)
def test_bad_histories_are_refused(items: list[int], weights: list[float]) -> None:
    with pytest.raises(InputError):
        History(np.array(items, np.int32), np.array(weights))
