from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions, Kind
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.blend.choose import Choice, TuningBudget, choose
from troubadour.recommenders.blend.recommender import BlendRecommender
from troubadour.recommenders.blend.report import to_markdown
from troubadour.recommenders.blend.weights import Pool, cross_fitted_ndcg, learn
from troubadour.recommenders.evaluation.split import split_by_share

AMPLE = TuningBudget(seconds=1000, trials=2)


@pytest.fixture(scope="module")
def choice(tribes: Interactions) -> Choice:
    return choose(tribes, FitOptions(), np.random.default_rng(0), AMPLE)


def best(choice: Choice) -> str:
    return max(choice.spec.parts, key=lambda part: part.weight).model


def test_the_choice_lists_trials_and_an_explanation(choice: Choice) -> None:
    tried = {t.recipe.model for t in choice.trials}
    assert {"popular", "ease", "itemknn", "rp3beta"} <= tried
    assert "cut in time" in choice.split
    assert "best single recipe" in choice.why
    assert any(t.recipe.options for t in choice.trials), "options were tried"
    figures = {t.recipe.model: t.ndcg.mean for t in choice.trials if not t.recipe.options}
    assert figures[best(choice)] > figures["popular"]


def test_the_same_seed_chooses_the_same(choice: Choice, tribes: Interactions) -> None:
    again = choose(tribes, FitOptions(), np.random.default_rng(0), AMPLE)
    assert again.spec == choice.spec
    assert [t.ndcg for t in again.trials] == [t.ndcg for t in choice.trials]


def test_content_is_selected_if_tastes_follow_content(make_plays: Any) -> None:
    """Each listener plays each piece of their content class once, so co-occurrence carries little
    information."""
    rng = np.random.default_rng(1)
    sound = rng.normal(size=(600, 4)).astype(np.float32)
    rows = []
    for listener in range(60):
        near = np.argsort(-sound @ rng.normal(size=4))[:40]
        rows += [
            (listener, int(i), int(t))
            for i, t in zip(near[rng.permutation(40)[:12]], range(1, 13), strict=True)
        ]
    log = make_plays([(a, b, t * 1000 + a) for a, b, t in rows], 60, 600)
    found = choose(log, FitOptions(item_vectors=sound), np.random.default_rng(0), AMPLE)
    assert best(found) == "content", found.why


def test_a_log_without_times_is_split_at_random_with_a_note(tribes: Interactions) -> None:
    timeless = dataclasses.replace(tribes, time=np.zeros(len(tribes), np.int64))
    found = choose(timeless, FitOptions(), np.random.default_rng(0), dataclasses.replace(AMPLE, trials=0))
    assert "without times" in found.split
    assert found.trials


@pytest.mark.parametrize("listeners", [0, 3])
def test_tiny_logs_fall_back_to_the_default_blend(listeners: int, tribes: Interactions) -> None:
    log = tribes.of_listeners(range(listeners))
    vectors = np.eye(60, dtype=np.float32)
    found = choose(log, FitOptions(item_vectors=vectors), np.random.default_rng(0))
    assert not found.trials
    assert "default blend" in found.why
    model = BlendRecommender(found.spec).fit(log, FitOptions(item_vectors=vectors))
    assert np.isfinite(model.score(tribes.histories()[:3])).all()


def test_skipped_recipes_are_listed(tribes: Interactions) -> None:
    found = choose(tribes, FitOptions(), np.random.default_rng(0), TuningBudget(seconds=1e-9, trials=3))
    assert any("no time left" in text for text in found.left_out)
    assert any(
        "item vectors" in text for text in choose(tribes, FitOptions(), np.random.default_rng(0)).left_out
    )


def test_choosing_cannot_see_the_test(tribes: Interactions) -> None:
    split = split_by_share(tribes, 0.2)
    assert split.time is not None
    turned = dataclasses.replace(
        tribes, kind=np.where(tribes.time >= split.time, Kind.SKIP, tribes.kind).astype(np.uint8)
    )
    one, other = (
        choose(log.before(split.time), FitOptions(), np.random.default_rng(0), AMPLE)
        for log in (tribes, turned)
    )
    assert one.spec == other.spec


def test_the_report_holds_every_trial_with_its_interval(choice: Choice) -> None:
    document = json.loads(json.dumps(choice.to_dict()))
    assert len(document["trials"]) == len(choice.trials)
    assert all(low <= mean <= high for mean, low, high in (t["ndcg"] for t in document["trials"]))
    text = to_markdown(document)
    assert all(t.recipe.model in text for t in choice.trials)
    assert choice.why in text


def test_an_empty_budget_is_refused() -> None:
    with pytest.raises(InputError, match="budget"):
        TuningBudget(seconds=0)
    with pytest.raises(InputError, match="budget"):
        TuningBudget(recipes=())


def pool(rng: np.random.Generator, n: int, strengths: tuple[float, ...]) -> Pool:
    """Listeners with one relevant item of forty; each part scores it by the given strength."""
    relevant = np.zeros((n, 40), dtype=bool)
    relevant[np.arange(n), rng.integers(0, 40, n)] = True
    z = tuple(rng.normal(size=(n, 40)) + strength * relevant for strength in strengths)
    return Pool(z, np.zeros((n, 40)), np.ones((n, 40), dtype=bool), relevant, np.ones(n, dtype=np.int64))


def test_two_views_of_the_same_thing_are_blended_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    helpful = learn(pool(rng, 800, (1.5, 1.4)))
    assert helpful.weights[1] >= 0.5
    noise = learn(pool(rng, 800, (1.5, 0.0)))
    assert noise.weights[1] <= 0.25


def test_cross_fitting_sees_no_gain_in_noise() -> None:
    gains = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        few = pool(rng, 40, (0.6, 0.0, 0.0))
        gains.append((cross_fitted_ndcg(few, rng) - few.ndcg([1.0, 0.0, 0.0], 0.0)).mean())
    assert np.mean(gains) < 0.01, "learning weights from noise helps nobody else"
