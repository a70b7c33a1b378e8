"""Co-occurrence counts of item pairs that support exact removal of listeners.

All summands are multiples of 2^-24, and sums stay below 2^29. float64 then adds and subtracts without
rounding, so removal of a listener gives bit-exact the counts of the other listeners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.sparse import Csr, combined, csr, in_order, transpose, with_data
from troubadour.recommenders.base import NOT_FITTED_ON, require

Floats = NDArray[np.float64]
_GRAIN: Final = 4096.0


@dataclass(frozen=True, slots=True, eq=False)
class Cooccurrence:
    """Sums over listeners; each listener is one row of non-negative amounts."""

    gram: Csr
    """Sums of products of amounts for each item pair, shape (n_items, n_items), symmetric."""
    totals: Floats
    """Sum of weights of each item, shape (n_items,)."""
    listeners: NDArray[np.int64]
    """Number of listeners of each item, shape (n_items,)."""

    @classmethod
    def of(cls, weights: Csr, amounts: Csr) -> Self:
        """Computes the sums over rows of listeners.

        Args:
            weights: summed to `totals`, shape (n_listeners, n_items).
            amounts: multiplied pairwise, same shape and same cells.

        Raises:
            InputError: the sums are too large for exact arithmetic.
        """
        n = weights.shape[1]
        fine = with_data(amounts, np.round(amounts.data * _GRAIN) / _GRAIN)
        gram = in_order(transpose(fine) @ fine)
        coarse = np.round(weights.data * _GRAIN) / _GRAIN
        totals = np.bincount(weights.indices, coarse, minlength=n).astype(np.float64)
        if max(gram.data.max(initial=0.0), totals.max(initial=0.0)) >= 2.0**29:
            raise InputError("weights are too large for exact counts; use smaller weights")
        return cls(gram, totals, np.bincount(weights.indices, minlength=n).astype(np.int64))

    def without(self, part: Cooccurrence) -> Cooccurrence:
        """Subtracts the sums of some listeners.

        Raises:
            InputError: those listeners cannot be part of these sums.
        """
        gram = combined(self.gram, part.gram, -1.0)
        totals, listeners = self.totals - part.totals, self.listeners - part.listeners
        if gram.data.min(initial=0.0) < 0 or min(totals.min(initial=0), listeners.min(initial=0)) < 0:
            raise InputError(NOT_FITTED_ON)
        return Cooccurrence(gram, totals, listeners)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays to store."""
        return {
            "gram": self.gram.data,
            "gram_columns": self.gram.indices,
            "gram_starts": self.gram.indptr,
            "totals": self.totals,
            "listeners": self.listeners,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], model: str) -> Self:
        """Restores the result of `arrays`.

        Raises:
            ModelError: a part is missing or does not match the others.
        """
        names = ("gram", "gram_columns", "gram_starts", "totals", "listeners")
        data, columns, starts, totals, listeners = (require(arrays, name, model) for name in names)
        n = len(totals)
        if len(starts) != n + 1 or len(listeners) != n or not len(data) == len(columns) == starts[-1]:
            raise ModelError(f"stored {model} counts do not match each other")
        if len(columns) and not 0 <= columns.min() <= columns.max() < n:
            raise ModelError(f"stored {model} counts hold items outside 0 to {n - 1}")
        return cls(csr(data, columns, starts, (n, n)), totals, listeners)


def counting_bytes(weights: Csr) -> float:
    """Estimates the peak memory of `of`, bytes."""
    lengths = np.diff(weights.indptr).astype(np.float64)
    cells = min(float((lengths**2).sum()), float(weights.shape[1]) ** 2)
    return 48.0 * cells
