from __future__ import annotations

import json

import numpy as np
import pytest

from troubadour.core.errors import InputError, NotFoundError
from troubadour.interactions.events import History, Interactions, Kind, ListenerEvents
from troubadour.interactions.id_map import IdMap
from troubadour.interactions.simulate import SimulationSpec, simulate_with_truth
from troubadour.recommenders.blend.recommender import BlendSpec, PartSpec
from troubadour.recommenders.evaluation.evaluate import discovery_cases, evaluate, interval
from troubadour.recommenders.evaluation.split import split_by_share
from troubadour.recommenders.scorers.popular import PopularRecommender
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.recommenders.slate.rerank import CatalogueView, RankSpec, Scored, rerank

STYLES = ("jig", "reel", "air", "chorale")
N = 300


def described(i: int) -> dict[str, float | str]:
    rng = np.random.default_rng(i)
    return {
        "style": STYLES[i % 4], "metre": ("6/8", "2/2", "3/4", "4/4")[i % 4],
        "mode": ("major", "minor")[int(rng.integers(2))], "tempo_bpm": float(rng.uniform(60, 200)),
        "notes_per_bar": float(rng.uniform(3, 9)), "range_semitones": float(rng.uniform(8, 24)),
        "mean_pitch": float(rng.uniform(60, 76)), "tonic": "D",
    }  # fmt: skip


def vector(values: dict[str, float | str]) -> np.ndarray:
    middle = {
        "tempo_bpm": (130, 70),
        "notes_per_bar": (6, 3),
        "range_semitones": (16, 8),
        "mean_pitch": (68, 8),
    }
    rest = [(float(values[k]) - centre) / width for k, (centre, width) in middle.items()]
    return np.array([*(float(values["style"] == s) for s in STYLES), *rest], dtype=np.float32)


@pytest.fixture(scope="module")
def world():
    ids = [f"p{i}" for i in range(N)]
    attributes = [described(i) for i in range(N)]
    made, truth = simulate_with_truth(
        ids, attributes, np.random.default_rng(5), SimulationSpec(listeners=120, events=60)
    )
    infos = [ItemInfo(f"Tune {i}", f"w{i // 2}", f"book {i % 3}", attributes[i]) for i in range(N)]
    vectors = np.stack([vector(a) for a in attributes])
    return made.interactions, vectors, infos, truth


@pytest.fixture(scope="module")
def ranker(world) -> Ranker:
    log, vectors, infos, _ = world
    return Ranker.fit(log, vectors, infos, np.random.default_rng(1))


def test_it_beats_popularity_on_plays_it_has_not_seen(world) -> None:
    log, vectors, infos, _ = world
    split = split_by_share(log, 0.2)
    fitted = Ranker.fit(split.train, vectors, infos, np.random.default_rng(1))
    cases = discovery_cases(split)
    ours = evaluate(fitted, cases, 20, np.random.default_rng(0))
    popular = evaluate(PopularRecommender().fit(split.train), cases, 20, np.random.default_rng(0))
    mine, theirs = (interval(e.ndcg, np.random.default_rng(0)) for e in (ours, popular))
    assert mine.low > theirs.high, f"{mine} against {theirs}"


def test_an_event_in_the_future_changes_no_score(world) -> None:
    log, vectors, infos, _ = world
    split = split_by_share(log, 0.2)
    last = int(split.test.time.max())
    planted = Interactions(
        np.append(log.listener, 0).astype(np.int32), np.append(log.item, 7).astype(np.int32),
        np.append(log.kind, Kind.LIKE).astype(np.uint8), np.append(log.value, np.nan).astype(np.float32),
        np.append(log.time, last + 10), log.listeners, log.items,
    )  # fmt: skip
    cut = int(split.test.time.min())
    before = Ranker.fit(log.before(cut), vectors, infos, np.random.default_rng(1))
    after = Ranker.fit(planted.before(cut), vectors, infos, np.random.default_rng(1))
    history = log.before(cut).history(0)
    np.testing.assert_array_equal(before.score([history]), after.score([history]))


def test_lists_exclude_the_history_and_have_one_item_per_work_with_a_reason(ranker: Ranker, world) -> None:
    log, _, infos, _ = world
    for listener in range(10):
        history = log.history(listener, ranker.weights)
        found = ranker.recommend(history, 20)
        rows = [ranker.items.row(f.id) for f in found]
        assert len(set(rows)) == 20
        assert not set(rows) & set(history.items.tolist())
        works = [infos[r].work for r in rows]
        assert len(set(works)) == 20
        assert all(f.reasons and f.reasons[0].text for f in found)


def test_a_new_listener_gets_popular_items_with_a_fallback(ranker: Ranker) -> None:
    found = ranker.recommend(History.empty(), 10)
    assert len(found) == 10
    assert all("popularity" in f.fallback for f in found)
    assert all(f.reasons[0].model == "popularity" for f in found)


