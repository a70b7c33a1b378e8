"""Popularity model: baseline, and fallback for listeners without a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    NOT_FITTED_ON,
    FitOptions,
    Items,
    Scores,
    State,
    check_fitted,
    require,
    take_items,
)


class PopularRecommender:
    """Popularity: score = number of distinct listeners with a positive weight for the item, equal for all
    histories.

    Each listener counts once, whatever the number of plays. Cost: one pass over the events.
    """

    def __init__(self, counts: NDArray[np.int64] | None = None, n_listeners: int = 0) -> None:
        self._counts = counts
        self._n_listeners = n_listeners

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`."""
        matrix = interactions.to_matrix((options or FitOptions()).weights)
        counts = np.bincount(matrix.indices[matrix.data > 0], minlength=matrix.shape[1])
        return type(self)(counts.astype(np.int64), int((np.diff(matrix.indptr) > 0).sum()))

    def forget(self, history: History) -> Self:
        """Removes one listener; see `Unlearning.forget`. Bit-exact."""
        counts = self.counts.copy()
        there = history.items < len(counts)
        counts[history.items[there & (history.weights > 0)]] -= 1
        present = bool((history.weights[there] != 0).any())
        if counts.min(initial=0) < 0 or self._n_listeners < present:
            raise InputError(NOT_FITTED_ON)
        return type(self)(counts, self._n_listeners - present)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of listeners of each item, int64, shape (n_items,)."""
        return check_fitted(self._counts, "popularity")

    @property
    def n_listeners(self) -> int:
        """Number of listeners with an interaction."""
        return self._n_listeners

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. 0 for items without listeners."""
        counts = self.counts.astype(np.float64)
        return take_items(np.broadcast_to(counts, (len(histories), len(counts))), items)

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        return {"n_listeners": self._n_listeners}, {"counts": self.counts}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        counts = require(arrays, "counts", "popularity")
        if counts.ndim != 1 or (len(counts) and counts.min() < 0):
            raise ModelError(f"stored popularity counts have shape {counts.shape}; need (n_items,)")
        return cls(counts.astype(np.int64), int(require(spec, "n_listeners", "popularity")))
