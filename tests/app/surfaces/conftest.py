"""Catalogue with four groups of listeners, one style each, and stores with planted plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.app.surfaces.tribes import N, info

from troubadour.catalogue.plays import metadata_piece
from troubadour.catalogue.records import Event
from troubadour.catalogue.store import Store
from troubadour.interactions.events import Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.interactions.importers.base import NamedTrack
from troubadour.recommenders.blend.recommender import BlendSpec
from troubadour.recommenders.slate.ranker import Ranker


@pytest.fixture(scope="session")
def ranker() -> Ranker:
    """Fitted on 160 listeners who mostly play their group's style; the last 20 pieces have no plays."""
    rng = np.random.default_rng(3)
    listener = np.repeat(np.arange(160), 20)
    own = rng.random(len(listener)) > 0.1
    item = np.where(own, (listener % 4) + 4 * (25 * rng.beta(1, 2, len(listener))).astype(int), 0)
    item = np.where(own, item, rng.integers(0, 100, len(listener)))
    log = Interactions(
        listener.astype(np.int32), item.astype(np.int32), np.full(len(item), Kind.PLAY, np.uint8),
        np.full(len(item), np.nan, np.float32), rng.integers(1, 10**6, len(item)),
        IdMap(f"l{i}" for i in range(160)), IdMap(f"p{i}" for i in range(N)),
    )  # fmt: skip
    vectors = np.eye(4, dtype=np.float32)[np.arange(N) % 4] + rng.normal(0, 0.2, (N, 4)).astype(np.float32)
    return Ranker.fit(log, vectors, [info(i) for i in range(N)], rng, blend=BlendSpec())


Played = tuple[str, str, int]
"""(listener, piece, time)."""


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Callable[[Iterable[Played]], Store]]:
    """Store whose pieces `jig 0`, `reel 1` ... have the style in their title."""
    stores: list[Store] = []

    def plant(plays: Iterable[Played]) -> Store:
        store = Store.open(tmp_path / str(len(stores)))
        stores.append(store)
        rows = list(plays)
        made = {
            title: replace(metadata_piece(NamedTrack(title, f"by {title}")), id=title, style=title.split()[0])
            for title in dict.fromkeys(piece for _, piece, _ in rows)
        }
        store.add_pieces(list(made.values()))
        store.add_listeners((who, "", False) for who in dict.fromkeys(who for who, _, _ in rows))
        store.record([Event(f"e{i}", *row[:2], "play", row[2]) for i, row in enumerate(rows)])
        return store

    yield plant
    for store in stores:
        store.close()
