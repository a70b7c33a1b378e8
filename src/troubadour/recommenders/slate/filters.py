"""Filters: hard constraints on the items of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.slate.item_info import ItemInfo


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of one request."""

    pieces: frozenset[str] = frozenset()
    """Ids of excluded pieces; unknown ids are ignored."""
    groups: frozenset[str] = frozenset()
    """Excluded artists or books, see `ItemInfo.group`; case is ignored."""
    explicit: bool = True
    """Whether explicit pieces are allowed."""
    allow_known: bool = False
    """Whether pieces of the history are allowed."""

    def allowed(self, items: IdMap, infos: Sequence[ItemInfo], history: History) -> NDArray[np.bool_]:
        """Returns the mask of allowed items, shape (n_items,)."""
        mask = np.ones(len(items), dtype=bool)
        if not self.allow_known:
            mask[history.items] = False
        blocked = items.find(self.pieces)
        mask[blocked[blocked >= 0]] = False
        if self.groups:
            names = {group.casefold() for group in self.groups}
            mask &= np.array([info.group.casefold() not in names for info in infos], dtype=bool)
        if not self.explicit:
            mask &= np.array([not info.explicit for info in infos], dtype=bool)
        return mask
