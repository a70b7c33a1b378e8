from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.interactions.events import History
from troubadour.recommenders.evaluation import metrics

LISTS = np.array([[3, 1, 4], [0, 2, -1], [5, 6, 7]])
RELEVANT = [np.array([1, 9], np.int32), np.array([0, 2], np.int32), np.array([1], np.int32)]
WANTED = np.array([2, 2, 1])


def test_answers_worked_out_by_hand() -> None:
    hit = metrics.hits(LISTS, RELEVANT)
    np.testing.assert_array_equal(hit, [[False, True, False], [True, True, False], [False] * 3])
    np.testing.assert_allclose(metrics.recall(hit, WANTED), [0.5, 1.0, 0.0])
    np.testing.assert_allclose(metrics.hit_rate(hit), [1, 1, 0])
    np.testing.assert_allclose(metrics.reciprocal_rank(hit), [0.5, 1.0, 0.0])
    second = 1 / np.log2(3)  # the gain of the second place
    np.testing.assert_allclose(metrics.ndcg(hit, WANTED), [second / (1 + second), 1.0, 0.0])


def test_more_relevant_items_than_places_can_still_be_ideal() -> None:
    hit = np.ones((1, 2), dtype=bool)
    np.testing.assert_allclose(metrics.ndcg(hit, np.array([7])), [1.0])


def test_head_share_and_coverage() -> None:
    lists = np.array([[0, 1], [0, 2], [0, -1]])
    assert metrics.coverage(lists, 100) == 0.03
    assert metrics.head_share(lists, 100) == 3 / 5, "one item of a hundred takes three of five places"
    assert metrics.head_share(lists, 200) == 4 / 5, "two of two hundred take four"
    assert metrics.head_share(np.full((2, 2), -1), 10) == 0.0


def test_novelty_is_in_bits() -> None:
    known_to = np.array([1.0, 0.5, 0.25, 0.0])
    got = metrics.novelty(np.array([[0, 1], [1, 2], [3, -1], [-1, -1]]), known_to)
    np.testing.assert_allclose(got[:3], [0.5, 1.5, 3.0])
    assert np.isnan(got[3])


def test_calibration_compares_the_styles_of_list_and_history() -> None:
    styles = metrics.style_matrix(["jig", "jig", "reel", "", "reel"])
    history = History(np.array([0, 2]), np.array([3.0, 1.0]))
    lists = np.array([[1, 1, 1, 4], [2, 4, 2, 4], [3, 3, -1, -1]])
    got = metrics.miscalibration(lists, [history] * 3, styles)
    assert got[0] == pytest.approx(0.0, abs=1e-12)
    # Only reels: jigs are shown .01 * .75 of the time by the mixture alone.
    worst = 0.75 * np.log(0.75 / (0.01 * 0.75)) + 0.25 * np.log(0.25 / (0.99 + 0.01 * 0.25))
    assert got[1] == pytest.approx(worst)
    assert np.isnan(got[2]), "no style in the list"
    with pytest.raises(InputError, match="item row"):
        metrics.miscalibration(np.array([[9]]), [history], styles)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 20))
def test_every_metric_is_in_range(places: list[bool], missed: int) -> None:
    hit = np.array([places])
    wanted = np.array([max(1, int(hit.sum()) + missed)])
    for figure in (
        metrics.recall(hit, wanted), metrics.ndcg(hit, wanted), metrics.hit_rate(hit), metrics.reciprocal_rank(hit),
    ):  # fmt: skip
        assert 0 <= figure[0] <= 1 + 1e-12
    earlier = np.array([sorted(places, reverse=True)])
    assert metrics.ndcg(earlier, wanted)[0] >= metrics.ndcg(hit, wanted)[0] - 1e-12
