from __future__ import annotations

import numpy as np
import pytest
from tests.app.surfaces.tribes import info

from troubadour.app.surfaces.lists import because, discover, head_of, more_like
from troubadour.core.errors import InputError, NotFoundError
from troubadour.interactions.events import History
from troubadour.recommenders.slate.ranker import Ranker


def style(piece: str) -> str:
    return str(info(int(piece[1:])).attributes["style"])


def artist(piece: str) -> str:
    return info(int(piece[1:])).artist


REELS = History(np.array([1, 5, 9, 13]), np.ones(4))


def test_what_goes_with_a_piece_is_of_its_kind_and_never_itself(ranker: Ranker) -> None:
    found = more_like(ranker, "p5", 10)
    assert "p5" not in {one.id for one in found}
    assert sum(style(one.id) == "reel" for one in found) >= 8
    assert all(one.reasons for one in found)


def test_of_one_piece_alone_no_share_is_told(ranker: Ranker) -> None:
    said = [reason for one in more_like(ranker, "p5", 10) for reason in one.reasons]
    assert "listeners of Tune 5 also play it" in said
    assert not [text for text in said if "100%" in text]


def test_lists_because_of_the_latest_that_was_liked_hold_nothing_twice(ranker: Ranker) -> None:
    history = History(np.array([1, 5, 2, 9, 0]), np.array([1.0, 1.0, -0.5, 1.0, 1.0]))
    found = because(ranker, history, 5, exclude=["p4"])
    assert [anchor for anchor, _ in found] == ["p0", "p9", "p5"], "the latest first, none that was skipped"
    ids = [one.id for _, entries in found for one in entries]
    assert len(ids) == len(set(ids)) == 15
    assert not {"p0", "p1", "p2", "p4", "p5", "p9"} & set(ids)


def test_a_piece_that_was_never_played_can_be_the_cause(ranker: Ranker) -> None:
    ((anchor, entries),) = because(ranker, History.empty(), 5, piece="p3")
    assert anchor == "p3"
    assert len(entries) == 5
    assert because(ranker, History.empty(), 5) == []
    with pytest.raises(NotFoundError):
        because(ranker, REELS, 5, piece="none")


def test_discoveries_are_of_new_artists_and_no_hits(ranker: Ranker) -> None:
    met = {artist(f"p{row}") for row in REELS.items}
    hits = {ranker.items.id(row) for row in head_of(ranker.blend.popular.counts).tolist()}
    found = discover(ranker, REELS, 10, exclude=["p17"])
    assert len(found) == 10
    assert not met & {artist(one.id) for one in found}
    assert not (hits | {"p17"}) & {one.id for one in found}
    heard = [one for one in found if "listeners know it" in one.reasons[0]]
    assert heard
    assert all(f"you have not met {artist(one.id)}" in one.reasons[0] for one in heard)


def test_where_nothing_is_left_to_discover_the_list_is_empty(ranker: Ranker) -> None:
    everybody = History(np.arange(24), np.ones(24))
    assert discover(ranker, everybody, 10) == []


def test_the_head_has_half_of_all_hearings() -> None:
    assert head_of(np.array([1, 6, 0, 3, 2])).tolist() == [1]
    assert head_of(np.array([1, 1, 1, 1])).tolist() == [0, 1]
    assert head_of(np.zeros(3, dtype=np.int64)).tolist() == []


def test_a_list_has_at_least_one_entry(ranker: Ranker) -> None:
    with pytest.raises(InputError, match="1 to 1000"):
        more_like(ranker, "p5", 0)
