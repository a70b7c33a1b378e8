"""Items as points of few dimensions, on which a history is placed: what ALS and BPR have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import ModelError
from troubadour.listening.interactions import History
from troubadour.listening.sparse import Csr
from troubadour.recommenders.base import Items, Scores, history_matrix, pick, require

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ItemFactors:
    """One vector an item."""

    vectors: NDArray[np.float32]
    """Shape (n_items, d)."""
    known: NDArray[np.bool_]
    """Items that anybody heard, shape (n_items,); the others' vectors say nothing."""

    def score(
        self, histories: Sequence[History], items: Items | None, place: Callable[[Csr], Floats]
    ) -> Scores:
        """Products with each history's own vector; NaN for an item that nobody heard.

        Args:
            place: own vectors, shape (n_histories, d), of rows of weights over the known items.
        """
        rows = history_matrix(histories, len(self.vectors))
        rows.data = np.where(self.known[rows.indices], rows.data, 0.0)
        scores = (place(rows).astype(np.float32) @ self.vectors.T).astype(np.float64)
        scores[:, ~self.known] = np.nan
        return pick(scores, items)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to store."""
        return {"vectors": self.vectors, "known": self.known}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], model: str) -> Self:
        """Restore what `arrays` returned.

        Raises:
            ModelError: a part is missing or does not fit the others.
        """
        vectors, known = require(arrays, "vectors", model), require(arrays, "known", model)
        if vectors.ndim != 2 or known.shape != vectors.shape[:1] or not np.isfinite(vectors).all():
            raise ModelError(
                f"stored {model} vectors have shape {vectors.shape}, and {known.shape} are known"
            )
        return cls(vectors.astype(np.float32), known.astype(bool))
