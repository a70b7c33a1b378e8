"""EASE: a linear model of what is heard together, in closed form (Steck, WWW 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import InputError, ModelError
from troubadour.listening.interactions import History, Interactions
from troubadour.listening.sparse import Csr, csr, inverse_of_positive_definite, transpose
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    State,
    check_fitted,
    history_matrix,
    pick,
    require,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EaseSpec:
    """What may be chosen about EASE."""

    regularisation: float = 300.0
    """L2 penalty, above 0; the larger, the more a score leans on well-supported pairs."""
    memory_bytes: int = 2 * 2**30
    """Most memory that fitting may take; a larger catalogue is refused with advice."""

    def __post_init__(self) -> None:
        if not 0 < self.regularisation < float("inf"):
            raise InputError(f"regularisation is {self.regularisation}; allowed: above 0")
        if self.memory_bytes < 1:
            raise InputError(f"memory_bytes is {self.memory_bytes}; allowed: 1 and above")


class _Inverse(Protocol):
    """P = (X'X + penalty)^-1 over the items heard by anybody, as an operator."""

    diagonal: Floats

    def times(self, histories: Csr) -> Floats: ...
    def column(self, rows: NDArray[Any], item: int) -> Floats: ...
    def arrays(self) -> dict[str, NDArray[Any]]: ...


class _ItemSpace:
    """P itself, shape (n, n): best where items are fewer than listeners."""

    def __init__(self, inverse: Floats) -> None:
        self._inverse = inverse
        self.diagonal: Floats = inverse.diagonal()

    @classmethod
    def solve(cls, train: Csr, penalty: float) -> Self:
        gram = (transpose(train) @ train).toarray()
        gram[np.diag_indices_from(gram)] += penalty
        return cls(inverse_of_positive_definite(gram))

    def times(self, histories: Csr) -> Floats:
        return histories @ self._inverse

    def column(self, rows: NDArray[Any], item: int) -> Floats:
        column: Floats = self._inverse[rows, item]
        return column

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"inverse": self._inverse}


class _ListenerSpace:
    """P = (1 - X'K) / penalty with K = (XX' + penalty)^-1 X, shape (m, n): best where m < n.

    The same numbers (Woodbury's identity) without ever forming an n x n matrix.
    """

    def __init__(self, train: Csr, projected: Floats, penalty: float) -> None:
        self._train = train
        self._transposed = transpose(train)
        self._projected = projected
        self._penalty = penalty
        owner = np.repeat(np.arange(train.shape[0]), np.diff(train.indptr))
        explained = np.bincount(
            train.indices,
            train.data * projected[owner, train.indices],
            minlength=train.shape[1],
        )
        self.diagonal: Floats = ((1.0 - explained) / penalty).astype(np.float64)

    @classmethod
    def solve(cls, train: Csr, penalty: float) -> Self:
        gram = (train @ transpose(train)).toarray()
        gram[np.diag_indices_from(gram)] += penalty
        projected = (transpose(train) @ inverse_of_positive_definite(gram)).T
        return cls(train, np.ascontiguousarray(projected), penalty)

    def times(self, histories: Csr) -> Floats:
        dense = histories.toarray()
        return (dense - (histories @ self._transposed).toarray() @ self._projected) / self._penalty

    def column(self, rows: NDArray[Any], item: int) -> Floats:
        overlap = self._transposed[np.asarray(rows)] @ self._projected[:, item]
        column: Floats = ((np.asarray(rows) == item) - overlap) / self._penalty
        return column

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "data": self._train.data,
            "columns": self._train.indices,
            "starts": self._train.indptr,
            "projected": self._projected,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    n_items: int
    active: NDArray[np.int64]
    """Rows of the items that anybody heard, ascending; P is over these only."""
    inverse: _Inverse

    def columns(self, items: NDArray[Any]) -> NDArray[np.int64]:
        """Position of each item among the active ones, -1 for the others."""
        place = np.searchsorted(self.active, items)
        place[place == len(self.active)] = 0
        found = self.active[place] == items if len(self.active) else np.zeros(items.shape, dtype=bool)
        return np.where(found, place, -1)


