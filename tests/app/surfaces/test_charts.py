from __future__ import annotations

from collections.abc import Callable

import pytest

from troubadour.app.surfaces.charts import chart
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError

DAY = 86_400
END = 1_700_000_000


def week_of(listeners: int, piece: str, end: int, plays: int = 1) -> list[tuple[str, str, int]]:
    """Plays of a piece in the week up to `end`: number of listeners, plays of each."""
    return [
        (f"l{who}", piece, end - DAY - 1 - 400 * (plays * who + play))
        for who in range(listeners)
        for play in range(plays)
    ]


def test_a_planted_week_and_how_it_moved(planted: Callable[..., Store]) -> None:
    last = END - 7 * DAY
    store = planted(
        [
            *week_of(5, "jig 0", last), *week_of(3, "reel 1", last),
            *week_of(6, "reel 1", END), *week_of(4, "jig 0", END), *week_of(2, "reel 2", END),
        ]
    )  # fmt: skip
    found = chart(store, "week", end=END)
    assert [(one.id, one.more["rank"], one.more["rank_before"]) for one in found.items] == [
        ("reel 1", 1, 2), ("jig 0", 2, 1), ("reel 2", 3, None),
    ]  # fmt: skip
    assert found.items[0].reasons == ("6 plays by 6 listeners", "up 1 from 2")
    assert found.items[1].reasons[1] == "down 1 from 1"
    assert found.items[2].reasons == ("2 plays by 2 listeners", "new")
    assert (found.plays, found.listeners) == (12, 6)
    assert found.items[0].score == pytest.approx(6.0)
    reels = chart(store, "week", style="reel", end=END)
    assert [one.id for one in reels.items] == ["reel 1", "reel 2"]
    assert reels.items[0].reasons[1] == "stays at 1"
    assert chart(store, "day", end=END).plays == 0
    assert chart(store, "month", end=END).plays == 20


def test_one_fan_on_repeat_makes_no_hit(planted: Callable[..., Store]) -> None:
    store = planted([*week_of(1, "jig 0", END, plays=30), *week_of(6, "reel 1", END)])
    assert [one.id for one in chart(store, end=END).items] == ["reel 1", "jig 0"]


def test_without_an_end_it_is_the_log_s(planted: Callable[..., Store]) -> None:
    store = planted([*week_of(3, "jig 0", END), ("l9", "jig 1", 0)])
    found = chart(store)
    assert found.end == END - DAY
    assert [one.id for one in found.items] == ["jig 0"], "a play at an unknown time is of no week"


def test_an_end_beyond_all_calendars_is_told_all_the_same(planted: Callable[..., Store]) -> None:
    assert chart(planted([]), end=2**40).to_dict()["to"] == "9999-12-31T23:59:59Z"


def test_an_empty_log_has_an_empty_chart(planted: Callable[..., Store]) -> None:
    found = chart(planted([]))
    assert found.items == ()
    assert found.to_dict()["plays"] == 0


def test_what_cannot_be_is_refused(planted: Callable[..., Store]) -> None:
    store = planted(week_of(1, "jig 0", END))
    for wish, message in (
        ({"period": "year"}, "allowed: day, week, month"),
        ({"n": 0}, "1 to 1000"),
        ({"style": "tango"}, "known styles: jig"),
        ({"end": -1}, "end is -1"),
    ):
        with pytest.raises(InputError, match=message):
            chart(store, **wish)  # type: ignore[arg-type]
