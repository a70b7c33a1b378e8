"""Recommenders that know of each item its nearest others: what they share, whatever "near" means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.interactions.sparse import Csr, only, owners
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    State,
    check_fitted,
    check_memory,
    check_range,
    history_matrix,
    pick,
)
from troubadour.recommenders.scorers.cooccurrence import Cooccurrence, counting_bytes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NeighbourSpec:
    """What may be chosen about any of them."""

    neighbours: int = 200
    """How many of each item's nearest count, 1 to 100,000."""
    memory_bytes: int = 2 * 2**30
    """Most memory that fitting may take; a larger log is refused with advice."""

    def __post_init__(self) -> None:
        check_range("neighbours", self.neighbours, 1, 100_000)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


S = TypeVar("S", bound=NeighbourSpec)


class NeighbourRecommender(ABC, Generic[S]):
    """score_j = sum over the history of weight_i * W_ij, W_i the nearest items of item i.

    Only positive weights of the log make items alike; a negative weight of a history counts against
    whatever is like the item. Learnt are sums over listeners (see `Cooccurrence`), from which one
    listener can be taken again exactly; W follows from them.

    Cost: the sum over listeners of their squared history lengths, in time, and up to 48 bytes for
    each pair of items that a listener has in common, while fitting.
    """

    name: ClassVar[str]
    """For messages."""
    default: ClassVar[type[NeighbourSpec]]
    """The class of its spec."""

    def __init__(self, spec: S | None = None, counts: Cooccurrence | None = None) -> None:
        self.spec: S = spec or self.default()  # type: ignore[assignment]  # the two are declared together
        self._counts = counts
        self._weights = None if counts is None else self._nearest(counts)

    @abstractmethod
    def amounts(self, rows: Csr) -> Csr:
        """What each listener (row) contributes to the pairs; of each row alone, all above 0."""

    @abstractmethod
    def similarity(self, counts: Cooccurrence) -> Csr:
        """What hearing i (row) says for j (column), from the sums; 0 or more."""

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`.

        Raises:
            InputError: the log does not fit `memory_bytes`.
        """
        rows = _positive(interactions.to_matrix((options or FitOptions()).weights))
        size = f"{rows.shape[1]} items and {rows.shape[0]} listeners"
        instead = "use als or bpr, whose memory grows with the items only"
        check_memory(self.name, size, counting_bytes(rows), self.spec.memory_bytes, instead)
        return type(self)(self.spec, Cooccurrence.of(rows, self.amounts(rows)))

    def forget(self, history: History) -> Self:
        """See `Forgetful.forget`; exact to the bit. Costs one pass over the pairs."""
        counts = check_fitted(self._counts, self.name)
        row = _positive(history_matrix([history], len(counts.totals)))
        return type(self)(self.spec, counts.without(Cooccurrence.of(row, self.amounts(row))))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN for an item that nobody heard."""
        counts, weights = self._learned()
        scores = (history_matrix(histories, len(counts.totals)) @ weights).toarray()
        scores[:, counts.listeners == 0] = np.nan
        return pick(scores, items)

    def contributions(self, history: History, item: int) -> Floats:
        """See `Additive.contributions`; all NaN for an item that nobody heard."""
        counts, weights = self._learned()
        if item >= len(counts.listeners) or not counts.listeners[item]:
            return np.full(len(history), np.nan)
        parts = np.zeros(len(history))
        rows = np.flatnonzero(history.items < len(counts.listeners))
        chosen = weights[history.items[rows]]
        here = chosen.indices == item
        rows = rows[owners(chosen)[here]]
        parts[rows] = history.weights[rows] * chosen.data[here]
        return parts

    def state(self) -> State:
        """See `Persistent.state`."""
        return asdict(self.spec), check_fitted(self._counts, self.name).arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        try:
            chosen: Any = cls.default(**spec)
        except TypeError as error:
            raise ModelError(f"stored {cls.name} spec {spec}: {error}") from error
        return cls(chosen, Cooccurrence.from_arrays(arrays, cls.name))

    def _learned(self) -> tuple[Cooccurrence, Csr]:
        return check_fitted(self._counts, self.name), check_fitted(self._weights, self.name)

    def _nearest(self, counts: Cooccurrence) -> Csr:
        """The greatest of each row of the similarities, of equals the first; never the item itself."""
        similarity = self.similarity(counts)
        row = owners(similarity)
        similarity = only(similarity, (row != similarity.indices) & (similarity.data > 0))
        # Compared at float32's seven digits, lest the last bit decide between equals.
        values = similarity.data.astype(np.float32)
        kept = np.ones(len(values), dtype=bool)
        n, starts = self.spec.neighbours, similarity.indptr
        for i in np.flatnonzero(np.diff(starts) > n).tolist():
            mine = values[starts[i] : starts[i + 1]]
            least = np.partition(mine, len(mine) - n)[len(mine) - n]
            above = mine > least
            above[np.flatnonzero(mine == least)[: n - int(above.sum())]] = True
            kept[starts[i] : starts[i + 1]] = above
        return only(similarity, kept)


def _positive(rows: Csr) -> Csr:
    return only(rows, rows.data > 0)
