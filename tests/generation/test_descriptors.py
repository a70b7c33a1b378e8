from __future__ import annotations

import numpy as np
import pytest

from troubadour.generation.evaluation.descriptors import describe, durations, intervals, overlap, overlaps
from troubadour.music.score import Metre, Score, Track


def line(pitches: list[int], length: int = 24) -> Score:
    rows = [(i * length, length, p, 80, 0) for i, p in enumerate(pitches)]
    return Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(0),), metres=(Metre(0, 4, 4),))


def test_a_scale_has_the_descriptors_that_can_be_counted_by_hand() -> None:
    found = describe(line([60, 62, 64, 65, 67, 69, 71, 72]))
    assert found["scale consistency"] == 1.0
    assert found["groove consistency"] == found["self-similarity"] == found["polyphony"] == 1.0
    assert found["notes a quarter"] == 1.0
    assert found["pitch range"] == 12
    assert found["mean step"] == pytest.approx(12 / 7)
    # Six classes once and C twice of eight.
    assert found["pitch-class entropy"] == pytest.approx(-6 / 8 * np.log2(1 / 8) - 2 / 8 * np.log2(2 / 8))


def test_histograms_are_shares_of_steps_and_durations() -> None:
    shares = intervals([line([60, 62, 60, 90])])
    assert shares[12 + 2] == shares[12 - 2] == shares[24] == pytest.approx(1 / 3)
    assert durations([line([60, 62])])[5] == 1.0


def test_overlap_is_one_for_the_same_and_nothing_for_what_lies_apart() -> None:
    rng = np.random.default_rng(0)
    here = rng.normal(0, 1, 400)
    assert overlap(here, here) == pytest.approx(1, abs=0.01)
    assert overlap(here, here + 50) < 0.01
    assert overlap(np.zeros(9), np.zeros(9)) == 1.0
    assert overlap(np.zeros(9), np.ones(9)) == 0.0


def test_a_collection_overlaps_with_itself_and_less_with_another() -> None:
    rng = np.random.default_rng(1)
    walks = [line((60 + np.cumsum(rng.integers(-2, 3, 16))).tolist()) for _ in range(12)]
    leaps = [line(rng.integers(40, 90, 16).tolist()) for _ in range(12)]
    same, other = overlaps(walks, walks), overlaps(walks, leaps)
    assert min(same.values()) > 0.98
    assert other["mean step"] < 0.2
    assert other["interval histogram"] < 0.5
