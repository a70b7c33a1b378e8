"""Item-based nearest neighbours with cosine similarity and TF-IDF weights of listeners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from troubadour.interactions.sparse import Csr, owners, with_data
from troubadour.recommenders.base import Search, check_range
from troubadour.recommenders.scorers.cooccurrence import Cooccurrence
from troubadour.recommenders.scorers.neighbours import NeighbourRecommender, NeighbourSpec


@dataclass(frozen=True, slots=True)
class ItemKnnSpec(NeighbourSpec):
    """Hyperparameters of item-based nearest neighbours."""

    rarity: float = 1.2
    """Power of the TF-IDF factor log(items / (1 + history length)) of a listener, 0 (no weighting) to 2."""
    shrink: float = 1.0
    """Added to the denominator, 0 to 1,000; large values reduce the similarity of rare pairs."""
    popularity: float = 0.45
    """Power of the target's length in the denominator, 0 to 1: 0.5 = cosine, smaller values favour popular
    items."""

    def __post_init__(self) -> None:
        NeighbourSpec.__post_init__(self)
        check_range("rarity", self.rarity, 0, 2)
        check_range("shrink", self.shrink, 0, 1000)
        check_range("popularity", self.popularity, 0, 1)


SEARCH: Final[Search] = {
    "neighbours": (50, 500, True),
    "rarity": (0.0, 2.0, False),
    "shrink": (0.01, 100.0, True),
    "popularity": (0.3, 0.55, False),
}


class ItemKnnRecommender(NeighbourRecommender[ItemKnnSpec]):
    """Item k-nearest neighbours: W_ij = G_ij / (length_i^2(1-p) * length_j^2p + shrink), G = Gram matrix of
    items.

    See `NeighbourRecommender`. Source: Deshpande & Karypis, "Item-based top-N recommendation algorithms", ACM
    TOIS 2004; TF-IDF over listeners as in the `implicit` library.
    """

    name: ClassVar[str] = "ItemKNN"
    default: ClassVar[type[NeighbourSpec]] = ItemKnnSpec

    def amounts(self, rows: Csr) -> Csr:
        """Computes the amounts; see `NeighbourRecommender.amounts`."""
        history_length = np.diff(rows.indptr)
        rarity = np.log((1.0 + rows.shape[1]) / (1.0 + history_length)) + 1e-3
        return with_data(rows, rows.data * (rarity**self.spec.rarity)[owners(rows)])

    def similarity(self, counts: Cooccurrence) -> Csr:
        """Computes similarities; see `NeighbourRecommender.similarity`."""
        gram = counts.gram
        square = np.zeros(len(counts.totals))
        diagonal = owners(gram) == gram.indices
        square[gram.indices[diagonal]] = gram.data[diagonal]
        ours, theirs = square ** (1.0 - self.spec.popularity), square**self.spec.popularity
        below = ours[owners(gram)] * theirs[gram.indices] + self.spec.shrink
        return with_data(gram, gram.data / np.maximum(below, 1e-12))
