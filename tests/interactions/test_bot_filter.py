from __future__ import annotations

import numpy as np
import pytest

from troubadour.interactions.bot_filter import Flag, flag_suspicious
from troubadour.interactions.events import Kind

START = 1_711_929_600  # midnight, UTC


def flags(rows: list[tuple[int, int, int]], kind: Kind = Kind.PLAY, known: int = 0) -> list[int]:
    """Flags of (listener, item, seconds after midnight)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    kinds = np.full(len(table), kind)
    return [int(f) for f in flag_suspicious(table[:, 0], table[:, 1], kinds, table[:, 2] + START, known)]


def test_a_plausible_listener_is_not_flagged() -> None:
    day = [(0, i % 7, 200 * i) for i in range(288)]  # sixteen hours without a pause
    assert not any(flags(day + [(0, i % 7, 86_400 + 200 * i) for i in range(288)]))
    assert flags([]) == []


def test_the_same_piece_again_at_once_is_a_duplicate_and_later_is_not() -> None:
    found = flags([(0, 1, 100), (0, 1, 104), (0, 1, 300), (1, 1, 100), (0, 2, 100)])
    assert found == [0, Flag.DUPLICATE, 0, 0, 0]


def test_of_a_pair_the_one_that_was_not_known_is_the_duplicate() -> None:
    assert flags([(0, 1, 104), (0, 1, 100)]) == [Flag.DUPLICATE, 0]
    assert flags([(0, 1, 104), (0, 1, 100)], known=1) == [0, Flag.DUPLICATE]


def test_three_pieces_in_one_second_are_flagged() -> None:
    assert flags([(0, 1, 5), (0, 2, 5)]) == [0, 0]
    assert flags([(0, 1, 5), (0, 2, 5), (0, 3, 5), (0, 4, 6), (1, 5, 5)]) == [2, 2, 2, 0, 0]


def test_more_than_two_plays_a_minute_for_an_hour_are_too_fast() -> None:
    slow = [(0, i, 31 * i) for i in range(200)]
    fast = [(1, i, 20 * i) for i in range(200)]
    found = np.array(flags(slow + fast))
    assert not found[:200].any()
    assert (found[200:] == Flag.TOO_FAST).all()


def test_skipping_fast_is_human() -> None:
    assert not any(flags([(0, i, 3 * i) for i in range(1000)], Kind.SKIP))


def test_three_days_without_a_night_are_flagged_and_two_are_not() -> None:
    def days(n: int, who: int) -> list[tuple[int, int, int]]:
        return [(who, i, 3600 * i) for i in range(24 * n)]

    found = np.array(flags(days(2, 0) + days(3, 1)))
    assert not found[:48].any()
    assert (found[48:] == Flag.NEVER_ASLEEP).all()


def test_likes_ratings_and_plays_without_a_time_are_never_suspected() -> None:
    rows = [(0, i, 5) for i in range(50)]
    assert not any(flags(rows, Kind.LIKE))
    assert not any(flags(rows, Kind.RATING))
    table = np.array(rows)
    assert not flag_suspicious(table[:, 0], table[:, 1], np.zeros(50), np.zeros(50)).any()


@pytest.mark.slow
def test_a_million_plays_of_one_listener_take_seconds() -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    time = START + np.sort(rng.integers(0, 20 * 365 * 86_400, n))
    found = flag_suspicious(np.zeros(n), rng.integers(0, 5000, n), np.zeros(n), time)
    assert 0 < found.astype(bool).mean() < 1
