"""Degenerate logs with defined behaviour."""

from __future__ import annotations

import time

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.blend.recommender import BlendSpec
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker

N = 60
ITEMS = IdMap(f"i{i}" for i in range(N))
INFOS = [ItemInfo(f"Song {i}", "", f"Band {i % 9}", {"style": "ab"[i % 2]}) for i in range(N)]
VECTORS = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


def log_of(listener: np.ndarray, item: np.ndarray, n_listeners: int, time: np.ndarray) -> Interactions:
    n = len(item)
    return Interactions(
        listener.astype(np.int32), item.astype(np.int32), np.full(n, Kind.PLAY, np.uint8),
        np.full(n, np.nan, np.float32), time.astype(np.int64),
        IdMap(f"l{i}" for i in range(n_listeners)), ITEMS,
    )  # fmt: skip


def fitted(log: Interactions, vectors: np.ndarray | None = VECTORS, blend: BlendSpec | None = None) -> Ranker:
    return Ranker.fit(log, vectors, INFOS, np.random.default_rng(0), blend=blend)


def some_plays(n_listeners: int = 40, per_listener: int = 12) -> Interactions:
    rng = np.random.default_rng(1)
    n = n_listeners * per_listener
    item = rng.integers(0, N - 5, n)  # the last five have no listeners
    return log_of(
        np.repeat(np.arange(n_listeners), per_listener), item, n_listeners, rng.integers(1, 10**6, n)
    )


def test_a_log_without_events_gives_lists_from_the_catalogue_and_says_so() -> None:
    ranker = fitted(Interactions.empty(ITEMS))
    found = ranker.recommend(History.empty(), 10)
    assert len({one.id for one in found}) == 10
    assert {one.fallback for one in found} == {"no usable history yet: chosen by popularity"}
    assert {one.reasons[0].text for one in found} == {"no listeners yet"}
    liked = ranker.recommend(History(np.array([3]), np.ones(1)), 5)
    assert len(liked) == 5
    assert "i3" not in {one.id for one in liked}
    assert all("Song 3" in one.reasons[0].text for one in liked), "by its sound"


def test_a_listener_without_history_gets_popular_pieces() -> None:
    ranker = fitted(some_plays(), blend=BlendSpec())
    found = ranker.recommend(History.empty(), 5)
    counts = [int(ranker.blend.popular.counts[ranker.items.row(one.id)]) for one in found]
    assert counts[0] == ranker.blend.popular.counts.max()
    assert found[0].reasons[0].text == f"heard by {counts[0]} of 40 listeners"
    assert found[0].propensity == 1.0


def test_items_without_listeners_are_recommended_by_content() -> None:
    ranker = fitted(some_plays(), blend=BlendSpec())
    history = History(np.array([1, 2]), np.ones(2))
    assert np.isfinite(ranker.score([history])).all()
    everything = {one.id: one for one in ranker.recommend(history, N)}
    assert {f"i{i}" for i in range(N - 5, N)} <= set(everything), "everything has its place"
    assert everything["i59"].fallback == "no common listeners with the history yet: chosen by sound alone"
    assert everything["i59"].reasons


def test_when_all_interactions_are_equal_there_is_nothing_to_learn_and_nothing_breaks() -> None:
    n = 20
    everybody_everything = log_of(np.repeat(np.arange(n), N), np.tile(np.arange(N), n), n, np.full(n * N, 7))
    ranker = fitted(everybody_everything)
    found = ranker.recommend(History(np.arange(10), np.ones(10)), 8)
    assert len(found) == 8
    assert all(np.isfinite(one.score) and one.reasons for one in found)
    assert fitted(everybody_everything).recommend(History(np.arange(N), np.ones(N)), 8) == [], "all is heard"


def test_a_service_that_knows_plays_alone_needs_neither_ratings_nor_sound() -> None:
    for vectors in (None, np.full((N, 5), np.nan, np.float32), np.zeros((N, 0), np.float32)):
        ranker = fitted(some_plays(), vectors)
        found = ranker.recommend(History(np.array([0, 4, 9]), np.ones(3)), 10)
        assert len(found) == 10
        assert all(one.reasons for one in found)


@pytest.mark.parametrize(("kind", "value"), [(3, 0.5), (3, 5.5), (3, np.nan), (0, 1.5), (0, -0.1), (4, 1.0)])
def test_values_out_of_range_are_refused_before_anything_is_learnt(kind: int, value: float) -> None:
    with pytest.raises(InputError, match="allowed: "):
        Interactions.from_ids(["l"], ["i0"], [kind], [value], [5], items=ITEMS)


def test_one_listener_with_a_million_plays_weighs_no_more_than_one_listener() -> None:
    rng = np.random.default_rng(2)
    few = some_plays()
    million = 1_000_000
    fan = rng.integers(0, 10, million)  # the same ten songs
    log = log_of(
        np.concatenate([few.listener, np.full(million, 40)]), np.concatenate([few.item, fan]), 41,
        np.concatenate([few.time, rng.integers(1, 10**6, million)]),
    )  # fmt: skip
    started = time.process_time()
    ranker = fitted(log, blend=BlendSpec())
    history = log.history(40)
    found = ranker.recommend(history, 10)
    assert time.process_time() - started < 20
    assert len(history) == 10
    assert history.weights.max() < 20, (
        "logarithms: a hundred thousand plays of a song are no hundred thousand"
    )
    assert not {one.id for one in found} & {f"i{i}" for i in range(10)}
    before = fitted(few, blend=BlendSpec())
    grown = ranker.blend.popular.counts - before.blend.popular.counts
    assert grown.tolist() == [1] * 10 + [0] * (N - 10)
