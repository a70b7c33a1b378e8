from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError, NotFoundError
from troubadour.interactions.id_map import IdMap


@given(st.lists(st.text(min_size=1), unique=True), st.lists(st.text(min_size=1)))
def test_rows_and_ids_are_inverse_and_growing_changes_no_row(ids: list[str], more: list[str]) -> None:
    small = IdMap(ids)
    large = small.extended(more)
    assert large.ids[: len(small)] == small.ids
    assert set(large) == {*ids, *more}
    assert large.ids_of(large.rows(large.ids)) == list(large.ids)
    assert [large.row(i) for i in ids] == list(range(len(ids)))


def test_unknown_ids_and_rows_are_named() -> None:
    songs = IdMap(["kesh"])
    with pytest.raises(NotFoundError, match="'banshee' is unknown"):
        songs.rows(["kesh", "banshee"])
    with pytest.raises(NotFoundError, match="row 1 does not exist"):
        songs.id(1)
    assert songs.find(["banshee", "kesh"]).tolist() == [-1, 0]
    assert "banshee" not in songs


@pytest.mark.parametrize("bad", [["a", "a"], [""], [3]])
def test_ids_are_distinct_and_not_empty(bad: list[str]) -> None:
    with pytest.raises(InputError):
        IdMap(bad)
