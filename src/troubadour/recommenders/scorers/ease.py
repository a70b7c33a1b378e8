"""EASE: linear item-item model in closed form (Steck, WWW 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.interactions.sparse import Csr, csr, in_order, only
from troubadour.recommenders.base import (
    NOT_FITTED_ON,
    FitOptions,
    Items,
    Scores,
    Search,
    State,
    check_fitted,
    check_memory,
    history_matrix,
    require,
    take_items,
)
from troubadour.recommenders.scorers.gram_inverse import Inverse, ItemSpace, ListenerSpace

Floats = NDArray[np.float64]
SEARCH: Final[Search] = {"regularisation": (10.0, 3000.0, True)}


@dataclass(frozen=True, slots=True)
class EaseSpec:
    """Hyperparameters of EASE."""

    regularisation: float = 300.0
    """L2 penalty, above 0; large values favour item pairs with many listeners."""
    memory_bytes: int = 2 * 2**30
    """Memory limit of the fit, bytes; larger problems raise `InputError`."""

    def __post_init__(self) -> None:
        if not 0 < self.regularisation < float("inf"):
            raise InputError(f"regularisation is {self.regularisation}; allowed: above 0")
        if self.memory_bytes < 1:
            raise InputError(f"memory_bytes is {self.memory_bytes}; allowed: 1 and above")


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    n_items: int
    active: NDArray[np.int64]
    """Rows of items with listeners, ascending, shape (n_active,); P covers only these."""
    listeners: NDArray[np.int64]
    """Number of listeners of each active item, above 0, shape (n_active,)."""
    inverse: Inverse

    def columns(self, items: NDArray[Any]) -> NDArray[np.int64]:
        """Returns the position of each item among the active items; -1 = not active."""
        fold_in = np.searchsorted(self.active, items)
        fold_in[fold_in == len(self.active)] = 0
        found = self.active[fold_in] == items if len(self.active) else np.zeros(items.shape, dtype=bool)
        return np.where(found, fold_in, -1)


class EaseRecommender:
    """EASE: score_j = sum over the history of weight_i * B_ij, with B_ij = -P_ij / P_jj and B_jj = 0.

    P is the inverse of the regularised Gram matrix of the items, float64. It is solved in item space, or in
    listener space if there are fewer listeners than items; the scores are the same.

    Cost of the fit for s = min(items with listeners, listeners): s^3 / 3 multiplications and about 24 s^2
    bytes; in listener space 16 * s * items bytes more. Scoring a history costs one row of products.

    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
    """

    def __init__(self, spec: EaseSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or EaseSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`.

        Raises:
            InputError: the fit exceeds `memory_bytes`.
        """
        matrix = interactions.to_matrix((options or FitOptions()).weights)
        active = np.unique(matrix.indices).astype(np.int64)
        non_empty = matrix[np.diff(matrix.indptr) > 0]
        columns = np.searchsorted(active, non_empty.indices)
        train = csr(non_empty.data, columns, non_empty.indptr, (non_empty.shape[0], len(active)))
        listeners, items = train.shape
        self._check_memory(listeners, items)
        space = ListenerSpace if listeners < items else ItemSpace
        inverse = space.solve(train, self.spec.regularisation)
        counts = np.bincount(train.indices, minlength=items).astype(np.int64)
        return type(self)(self.spec, _Learned(matrix.shape[1], active, counts, inverse))

    def _check_memory(self, listeners: int, items: int) -> None:
        side = min(listeners, items)
        needed = 24 * side**2 + (16 * listeners * items if listeners < items else 0)
        check_memory(
            "EASE",
            f"{items} items and {listeners} listeners",
            needed,
            self.spec.memory_bytes,
            "remove items with few listeners, or use als, rp3beta or popular, which need no such matrix",
        )

    def forget(self, history: History) -> Self:
        """Removes one listener; see `Unlearning.forget`. Exact within 1e-8.

        Cost: s^2 operations and as much memory as the model, instead of s^3 for a refit.
        """
        learned = check_fitted(self._learned, "EASE")
        row = self._rows([history], learned)
        counts = learned.listeners.copy()
        counts[row.indices] -= 1
        known_items = (history.weights != 0) & (history.items < learned.n_items)
        if len(row.data) < known_items.sum():
            raise InputError(NOT_FITTED_ON)
        if not len(row.data):  # the fit dropped the empty row
            return self
        kept = counts > 0
        inverse = learned.inverse.without(row, kept)
        return type(self)(self.spec, _Learned(learned.n_items, learned.active[kept], counts[kept], inverse))

    @staticmethod
    def _rows(histories: Sequence[History], learned: _Learned) -> Csr:
        """Selects the active items of histories, shape (n_histories, n_active)."""
        matrix = history_matrix(histories, learned.n_items)
        fold_in = learned.columns(matrix.indices)
        matrix = only(matrix, (fold_in >= 0) & (matrix.data != 0))
        return in_order(
            csr(
                matrix.data,
                learned.columns(matrix.indices),
                matrix.indptr,
                (len(histories), len(learned.active)),
            )
        )

    def known(self, n_items: int) -> NDArray[np.bool_]:
        """Mask of the first `n_items` rows: items with listeners in training."""
        learned = check_fitted(self._learned, "EASE")
        mask = np.zeros(n_items, dtype=bool)
        mask[learned.active[learned.active < n_items]] = True
        return mask

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN for items without listeners in training."""
        learned = check_fitted(self._learned, "EASE")
        known = self._rows(histories, learned)
        scores = np.full((len(histories), learned.n_items), np.nan)
        # -(hP)_j / P_jj contains the term -h_j of the item itself; B_jj = 0 removes it.
        scores[:, learned.active] = known.toarray() - (
            learned.inverse.times(known) / learned.inverse.diagonal
        )
        return take_items(scores, items)

    def contributions(self, history: History, item: int) -> Floats:
        """Computes the terms of a score.

        See `Additive.contributions`. All NaN for items without listeners.
        """
        learned = check_fitted(self._learned, "EASE")
        target = int(learned.columns(np.array([item]))[0])
        if target < 0:
            return np.full(len(history), np.nan)
        fold_in = learned.columns(history.items.astype(np.int64))
        rows = np.flatnonzero((fold_in >= 0) & (fold_in != target))
        parts = np.zeros(len(history))
        column = learned.inverse.column(fold_in[rows], target)
        parts[rows] = -history.weights[rows] * column / learned.inverse.diagonal[target]
        return parts

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        learned = check_fitted(self._learned, "EASE")
        spec = {**asdict(self.spec), "n_items": learned.n_items}
        return spec, {"active": learned.active, "listeners": learned.listeners, **learned.inverse.arrays()}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        regularisation = float(require(spec, "regularisation", "EASE"))
        active = require(arrays, "active", "EASE").astype(np.int64)
        listeners = require(arrays, "listeners", "EASE").astype(np.int64)
        n = len(active)
        if listeners.shape != (n,):
            raise ModelError(f"stored EASE counts {listeners.shape} listeners of {n} items")
        if "inverse" in arrays:
            inverse: Inverse = ItemSpace.from_arrays(arrays, n)
        else:
            inverse = ListenerSpace.from_arrays(arrays, n, regularisation)
        learned = _Learned(int(require(spec, "n_items", "EASE")), active, listeners, inverse)
        return cls(EaseSpec(regularisation, int(require(spec, "memory_bytes", "EASE"))), learned)
