from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import Kind
from troubadour.interactions.simulate import SimulationSpec, simulate, simulate_with_truth

STYLES = ("jig", "reel", "air", "chorale")


def catalogue(n: int = 400) -> tuple[list[str], list[dict[str, float | str]]]:
    rng = np.random.default_rng(0)
    described: list[dict[str, float | str]] = [
        {
            "style": STYLES[i % 4],
            "metre": ("6/8", "2/2", "3/4", "4/4")[i % 4],
            "mode": str(rng.choice(["major", "minor", "dorian"])),
            "tonic": str(rng.choice(["D", "G", "A"])),
            "tempo_bpm": float(rng.uniform(60, 200)),
            "notes_per_bar": float(rng.uniform(3, 9)),
            "range_semitones": float(rng.uniform(8, 24)),
            "mean_pitch": float(rng.uniform(60, 76)),
        }
        for i in range(n)
    ]
    return [f"p{i}" for i in range(n)], described


def test_the_same_seed_gives_the_same_log() -> None:
    ids, described = catalogue()
    spec = SimulationSpec(listeners=20)
    one = simulate(ids, described, np.random.default_rng(3), spec).interactions
    same = simulate(ids, described, np.random.default_rng(3), spec).interactions
    other = simulate(ids, described, np.random.default_rng(4), spec).interactions
    np.testing.assert_array_equal(one.item, same.item)
    np.testing.assert_array_equal(one.time, same.time)
    assert len(one) != len(other) or (one.item != other.item).any()


def test_the_log_looks_like_what_people_do() -> None:
    ids, described = catalogue()
    made = simulate(ids, described, np.random.default_rng(1), SimulationSpec(listeners=60))
    log = made.interactions
    assert made.simulated is True
    assert len(set(made.names)) == 60
    assert set(np.unique(log.kind).tolist()) == {k.value for k in Kind}
    assert (np.diff(log.time) >= 0).all()
    plays = np.bincount(log.item[log.kind == Kind.PLAY], minlength=400)
    busiest = np.sort(plays)[::-1]
    assert busiest[:40].sum() > 0.15 * plays.sum(), "some pieces are better known"
    ratings = log.value[log.kind == Kind.RATING]
    assert ratings.min() >= 1
    assert ratings.max() <= 5


def test_plays_follow_latent_tastes() -> None:
    ids, described = catalogue()
    made, truth = simulate_with_truth(ids, described, np.random.default_rng(2), SimulationSpec(listeners=80))
    log = made.interactions
    played = log.kind != Kind.SKIP
    liking = truth.utility[log.listener[played], log.item[played]]
    assert liking.mean() > 0.5, "in standard deviations above an average piece"
    skipped = truth.utility[log.listener[~played], log.item[~played]]
    assert skipped.mean() < liking.mean()


def test_an_empty_catalogue_and_bad_settings_are_refused() -> None:
    with pytest.raises(InputError):
        simulate([], [], np.random.default_rng(0))
    with pytest.raises(InputError, match="listeners is 0"):
        SimulationSpec(listeners=0)
