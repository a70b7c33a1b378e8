"""How much listeners have pairs of items in common, as sums from which a listener can be taken again.

Every summand is a multiple of 2^-24, so that float64 adds and subtracts them without rounding as
long as a sum stays below 2^29: what is left after forgetting a listener is to the bit what had been
counted without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.sparse import Csr, combined, csr, in_order, transpose, with_data
from troubadour.recommenders.base import STRANGER, require

Floats = NDArray[np.float64]
_GRAIN: Final = 4096.0


@dataclass(frozen=True, slots=True, eq=False)
class Cooccurrence:
    """Sums over listeners, each of whom is one row of non-negative amounts."""

    gram: Csr
    """Sum of the products of the amounts of two items, shape (n_items, n_items), symmetric."""
    totals: Floats
    """Sum of the weights of an item, shape (n_items,)."""
    listeners: NDArray[np.int64]
    """How many listeners have an item, shape (n_items,)."""

    @classmethod
    def of(cls, weights: Csr, amounts: Csr) -> Self:
        """Count rows of listeners, shape (n_listeners, n_items) both, and with the same cells.

        Args:
            weights: what is added up to `totals`.
            amounts: what is multiplied pairwise.

        Raises:
            InputError: the sums are too large to be exact.
        """
        n = weights.shape[1]
        fine = with_data(amounts, np.round(amounts.data * _GRAIN) / _GRAIN)
        gram = in_order(transpose(fine) @ fine)
        coarse = np.round(weights.data * _GRAIN) / _GRAIN
        totals = np.bincount(weights.indices, coarse, minlength=n).astype(np.float64)
        if max(gram.data.max(initial=0.0), totals.max(initial=0.0)) >= 2.0**29:
            raise InputError("weights are too large to be counted exactly; use smaller weights")
        return cls(gram, totals, np.bincount(weights.indices, minlength=n).astype(np.int64))

    def without(self, part: Cooccurrence) -> Cooccurrence:
        """These sums less those of some of the listeners.

        Raises:
            InputError: they cannot have been among those that were counted.
        """
        gram = combined(self.gram, part.gram, -1.0)
        totals, listeners = self.totals - part.totals, self.listeners - part.listeners
        if gram.data.min(initial=0.0) < 0 or min(totals.min(initial=0), listeners.min(initial=0)) < 0:
            raise InputError(STRANGER)
        return Cooccurrence(gram, totals, listeners)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to store."""
        return {
            "gram": self.gram.data,
            "gram_columns": self.gram.indices,
            "gram_starts": self.gram.indptr,
            "totals": self.totals,
            "listeners": self.listeners,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], model: str) -> Self:
        """Restore what `arrays` returned.

        Raises:
            ModelError: a part is missing or does not fit the others.
        """
        names = ("gram", "gram_columns", "gram_starts", "totals", "listeners")
        data, columns, starts, totals, listeners = (require(arrays, name, model) for name in names)
        n = len(totals)
        if len(starts) != n + 1 or len(listeners) != n or not len(data) == len(columns) == starts[-1]:
            raise ModelError(f"stored {model} counts do not fit each other")
        if len(columns) and not 0 <= columns.min() <= columns.max() < n:
            raise ModelError(f"stored {model} counts hold items outside 0 to {n - 1}")
        return cls(csr(data, columns, starts, (n, n)), totals, listeners)


def counting_bytes(weights: Csr) -> float:
    """Most memory that counting rows of listeners can take, bytes."""
    lengths = np.diff(weights.indptr).astype(np.float64)
    cells = min(float((lengths**2).sum()), float(weights.shape[1]) ** 2)
    return 48.0 * cells
