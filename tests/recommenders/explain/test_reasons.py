from __future__ import annotations

import numpy as np
import pytest

from troubadour.core import registry
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.blend.recommender import BlendRecommender, BlendSpec, PartSpec
from troubadour.recommenders.explain.reasons import Reason, fallback, reasons
from troubadour.recommenders.slate.item_info import ItemInfo

INFOS = [ItemInfo(f"Tune {i}") for i in range(60)]
VECTORS = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def explained(
    log: Interactions, *parts: PartSpec, vectors: bool = False
) -> tuple[BlendRecommender, list[Reason]]:
    """All reasons for the ten best pieces of a few listeners."""
    model = BlendRecommender(BlendSpec(parts)).fit(log, FitOptions(item_vectors=VECTORS if vectors else None))
    found: list[Reason] = []
    for history in log.histories()[:6]:
        known = model.parts([history])
        total = known.total()[0]
        for item in np.argsort(-total)[:10].tolist():
            some = reasons(model, known, 0, history, item, INFOS)
            for one in some:
                assert one.part == pytest.approx(one.scale * one.score + one.baseline, abs=1e-9)
            found += some
    return model, found


@pytest.mark.parametrize("name", ["ease", "itemknn", "rp3beta"])
def test_contributions_sum_to_the_score_and_removal_has_the_stated_effect(
    name: str, tribes: Interactions
) -> None:
    model = registry.find("recommenders", name)().fit(tribes)
    checked = 0
    for history in tribes.histories()[:10]:
        scores = model.score([history])[0]
        for item in np.argsort(-scores)[:5].tolist():
            amounts = model.contributions(history, item)
            assert amounts.sum() == pytest.approx(scores[item], abs=1e-6)
            for i in np.flatnonzero(amounts)[:3].tolist():
                if history.items[i] == item:
                    continue
                without = model.score([history.without(int(history.items[i]))])[0, item]
                assert without == pytest.approx(scores[item] - amounts[i], abs=1e-6)
                checked += 1
    assert checked > 50


def test_contributions_of_one_model_have_its_unit(tribes: Interactions) -> None:
    model, found = explained(tribes, PartSpec("ease"))
    assert {one.model for one in found} == {"ease"}
    own = [h for h in tribes.histories()[:6] for _ in range(10)]
    for one, history in zip(found, own, strict=True):
        assert sum(b.amount for b in one.contributions) == pytest.approx(one.score, abs=1e-9)
        assert {b.item for b in one.contributions} <= {*history.items.tolist()}
    assert "also play it" in found[0].text
    assert set(model.models) == {"ease"}


@pytest.mark.parametrize("name", ["ease", "itemknn", "rp3beta", "als"])
def test_the_score_without_the_strongest_play_is_that_of_a_history_without_it(
    name: str, tribes: Interactions
) -> None:
    options = {"factors": 8, "regularisation": 5.0} if name == "als" else {}
    blend = BlendRecommender(BlendSpec((PartSpec(name, 1.0, options),))).fit(tribes)
    model = blend.models[name]
    checked, drops, claimed = 0, [], []
    for history in tribes.histories()[:20]:
        known = blend.parts([history])
        for item in np.argsort(-known.total()[0])[:5].tolist():
            one = reasons(blend, known, 0, history, item, INFOS)[0]
            if one.model != name or one.without is None:
                continue
            strongest = next(b for b in one.contributions if b.amount > 0)
            removed = model.score([history.without(strongest.item)])[0, item]
            assert one.without == pytest.approx(removed, abs=1e-6)
            drop = 1 - removed / one.score
            word = "lower" if drop > 0 else "higher"
            assert abs(drop) < 0.005 or f"would score {abs(drop):.0%} {word}" in one.text
            drops.append(one.score - removed)
            claimed.append(strongest.amount)
            checked += 1
    assert checked > 30
    # The terms of ALS are shares, not effects: its factors of a listener change with the history.
    assert np.allclose(drops, claimed, atol=1e-6) == (name != "als")


def test_negative_contributions_are_named(tribes: Interactions) -> None:
    _, found = explained(tribes, PartSpec("als", 1.0, {"factors": 8, "regularisation": 5.0}))
    against = [[b for b in one.contributions if b.amount < 0] for one in found]
    assert any(against)
    for one, some in zip(found, against, strict=True):
        assert ("against it: " in one.text) == bool(some)
        if some:
            assert f"against it: {some[0].title}" in one.text
        shares = [b for b in one.contributions if b.amount > 0]
        assert len(shares) < 2 or "% of what speaks for it)" in one.text


def test_models_that_count_plays_are_added_up_exactly(tribes: Interactions) -> None:
    spec = (PartSpec("ease", 1.0), PartSpec("rp3beta", 0.5), PartSpec("itemknn", 0.25))
    model = BlendRecommender(BlendSpec(spec)).fit(tribes)
    history = tribes.history(3)
    known = model.parts([history])
    for item in np.argsort(-known.total()[0])[:10].tolist():
        (one,) = reasons(model, known, 0, history, item, INFOS)
        assert one.model == "ease+rp3beta+itemknn"
        amounts = sum(
            s[0, item] * model.models[n].score([history])[0, item]
            for n, s in zip(known.names, known.scales, strict=True)
        )
        assert sum(b.amount for b in one.contributions) == pytest.approx(amounts, abs=1e-6)
        assert one.part == pytest.approx(known.total()[0, item], abs=1e-6)


def test_a_model_without_contributions_names_no_plays(tribes: Interactions) -> None:
    _, found = explained(tribes, PartSpec("bpr", 1.0, {"factors": 8}), PartSpec("content", 0.1), vectors=True)
    factor = [one for one in found if one.model == "bpr"]
    assert factor
    for one in factor:
        assert one.contributions == ()
        assert "also play" not in one.text
        assert "nearest in sound: Tune" in one.text
        assert " of 60 " in one.text


def test_popularity_is_the_last_reason(tribes: Interactions) -> None:
    model = BlendRecommender(BlendSpec((PartSpec("ease"),))).fit(tribes)
    known = model.parts([History.empty()])
    (one,) = reasons(model, known, 0, History.empty(), 5, INFOS)
    assert one.text == f"heard by {model.popular.counts[5]} of 80 listeners"
    assert "popularity" in fallback(known, 0, 5)
