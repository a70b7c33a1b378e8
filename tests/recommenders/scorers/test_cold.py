from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind, Weights
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.scorers.als import AlsSpec
from troubadour.recommenders.scorers.cold import ColdRecommender, ColdSpec
from troubadour.recommenders.scorers.content import ContentRecommender

ITEMS, HEARD, LISTENERS = 120, 90, 80
SPEC = ColdSpec(AlsSpec(factors=8, regularisation=1.0), regularisation=1.0)


def world() -> tuple[Interactions, np.ndarray, np.ndarray]:
    """Six kinds of pieces with noisy vectors; each listener plays one kind; 30 pieces have no listeners."""
    rng = np.random.default_rng(0)
    kind = np.arange(ITEMS) % 6
    vectors = (np.eye(6)[kind] + rng.normal(0, 0.2, (ITEMS, 6))).astype(np.float32)
    who, what = [], []
    for listener in range(LISTENERS):
        liked = np.flatnonzero((kind == listener % 6) & (np.arange(ITEMS) < HEARD))
        for item in rng.choice(liked, 8, replace=False):
            who.append(listener)
            what.append(item)
    n = len(who)
    log = Interactions(
        np.array(who, np.int32), np.array(what, np.int32), np.full(n, Kind.LIKE, np.uint8),
        np.full(n, np.nan, np.float32), np.arange(1, n + 1), IdMap(map(str, range(LISTENERS))),
        IdMap(map(str, range(ITEMS))),
    )  # fmt: skip
    return log, vectors, kind


def test_unheard_pieces_of_the_liked_kind_come_first() -> None:
    log, vectors, kind = world()
    model = ColdRecommender(SPEC).fit(log, FitOptions(Weights(), vectors))
    cold = np.arange(HEARD, ITEMS, dtype=np.int32)
    scores = model.score(log.histories(), cold)
    for listener in range(LISTENERS):
        first = cold[np.argsort(-scores[listener])[:5]]
        assert (kind[first] == listener % 6).all()


def test_a_piece_added_later_is_scored_as_if_it_had_been_there() -> None:
    log, vectors, _ = world()
    model = ColdRecommender(SPEC).fit(log, FitOptions(Weights(), vectors))
    grown = model.extended(vectors[HEARD : HEARD + 2])
    scores = grown.score([log.history(0)])[0]
    assert len(scores) == ITEMS + 2
    np.testing.assert_allclose(scores[ITEMS:], scores[HEARD : HEARD + 2], rtol=1e-5)
    of_new = History(np.array([ITEMS]), np.array([1.0]))
    assert np.isfinite(grown.score([of_new])).all()


def test_items_with_many_listeners_keep_their_als_factors() -> None:
    log, vectors, _ = world()
    wrong = vectors[::-1].copy()
    trusting = ColdRecommender(ColdSpec(SPEC.als, 1.0, support=0.0)).fit(log, FitOptions(Weights(), wrong))
    right = ColdRecommender(ColdSpec(SPEC.als, 1.0, support=0.0)).fit(log, FitOptions(Weights(), vectors))
    np.testing.assert_array_equal(
        trusting._learned.items.vectors[:HEARD], right._learned.items.vectors[:HEARD]
    )


def test_vectors_are_needed() -> None:
    log, vectors, _ = world()
    with pytest.raises(InputError, match="missing"):
        ColdRecommender(SPEC).fit(log)
    with pytest.raises(InputError, match=r"\(5, 6\)"):
        ColdRecommender(SPEC).fit(log, FitOptions(Weights(), vectors[:5]))
    with pytest.raises(InputError, match="need"):
        ColdRecommender(SPEC).fit(log, FitOptions(Weights(), vectors)).extended(np.zeros((1, 9), np.float32))


def test_entries_that_are_not_known_are_neutral() -> None:
    vectors = np.array(
        [[1, 0, np.nan], [-1, 1, np.nan], [np.nan, np.nan, 1], [np.nan, np.nan, -1], [1, 0, 1]],
        dtype=np.float32,
    )
    log = Interactions.from_ids(["a"], ["0"], [int(Kind.LIKE)], [np.nan], [0], items=IdMap("01234"))
    content = ContentRecommender().fit(log, FitOptions(item_vectors=vectors))
    assert content.known.all()
    assert content.similar(0, np.array([2, 3])).tolist() == [0.0, 0.0]
    assert content.similar(0, np.array([4]))[0] > 0.5
    assert content.similar(2, np.array([4]))[0] > 0.3
    wider = np.concatenate([vectors, np.full((5, 40), np.nan, dtype=np.float32)], axis=1)
    same = ContentRecommender().fit(log, FitOptions(item_vectors=wider))
    assert np.allclose(same.units[:, :3], content.units), "entries that nobody has change nothing"
    longer = same.extended(np.array([[1.0, 0.0]], dtype=np.float32))
    assert longer.similar(5, np.array([0]))[0] > 0.9
