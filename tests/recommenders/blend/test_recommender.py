from __future__ import annotations

import json

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.blend.combine import FallbackLevel, standardise
from troubadour.recommenders.blend.recommender import BlendRecommender, BlendSpec, PartSpec
from troubadour.recommenders.scorers.ease import EaseRecommender

VECTORS = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
THREE = BlendSpec(
    (PartSpec("rp3beta", 1.0), PartSpec("ease", 0.5, {"regularisation": 50.0}), PartSpec("content", 0.25))
)


@pytest.fixture(scope="module")
def blend(tribes: Interactions) -> BlendRecommender:
    return BlendRecommender(THREE).fit(tribes, FitOptions(item_vectors=VECTORS))


def test_it_is_the_weighted_sum_of_standardised_scores(blend: BlendRecommender, tribes: Interactions) -> None:
    histories = tribes.histories()[:5]
    hidden = np.stack([np.isin(np.arange(60), h.items) for h in histories])
    expected = sum(
        part.weight * standardise(blend.models[part.model].score(histories), hidden).scores
        for part in THREE.parts
    )
    np.testing.assert_allclose(blend.score(histories), expected)
    unheard = np.where(hidden, np.nan, standardise(blend.models["ease"].score(histories), hidden).scores)
    np.testing.assert_allclose(np.nanmean(unheard, axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(np.nanstd(unheard, axis=1), 1)


def test_a_part_has_the_given_options(blend: BlendRecommender) -> None:
    ease = blend.models["ease"]
    assert isinstance(ease, EaseRecommender)
    assert ease.spec.regularisation == 50.0


def test_some_items_score_as_they_do_among_all(blend: BlendRecommender, tribes: Interactions) -> None:
    histories = tribes.histories()[:4]
    rows = np.array([7, 3, 59], np.int32)
    np.testing.assert_array_equal(blend.score(histories, rows), blend.score(histories)[:, rows])


def test_fallback_levels_are_content_then_popularity(tribes: Interactions) -> None:
    grown = (
        BlendRecommender(THREE)
        .fit(tribes, FitOptions(item_vectors=VECTORS))
        .extended(np.stack([VECTORS[0], np.full(6, np.nan, np.float32)]))
    )
    history = History(np.array([0, 1]), np.array([2.0, 1.0]))
    parts = grown.parts([history])
    assert parts.fallback_level[0].tolist() == [FallbackLevel.BLEND] * 60 + [
        FallbackLevel.PARTS,
        FallbackLevel.POPULARITY,
    ]
    assert parts.amounts[2][0, 60] > 0, "it sounds like what they play most"
    assert parts.amounts[0][0, 60] == parts.amounts[1][0, 60] == 0
    assert np.isfinite(parts.total()).all()
    assert parts.total()[0, 61] < np.median(parts.total()[0]), "the unknown stays behind the average"


def test_a_new_listener_gets_popular_items(blend: BlendRecommender) -> None:
    disliking = History(np.array([3]), np.array([-0.25]))
    parts = blend.parts([History.empty(), disliking])
    assert (parts.fallback_level == FallbackLevel.POPULARITY).all()
    counts = blend.popular.counts
    for row in parts.total():
        assert counts[np.argmax(row)] == counts.max()


def test_content_without_a_weight_is_a_substitute(tribes: Interactions) -> None:
    spec = BlendSpec((PartSpec("ease"), PartSpec("content", 0.0)))
    model = BlendRecommender(spec).fit(tribes, FitOptions(item_vectors=VECTORS)).extended(VECTORS[:1])
    parts = model.parts([tribes.history(0)])
    assert not parts.amounts[1][0, :60].any(), "no weight where EASE knows the piece"
    assert parts.amounts[1][0, 60] != 0
    assert parts.fallback_level[0, 60] == FallbackLevel.PARTS


def test_plays_of_items_without_other_listeners_count_by_their_share(tribes: Interactions) -> None:
    """Collaborative parts cannot know the item; content has no weight of its own here."""
    spec = BlendSpec((PartSpec("rp3beta"), PartSpec("content", 0.0)))
    kin = np.stack([VECTORS[40], VECTORS[40] * 2])  # two new pieces that sound like piece 40
    grown = BlendRecommender(spec).fit(tribes, FitOptions(item_vectors=VECTORS)).extended(kin)
    before = History(np.array([0, 1, 2]), np.array([1.0, 1.0, 1.0]))
    after = History(np.array([0, 1, 2, 60]), np.array([1.0, 1.0, 1.0, 1.0]))
    only = History(np.array([60]), np.array([1.0]))
    ranks = [
        int((scores > scores[40]).sum()) for scores in (grown.score([h])[0] for h in (before, after, only))
    ]
    assert ranks[2] <= ranks[1] < ranks[0]
    (share,) = grown._only_content([after])[1]  # type: ignore[index]
    assert share == 0.25
    known = History(np.array([0, 1, 2, 3]), np.ones(4))
    assert grown._only_content([known])[1] == [0.0]  # type: ignore[index]


def test_a_stored_blend_gives_equal_scores(blend: BlendRecommender, tribes: Interactions) -> None:
    spec, arrays = blend.state()
    again = BlendRecommender.from_state(json.loads(json.dumps(spec)), arrays)
    assert again.spec == blend.spec
    np.testing.assert_array_equal(again.score(tribes.histories()), blend.score(tribes.histories()))
    with pytest.raises(ModelError, match="train recommender"):
        BlendRecommender.from_state({"ease": {}, "content": 0.4}, arrays)


def test_a_listener_is_forgotten_by_every_part(tribes: Interactions) -> None:
    spec = BlendSpec((PartSpec("rp3beta"), PartSpec("ease", 0.5), PartSpec("content", 0.1)))
    options = FitOptions(item_vectors=VECTORS)
    full = BlendRecommender(spec).fit(tribes, options)
    left = BlendRecommender(spec).fit(tribes.where(tribes.listener != 7), options)
    forgotten = full.forget(tribes.history(7))
    some = tribes.histories()[:5]
    np.testing.assert_allclose(forgotten.score(some), left.score(some), atol=1e-6)
    assert not np.allclose(full.score(some), left.score(some), atol=1e-6), "they had left a trace"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((PartSpec("ease"), PartSpec("ease")), "once"),
        ((PartSpec("popular"),), "popular"),
        ((PartSpec("ease", 0.0),), "every weight"),
    ],
)
def test_a_blend_without_weights_is_refused(parts: tuple[PartSpec, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BlendSpec(parts)


def test_wrong_options_are_refused(tribes: Interactions) -> None:
    with pytest.raises(InputError, match="ease"):
        BlendRecommender(BlendSpec((PartSpec("ease", 1.0, {"colour": 1}),))).fit(tribes)
    with pytest.raises(InputError, match="weight of ease"):
        PartSpec("ease", -1.0)
