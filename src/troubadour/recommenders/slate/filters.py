"""What must not be in a list, whatever its score."""

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
    """One request's wishes."""

    pieces: frozenset[str] = frozenset()
    """Ids never to recommend; unknown ones are ignored."""
    groups: frozenset[str] = frozenset()
    """Artists or books never to recommend, as in `ItemInfo.group`; case does not matter."""
    explicit: bool = True
    """Whether pieces that are marked as explicit may be recommended."""
    heard: bool = False
    """Whether pieces of the history may be recommended."""

    def allowed(self, items: IdMap, infos: Sequence[ItemInfo], history: History) -> NDArray[np.bool_]:
        """Which items may be in the list, shape (n_items,)."""
        mask = np.ones(len(items), dtype=bool)
        if not self.heard:
            mask[history.items] = False
        blocked = items.find(self.pieces)
        mask[blocked[blocked >= 0]] = False
        if self.groups:
            names = {group.casefold() for group in self.groups}
            mask &= np.array([info.group.casefold() not in names for info in infos], dtype=bool)
        if not self.explicit:
            mask &= np.array([not info.explicit for info in infos], dtype=bool)
        return mask
