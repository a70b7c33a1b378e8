from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from troubadour.catalogue.records import Block, Event, Impression, NewPiece, Unmatched
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, NotFoundError


def song(name: str, artist: str, **more: object) -> NewPiece:
    piece = NewPiece(
        id=name, title=name, score=None, work=name, split="none", fingerprint="",
        grams=np.zeros(0, dtype=np.uint32), attributes={}, artist=artist, medium="metadata",
    )  # fmt: skip
    return replace(piece, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        opened.add_pieces([song("a", "The Quills"), song("b", "Quills"), song("c", "Rosa Ito")])
        opened.add_listeners([("ann", "", False), ("bob", "", False)])
        yield opened


def shown(n: int, listener: str = "ann", piece: str = "a", propensity: float | None = None) -> Impression:
    return Impression(f"i{n}", listener, piece, n, 100 + n, "r0001", "for-you", "list", propensity)


def test_impressions_come_back_newest_first_and_once(store: Store) -> None:
    assert store.impressions.add([shown(1), shown(2, piece="b", propensity=0.25)]) == 2
    assert store.impressions.add([shown(2, piece="b"), shown(3, "bob")]) == 1
    assert store.impressions.of("ann") == [shown(2, piece="b", propensity=0.25), shown(1)]
    columns = store.impressions.columns()
    assert columns["listener"].tolist() == [0, 0, 1]
    assert columns["item"].tolist() == [0, 1, 0]
    np.testing.assert_array_equal(columns["propensity"], [np.nan, 0.25, np.nan])
    assert columns["slot"].tolist() == ["for-you"] * 3


def test_without_impressions_the_columns_are_empty(store: Store) -> None:
    assert {len(c) for c in store.impressions.columns().values()} == {0}


@pytest.mark.parametrize("bad", [{"rank": 0}, {"time": -1}, {"propensity": 0.0}, {"propensity": 1.5}])
def test_an_impossible_impression_is_refused(store: Store, bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        store.impressions.add([replace(shown(1), **bad)])  # type: ignore[arg-type]
    assert store.impressions.count() == 0


def test_a_blocked_artist_covers_every_way_to_write_the_name(store: Store) -> None:
    store.blocks.add("ann", Block("artist", "THE QUILLS", 1))
    store.blocks.add("ann", Block("piece", "c", 2))
    assert store.blocks.pieces("ann") == {"a", "b", "c"}
    assert store.blocks.pieces("bob") == set()
    assert store.blocks.of("ann") == [Block("artist", "THE QUILLS", 1), Block("piece", "c", 2)]
    assert store.blocks.remove("ann", Block("artist", "Quills", 0))
    assert not store.blocks.remove("ann", Block("artist", "Quills", 0))
    assert store.blocks.pieces("ann") == {"c"}


def test_a_block_must_name_something(store: Store) -> None:
    with pytest.raises(InputError, match="empty or a placeholder"):
        store.blocks.add("ann", Block("artist", "Unknown Artist", 1))
    with pytest.raises(InputError, match="piece, artist"):
        store.blocks.add("ann", Block("style", "jig", 1))
    with pytest.raises(NotFoundError, match="no piece"):
        store.blocks.add("ann", Block("piece", "none", 1))


def test_unmatched_plays_are_kept_apart_and_counted(store: Store) -> None:
    plays = [
        Unmatched(f"e{n}", "ann", "Gone", "Lund", "", {"isrc": "X"}, "unknown", "play", n) for n in range(3)
    ]
    assert store.unmatched.add(plays) == 3
    assert store.unmatched.add(plays) == 0
    assert store.unmatched.top() == [("Lund", "Gone", "unknown", 3)]
    assert store.unmatched.all("ann") == plays
    assert store.unmatched.all("bob") == []
    assert store.counts()["interactions"] == 0
    store.unmatched.remove(["e0", "e1"])
    assert store.unmatched.count() == 1


def test_a_piece_without_notes_says_so_and_has_no_vector(store: Store) -> None:
    with pytest.raises(InputError, match="has no notes"):
        store.score("a")
    assert store.piece_ids(medium="score") == []
    assert store.works() == []
    assert store.vectors().shape == (3, 0)


def test_flagged_events_are_kept_and_neither_learnt_from_nor_shown(store: Store) -> None:
    store.record([Event("e1", "ann", "a", "play", 1), Event("e2", "ann", "b", "play", 2, flags=1)])
    assert store.interaction_columns()["item"].tolist() == [0]
    assert store.interaction_columns(flagged=True)["item"].tolist() == [0, 1]
    assert [e[0] for e in store.history("ann")] == ["a"]


def test_external_identifiers_are_kept_and_may_collide(store: Store) -> None:
    store.identify([("a", "isrc", "QZ1"), ("b", "isrc", "QZ1"), ("a", "isrc", "QZ1"), ("c", "mbid", "")])
    assert store.identifiers() == [("isrc", "QZ1", 0), ("isrc", "QZ1", 1)]
