"""Base of neighbourhood models: sparse item-item similarities from co-occurrence counts."""

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
    take_items,
)
from troubadour.recommenders.scorers.cooccurrence import Cooccurrence, counting_bytes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NeighbourSpec:
    """Hyperparameters of neighbourhood models."""

    neighbours: int = 200
    """Number of nearest neighbours per item, 1 to 100,000."""
    memory_bytes: int = 2 * 2**30
    """Memory limit of the fit, bytes; larger logs raise `InputError`."""

    def __post_init__(self) -> None:
        check_range("neighbours", self.neighbours, 1, 100_000)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


S = TypeVar("S", bound=NeighbourSpec)


class NeighbourRecommender(ABC, Generic[S]):
    """Neighbourhood model: score_j = sum over the history of weight_i * W_ij, W_i = similarities of i's
    neighbours.

    Similarities are computed from positive weights of the log. Negative weights of a history count against
    similar items. The learned state consists of sums over listeners (`Cooccurrence`), so removal of a
    listener
    is exact; W is derived from them.

    Cost of the fit: the sum over listeners of their squared history length; up to 48 bytes for each item pair
    with a common listener.
    """

    name: ClassVar[str]
    """Name for messages."""
    default: ClassVar[type[NeighbourSpec]]
    """Class of the spec."""

    def __init__(self, spec: S | None = None, counts: Cooccurrence | None = None) -> None:
        self.spec: S = spec or self.default()  # type: ignore[assignment]  # the two are declared together
        self._counts = counts
        self._weights = None if counts is None else self._nearest(counts)

    @abstractmethod
    def amounts(self, rows: Csr) -> Csr:
        """Computes the amounts of each listener (row) for the pairwise products.

        Above 0, from that row alone.
        """

    @abstractmethod
    def similarity(self, counts: Cooccurrence) -> Csr:
        """Computes similarities from the counts, shape (n_items, n_items), 0 or more; row i to column j."""

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`.

        Raises:
            InputError: the fit exceeds `memory_bytes`.
        """
        rows = _positive(interactions.to_matrix((options or FitOptions()).weights))
        size = f"{rows.shape[1]} items and {rows.shape[0]} listeners"
        instead = "use als or bpr, whose memory grows with the items only"
        check_memory(self.name, size, counting_bytes(rows), self.spec.memory_bytes, instead)
        return type(self)(self.spec, Cooccurrence.of(rows, self.amounts(rows)))

    def forget(self, history: History) -> Self:
        """Removes one listener; see `Unlearning.forget`. Bit-exact. Cost: one pass over the item pairs."""
        counts = check_fitted(self._counts, self.name)
        row = _positive(history_matrix([history], len(counts.totals)))
        return type(self)(self.spec, counts.without(Cooccurrence.of(row, self.amounts(row))))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN for items without listeners."""
        counts, weights = self._learned()
        scores = (history_matrix(histories, len(counts.totals)) @ weights).toarray()
        scores[:, counts.listeners == 0] = np.nan
        return take_items(scores, items)

    def contributions(self, history: History, item: int) -> Floats:
        """Computes the terms of a score.

        See `Additive.contributions`. All NaN for items without listeners.
        """
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
        """Returns the learned state; see `Persistent.state`."""
        return asdict(self.spec), check_fitted(self._counts, self.name).arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        try:
            chosen: Any = cls.default(**spec)
        except TypeError as error:
            raise ModelError(f"stored {cls.name} spec {spec}: {error}") from error
        return cls(chosen, Cooccurrence.from_arrays(arrays, cls.name))

    def _learned(self) -> tuple[Cooccurrence, Csr]:
        return check_fitted(self._counts, self.name), check_fitted(self._weights, self.name)

    def _nearest(self, counts: Cooccurrence) -> Csr:
        """Selects the largest similarities of each row, ties by item row, without the diagonal."""
        similarity = self.similarity(counts)
        row = owners(similarity)
        similarity = only(similarity, (row != similarity.indices) & (similarity.data > 0))
        # Compare at float32 precision, so that rounding in the last bit does not decide ties.
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
