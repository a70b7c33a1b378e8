"""RP3beta: three-step random walk on the listener-item graph with a popularity penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from troubadour.interactions.sparse import Csr, owners, with_data
from troubadour.recommenders.base import Search, check_range
from troubadour.recommenders.scorers.cooccurrence import Cooccurrence
from troubadour.recommenders.scorers.neighbours import NeighbourRecommender, NeighbourSpec


@dataclass(frozen=True, slots=True)
class Rp3BetaSpec(NeighbourSpec):
    """Hyperparameters of RP3beta."""

    alpha: float = 0.75
    """Power of transition probabilities, above 0 to 2; values below 1 flatten them."""
    beta: float = 0.4
    """Power of the popularity penalty, 0 to 2."""

    def __post_init__(self) -> None:
        NeighbourSpec.__post_init__(self)
        check_range("alpha", self.alpha, 0, 2, above=True)
        check_range("beta", self.beta, 0, 2)


SEARCH: Final[Search] = {
    "neighbours": (20, 800, True),
    "alpha": (0.4, 1.2, False),
    "beta": (0.1, 0.6, False),
}


class Rp3BetaRecommender(NeighbourRecommender[Rp3BetaSpec]):
    """RP3beta: W_ij = sum over listeners of (p(i to listener) * p(listener to j))^alpha / popularity_j^beta.

    See `NeighbourRecommender`. Source: Paudel, Christoffel, Newell & Bernstein, "Updatable, accurate,
    diverse,
    and scalable recommendations for interactive applications", ACM TiiS 2016.
    """

    name: ClassVar[str] = "RP3beta"
    default: ClassVar[type[NeighbourSpec]] = Rp3BetaSpec

    def amounts(self, rows: Csr) -> Csr:
        """Computes the amounts; see `NeighbourRecommender.amounts`."""
        n = rows.shape[0]
        row = owners(rows)
        total = np.bincount(row, rows.data, minlength=n)
        # Factorise x_i x_j / total into one factor per item.
        return with_data(rows, (rows.data / np.sqrt(total[row])) ** self.spec.alpha)

    def similarity(self, counts: Cooccurrence) -> Csr:
        """Computes similarities; see `NeighbourRecommender.similarity`."""
        gram, totals = counts.gram, np.maximum(counts.totals, 1e-12)
        from_item = totals**-self.spec.alpha
        to_item = np.maximum(counts.listeners, 1) ** -self.spec.beta
        return with_data(gram, gram.data * from_item[owners(gram)] * to_item[gram.indices])
