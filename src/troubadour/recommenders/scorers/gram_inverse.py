"""Inverse P = (X'X + penalty)^-1 of the regularised Gram matrix, in item space or in listener space."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.sparse import Csr, csr, inverse_of_positive_definite, transpose
from troubadour.recommenders.base import NOT_FITTED_ON, require

Floats = NDArray[np.float64]


class Inverse(Protocol):
    """P = (X'X + penalty)^-1 over the items with listeners, as a linear operator."""

    diagonal: Floats

    def times(self, histories: Csr) -> Floats:
        """Computes histories @ P; `histories` has shape (n, n_items)."""
        ...

    def column(self, rows: NDArray[Any], item: int) -> Floats:
        """Returns P[rows, item]."""
        ...

    def without(self, row: Csr, kept: NDArray[np.bool_]) -> Inverse:
        """Removes one row (listener) from X, and restricts P to the items `kept`, which have other
        listeners."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays to store."""
        ...


class ItemSpace:
    """P as a dense matrix, shape (n, n); for fewer items than listeners."""

    def __init__(self, inverse: Floats) -> None:
        self._inverse = inverse
        self.diagonal: Floats = inverse.diagonal()

    @classmethod
    def solve(cls, train: Csr, penalty: float) -> Self:
        """Solves P from rows of listeners, shape (n_listeners, n_items)."""
        gram = (transpose(train) @ train).toarray()
        gram[np.diag_indices_from(gram)] += penalty
        return cls(inverse_of_positive_definite(gram))

    def times(self, histories: Csr) -> Floats:
        """Computes histories @ P; `histories` has shape (n, n_items)."""
        return histories @ self._inverse

    def column(self, rows: NDArray[Any], item: int) -> Floats:
        """Returns P[rows, item]."""
        column: Floats = self._inverse[rows, item]
        return column

    def without(self, row: Csr, kept: NDArray[np.bool_]) -> ItemSpace:
        """Removes listener x by P + Px (Px)' / (1 - x'Px) (Sherman & Morrison), restricted to `kept`."""
        direction = (row @ self._inverse)[0]
        left = 1.0 - float(direction[row.indices] @ row.data)
        # For a listener of the log this is at least penalty / (penalty + more) > 0.
        if left <= 1e-12:
            raise InputError(NOT_FITTED_ON)
        inverse = self._inverse[np.ix_(kept, kept)]
        part = direction[kept]
        inverse += np.multiply.outer(part / left, part)
        return ItemSpace(inverse)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays to store."""
        return {"inverse": self._inverse}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], n_items: int) -> Self:
        """Restores the result of `arrays`."""
        _check_shape(arrays["inverse"], (n_items, n_items))
        return cls(arrays["inverse"])


class ListenerSpace:
    """P = (1 - X'K) / penalty with K = (XX' + penalty)^-1 X, shape (m, n); for fewer listeners than items.

    Equal to `ItemSpace` by Woodbury's identity, without an n x n matrix.
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
        """Solves K from rows of listeners, shape (n_listeners, n_items)."""
        gram = (train @ transpose(train)).toarray()
        gram[np.diag_indices_from(gram)] += penalty
        projected = (transpose(train) @ inverse_of_positive_definite(gram)).T
        return cls(train, np.ascontiguousarray(projected), penalty)

    def times(self, histories: Csr) -> Floats:
        """Computes histories @ P; `histories` has shape (n, n_items)."""
        dense = histories.toarray()
        return (dense - (histories @ self._transposed).toarray() @ self._projected) / self._penalty

    def column(self, rows: NDArray[Any], item: int) -> Floats:
        """Returns P[rows, item]."""
        overlap = self._transposed[np.asarray(rows)] @ self._projected[:, item]
        column: Floats = ((np.asarray(rows) == item) - overlap) / self._penalty
        return column

    def without(self, row: Csr, kept: NDArray[np.bool_]) -> ListenerSpace:
        """Removes listener r by K_i - K_r M_ir / M_rr, where penalty * M_ir = (i is r) - K_i . x_r."""
        gone = self._find(row)
        column = -(self._projected[:, row.indices] @ row.data)
        column[gone] += 1.0
        stay = np.arange(len(column)) != gone
        ratio = column[stay] / column[gone]
        projected = self._projected[stay][:, kept]
        projected -= np.multiply.outer(ratio, self._projected[gone, kept])
        rest = self._train[stay]
        columns = (np.cumsum(kept) - 1)[rest.indices]
        train = csr(rest.data, columns, rest.indptr, (rest.shape[0], int(kept.sum())))
        return ListenerSpace(train, projected, self._penalty)

    def _find(self, row: Csr) -> int:
        starts = self._train.indptr
        for i in np.flatnonzero(np.diff(starts) == len(row.data)).tolist():
            here = slice(starts[i], starts[i + 1])
            if np.array_equal(self._train.indices[here], row.indices) and np.allclose(
                self._train.data[here], row.data, rtol=1e-12, atol=0
            ):
                return int(i)
        raise InputError(NOT_FITTED_ON)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays to store."""
        return {
            "data": self._train.data,
            "columns": self._train.indices,
            "starts": self._train.indptr,
            "projected": self._projected,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], n_items: int, penalty: float) -> Self:
        """Restores the result of `arrays`."""
        names = ("projected", "data", "columns", "starts")
        projected, data, columns, starts = (require(arrays, name, "EASE") for name in names)
        _check_shape(projected, (len(starts) - 1, n_items))
        if len(data) != len(columns) or (len(columns) and not 0 <= columns.max() < n_items):
            raise ModelError("stored EASE matrix does not match its items")
        return cls(csr(data, columns, starts, (len(starts) - 1, n_items)), projected, penalty)


def _check_shape(array: NDArray[Any], shape: tuple[int, int]) -> None:
    if array.shape != shape:
        raise ModelError(f"stored EASE array has shape {array.shape}; need {shape}")
