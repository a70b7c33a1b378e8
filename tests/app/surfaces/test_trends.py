from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from troubadour.app.surfaces.trends import WEEK, trends
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError

END = 1_700_000_000
WEEKS = 40


def weekly(piece: str, counts: list[int]) -> list[tuple[str, str, int]]:
    """Number of plays in each of the weeks up to `END`, each by another listener."""
    return [
        (f"l{k}", piece, END - (len(counts) - week) * WEEK + 1 + k * 600)
        for week, count in enumerate(counts)
        for k in range(count)
    ]


@pytest.fixture
def moving(planted: Callable[..., Store]) -> Store:
    rng = np.random.default_rng(0)
    rising = (5 + 2 * np.arange(WEEKS) + rng.integers(-2, 3, WEEKS)).tolist()
    falling = rising[::-1]
    steady = rng.poisson(40, WEEKS).tolist()
    rows = [*weekly("jig 0", rising), *weekly("reel 1", falling), *weekly("air 2", steady)]
    return planted([*rows, ("l0", "slide 3", END - 5 * WEEK), ("l0", "jig 0", END - 1)])


def test_planted_trends_are_found_and_forecast_better_than_naively(moving: Store) -> None:
    found = trends(moving, "style")
    assert found.weeks == WEEKS - 1, "whole weeks only"
    assert [one.id for one in found.items] == ["jig", "air", "reel"], "what was hardly played has no trend"
    rise, steady, fall = found.items
    assert rise.score > 0.02
    assert abs(steady.score) < 0.1
    assert fall.score < -0.1
    for one in (rise, fall):
        assert one.more["mase"] < one.more["naive_mase"]
        assert "better than the naive" in one.reasons[1]
    assert found.mase < found.naive_mase
    assert "smaller than that of the naive forecast" in found.verdict
    assert "worth a look" in found.verdict


def test_weeks_add_up(moving: Store) -> None:
    by_piece = {one.id: one.more["weekly"] for one in trends(moving, "piece").items}
    by_style = {one.id: one.more["weekly"] for one in trends(moving, "style").items}
    assert by_piece["jig 0"] == by_style["jig"]
    assert {one.id for one in trends(moving, "artist").items} == {"by jig 0", "by reel 1", "by air 2"}


def test_what_moves_most_is_kept_the_rise_first(moving: Store) -> None:
    assert [one.id for one in trends(moving, "style", 2).items] in (["jig", "reel"], ["air", "reel"])


def test_too_little_to_tell_is_told(planted: Callable[..., Store]) -> None:
    for plays in ([], [("l0", "jig 0", 0)], weekly("jig 0", [1] * 5), weekly("jig 0", [0] * 30 + [9])):
        found = trends(planted(plays))
        assert found.items == ()
        assert "no trends" in found.verdict
        assert found.to_dict()["mase"] is None


def test_a_play_dated_wrongly_by_decades_costs_nothing(planted: Callable[..., Store]) -> None:
    store = planted([("l0", "jig 0", 5), *weekly("jig 0", [3] * 30)])
    assert trends(store).weeks == 156


def test_a_play_long_after_all_others_makes_no_fall(planted: Callable[..., Store]) -> None:
    rows = weekly("jig 0", (5 + 2 * np.arange(WEEKS)).tolist())
    alone, later = planted(rows), planted([*rows, ("l0", "jig 0", END + 100 * WEEK)])
    assert trends(later).to_dict() == trends(alone).to_dict()
    busy = planted([*rows, *[(f"l{k}", "jig 0", END + 100 * WEEK + k) for k in range(200)]])
    assert trends(busy).weeks > WEEKS + 90, "a service that goes on after a silence has one"


def test_bad_wishes_are_refused(planted: Callable[..., Store]) -> None:
    store = planted([])
    for wish, message in (
        ({"by": "hour"}, "allowed: style, artist, piece"),
        ({"n": 0}, "1 to 1000"),
        ({"horizon": 27}, "1 to 26 weeks"),
    ):
        with pytest.raises(InputError, match=message):
            trends(store, **wish)  # type: ignore[arg-type]