def test_one_like_is_enough_for_a_taste(ranker: Ranker) -> None:
    like = np.array([Kind.LIKE], dtype=np.uint8)
    events = ListenerEvents(
        ("p0",), np.zeros(1, np.int32), like, np.full(1, np.nan, np.float32), np.ones(1, np.int64)
    )
    history = ranker.history(events)
    styles = [ranker.infos[ranker.items.row(f.id)].attributes["style"] for f in ranker.recommend(history, 12)]
    assert styles.count("jig") >= 6


def test_a_new_piece_can_be_recommended_at_once(ranker: Ranker, world) -> None:
    _, _, _, truth = world
    jig_lover = next(i for i, s in enumerate(truth.favourite_style) if s == "jig")
    history = world[0].history(jig_lover, ranker.weights)
    new = {**described(0), "style": "jig"}
    grown = ranker.with_items(
        ["fresh"], vector(new)[None], [ItemInfo("Fresh", "fresh", "us", new, generated=True)]
    )
    found = {f.id: f for f in grown.recommend(history, 40)}
    assert "fresh" in found
    assert found["fresh"].generated
    assert "fresh" not in ranker.items, "the ranker itself does not change"


def test_a_stored_ranker_gives_equal_lists(ranker: Ranker, world) -> None:
    spec, arrays = ranker.state()
    again = Ranker.from_state(json.loads(json.dumps(spec)), arrays)
    history = world[0].history(3, ranker.weights)
    assert [(f.id, f.score) for f in again.recommend(history, 10)] == [
        (f.id, f.score) for f in ranker.recommend(history, 10)
    ]


def test_similar_pieces_are_near_and_not_itself_nor_its_variant(ranker: Ranker) -> None:
    found = ranker.similar("p4", 10)
    assert {"p4", "p5"}.isdisjoint({f.id for f in found})
    assert sum(ranker.infos[ranker.items.row(f.id)].attributes["style"] == "jig" for f in found) >= 8
    with pytest.raises(NotFoundError):
        ranker.similar("nothing")


def test_wrong_requests_are_refused(ranker: Ranker, world) -> None:
    log, vectors, infos, _ = world
    with pytest.raises(InputError, match="n is 0"):
        ranker.recommend(History.empty(), 0)
    with pytest.raises(InputError, match="infos"):
        Ranker.fit(log, vectors, infos[:-1], np.random.default_rng(0))
    with pytest.raises(InputError):
        ranker.with_items(["p1"], vectors[:1], infos[:1])
    assert isinstance(ranker.items, IdMap)


@pytest.mark.parametrize("parts", [("ease", "rp3beta"), ("als", "ease"), ("bpr",)], ids="+".join)
def test_a_forgotten_listener_leaves_no_trace_in_scores_prices_or_lists(
    world, parts: tuple[str, ...]
) -> None:
    log, vectors, infos, _ = world
    spec = BlendSpec((*(PartSpec(name) for name in parts), PartSpec("content", 0.2)))
    gone = 7
    rest = log.where(log.listener != gone)
    fitted, never = (
        Ranker.fit(one, vectors, infos, np.random.default_rng(2), blend=spec) for one in (log, rest)
    )
    forgot = fitted.forget(log.history(gone), rest, vectors, np.random.default_rng(2))
    histories = [*log.histories()[:30], log.history(gone)]
    np.testing.assert_allclose(forgot.score(histories), never.score(histories), rtol=0, atol=1e-8)
    assert np.abs(fitted.score(histories) - never.score(histories)).max() > 1e-4
    np.testing.assert_array_equal(forgot.listener_count, never.listener_count)
    np.testing.assert_allclose(forgot.price, never.price, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(forgot.lists(histories, 10), never.lists(histories, 10))
    with pytest.raises(InputError, match="listener"):
        Ranker.fit(
            rest, vectors, infos, np.random.default_rng(2), blend=BlendSpec((PartSpec("ease"),))
        ).forget(History(np.arange(N), np.full(N, 9.0)), rest, vectors, np.random.default_rng(2))
    with pytest.raises(InputError, match="same catalogue"):
        fitted.forget(log.history(gone), Interactions.empty(), vectors, np.random.default_rng(2))


@pytest.mark.parametrize(("new", "expected"), [(0, 0), (1, 1), (39, 1), (40, 2), (200, 2)])
def test_few_new_pieces_get_few_slots(new: int, expected: int) -> None:
    """Two of 20 slots are reserved; the second requires a pool of 40 rarely played pieces."""
    n = 400
    listener_count = np.where(np.arange(n) >= n - new, 0, 50)
    shelf = CatalogueView([ItemInfo()] * n, np.zeros((n, 0)), listener_count, None)
    scored = Scored(History.empty(), -np.arange(n, dtype=np.float64), np.ones(n, dtype=bool))
    found = rerank(shelf, RankSpec(), scored, 20, np.ones(n, dtype=bool))
    assert [one.row for one in found[: 20 - expected]] == [*range(20 - expected)]
    assert sum(listener_count[one.row] == 0 for one in found) == expected
