"""A small hand-made log, and a random one with times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from troubadour.interactions.events import Interactions, Kind
from troubadour.interactions.id_map import IdMap


def plays(
    rows: Sequence[tuple[int, int, int]], n_listeners: int, n_items: int, kinds: Sequence[int] = ()
) -> Interactions:
    """Builds a log from (listener, item, time); plays by default."""
    listener, item, time = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    kind = np.array(kinds or [Kind.PLAY] * len(rows), dtype=np.uint8)
    value = np.where(kind == Kind.RATING, 5.0, np.nan).astype(np.float32)
    return Interactions(
        listener.astype(np.int32), item.astype(np.int32), kind, value, time,
        IdMap(f"l{i}" for i in range(n_listeners)), IdMap(f"i{i}" for i in range(n_items)),
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_plays() -> Callable[..., Interactions]:
    """The function `plays`, for tests with their own logs."""
    return plays


@pytest.fixture(scope="session")
def tribes() -> Interactions:
    """Eighty listeners in four tribes of 15 items each, with a sixth of plays elsewhere, and times."""
    rng = np.random.default_rng(3)
    rows: list[tuple[int, int, int]] = []
    for listener in range(80):
        for _ in range(24):
            own = rng.random() > 1 / 6
            item = (listener % 4) * 15 + int(15 * rng.beta(1, 2)) if own else int(rng.integers(60))
            rows.append((listener, item, int(rng.integers(1, 100_000))))
    return plays(rows, 80, 60)