class EaseRecommender:
    """score_j = sum over the history of weight_i * B_ij, with B_ij = -P_ij / P_jj and B_jj = 0.

    P is the inverse of the regularised item Gram matrix. Solved in item space or, where there are
    fewer listeners than items, in listener space, which gives the same scores. float64.

    Cost of fitting: s^3 / 3 multiplications and about 24 s^2 bytes for s = min(items heard,
    listeners), and 16 * s * items bytes more in listener space; a score: one row of products.

    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
    """

    def __init__(self, spec: EaseSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or EaseSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`.

        Raises:
            InputError: the catalogue does not fit `memory_bytes`.
        """
        matrix = interactions.to_matrix((options or FitOptions()).weights)
        active = np.unique(matrix.indices).astype(np.int64)
        heard = matrix[np.diff(matrix.indptr) > 0]
        columns = np.searchsorted(active, heard.indices)
        train = csr(heard.data, columns, heard.indptr, (heard.shape[0], len(active)))
        listeners, items = train.shape
        self._check_memory(listeners, items)
        space = _ListenerSpace if listeners < items else _ItemSpace
        inverse = space.solve(train, self.spec.regularisation)
        return type(self)(self.spec, _Learned(matrix.shape[1], active, inverse))

    def _check_memory(self, listeners: int, items: int) -> None:
        side = min(listeners, items)
        needed = 24 * side**2 + (16 * listeners * items if listeners < items else 0)
        allowed = self.spec.memory_bytes
        if needed > allowed:
            raise InputError(
                f"EASE over {items} items and {listeners} listeners needs about "
                f"{needed / 2**30:.2g} GiB; memory_bytes allows {allowed / 2**30:.2g} GiB: "
                "raise it, leave out items that few heard, or use content or popularity, which "
                "need no such matrix"
            )

    def known(self, n_items: int) -> NDArray[np.bool_]:
        """Which of the first `n_items` rows anybody heard in training."""
        learned = check_fitted(self._learned, "EASE")
        mask = np.zeros(n_items, dtype=bool)
        mask[learned.active[learned.active < n_items]] = True
        return mask

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN for an item that nobody heard in training."""
        learned = check_fitted(self._learned, "EASE")
        matrix = history_matrix(histories, learned.n_items)
        place = learned.columns(matrix.indices)
        owner = np.repeat(np.arange(len(histories)), np.diff(matrix.indptr))[place >= 0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(histories)))])
        shape = (len(histories), len(learned.active))
        known = csr(matrix.data[place >= 0], place[place >= 0], starts, shape)
        scores = np.full((len(histories), learned.n_items), np.nan)
        # -(hP)_j / P_jj counts the item itself as -h_j, which B_jj = 0 takes back.
        scores[:, learned.active] = known.toarray() - (
            learned.inverse.times(known) / learned.inverse.diagonal
        )
        return pick(scores, items)

    def contributions(self, history: History, item: int) -> Floats:
        """See `Additive.contributions`; all NaN for an item that nobody heard in training."""
        learned = check_fitted(self._learned, "EASE")
        target = int(learned.columns(np.array([item]))[0])
        if target < 0:
            return np.full(len(history), np.nan)
        place = learned.columns(history.items.astype(np.int64))
        rows = np.flatnonzero((place >= 0) & (place != target))
        parts = np.zeros(len(history))
        column = learned.inverse.column(place[rows], target)
        parts[rows] = -history.weights[rows] * column / learned.inverse.diagonal[target]
        return parts

    def state(self) -> State:
        """See `Persistent.state`."""
        learned = check_fitted(self._learned, "EASE")
        spec = {**asdict(self.spec), "n_items": learned.n_items}
        return spec, {"active": learned.active, **learned.inverse.arrays()}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        regularisation = float(require(spec, "regularisation", "EASE"))
        active = require(arrays, "active", "EASE").astype(np.int64)
        n = len(active)
        if "inverse" in arrays:
            _check_shape(arrays["inverse"], (n, n))
            inverse: _Inverse = _ItemSpace(arrays["inverse"])
        else:
            projected = require(arrays, "projected", "EASE")
            starts = require(arrays, "starts", "EASE")
            columns = require(arrays, "columns", "EASE")
            data = require(arrays, "data", "EASE")
            _check_shape(projected, (len(starts) - 1, n))
            if len(data) != len(columns) or (len(columns) and not 0 <= columns.max() < n):
                raise ModelError("stored EASE matrix does not fit its items")
            train = csr(data, columns, starts, (len(starts) - 1, n))
            inverse = _ListenerSpace(train, projected, regularisation)
        learned = _Learned(int(require(spec, "n_items", "EASE")), active, inverse)
        return cls(EaseSpec(regularisation, int(require(spec, "memory_bytes", "EASE"))), learned)


def _check_shape(array: NDArray[Any], shape: tuple[int, int]) -> None:
    if array.shape != shape:
        raise ModelError(f"stored EASE array has shape {array.shape}; need {shape}")
