"""ALS: matrix factorisation for implicit feedback with confidence weights, fitted by the `implicit`
library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History
from troubadour.interactions.sparse import Csr, as_spmatrix, with_data
from troubadour.recommenders.base import Search, check_range
from troubadour.recommenders.scorers.factors import FactorRecommender, FactorSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlsSpec(FactorSpec):
    """Hyperparameters of ALS."""

    confidence: float = 20.0
    """Additional confidence per unit of weight, relative to absent cells, above 0 to 10,000."""
    regularisation: float = 80.0
    """L2 penalty, above 0 to 1,000,000. Very small logs need a smaller penalty, or all factors become 0."""
    iterations: int = 8
    """Alternations over listeners and items, 1 to 1,000."""

    def __post_init__(self) -> None:
        FactorSpec.__post_init__(self)
        check_range("confidence", self.confidence, 0, 10_000, above=True)
        check_range("regularisation", self.regularisation, 0, 1e6, above=True)
        check_range("iterations", self.iterations, 1, 1000)


SEARCH: Final[Search] = {
    "regularisation": (20.0, 400.0, True),
    "confidence": (5.0, 60.0, True),
    "factors": (32, 128, True),
}


class AlsRecommender(FactorRecommender[AlsSpec]):
    """ALS: score_j = u . y_j, with u solved exactly from the history (one half-step of the fit).

    Cells have preference 1 (0 for negative weights) and confidence 1 + confidence * |weight|. Absent cells
    have preference 0 and confidence 1. Factors are float32. See `FactorRecommender`.

    Cost: iterations * (cells * d + (listeners + items) * d^2) for d factors; folding in a history costs
    d^3 / 3 + length * d^2.

    Source: Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008;
    conjugate gradients of Takács, Pilászy & Tikk, RecSys 2011, in `implicit`.
    """

    name: ClassVar[str] = "ALS"
    default: ClassVar[type[FactorSpec]] = AlsSpec

    def factorise(self, cells: Csr) -> NDArray[np.float32]:
        """Factorises the log; see `FactorRecommender.factorise`."""
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=self.spec.factors,
            regularization=self.spec.regularisation,
            iterations=self.spec.iterations,
            num_threads=1,
            random_state=self.spec.seed,
        )
        # Convention of `implicit`: the sign encodes the preference, 1 or 0.
        sign = np.where(cells.data > 0, 1.0, -1.0)
        trusted = with_data(cells, sign * (1.0 + self.spec.confidence * np.abs(cells.data)))
        model.fit(as_spmatrix(trusted), show_progress=False)
        vectors: NDArray[np.float32] = model.item_factors
        return vectors

    def fold_in(self, rows: Csr) -> Floats:
        """Folds in histories; see `FactorRecommender.fold_in`."""
        placed = np.zeros((rows.shape[0], self.width))
        for i, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
            left, liked = self._equation(rows.indices[start:end], rows.data[start:end])
            if liked.any():
                placed[i] = np.linalg.solve(left, liked.sum(axis=0))
        return placed

    def _equation(self, items: NDArray[np.int32], weights: Floats) -> tuple[Floats, Floats]:
        """Builds the normal equations left @ u = liked.sum(axis=0).

        Shapes (d, d) and (n, d), one row per item.
        """
        theirs = self.item_factors.vectors[items].astype(np.float64)
        extra = self.spec.confidence * np.abs(weights)
        left = self.item_factors.gram + self.spec.regularisation * np.eye(self.width)
        return left + (theirs.T * extra) @ theirs, theirs * ((1.0 + extra) * (weights > 0))[:, None]

    def contributions(self, history: History, item: int) -> Floats:
        """Computes the terms of a score; see `Additive.contributions`. All NaN for items without listeners.

        Disliked items have term 0; they reduce the terms of the other items. Source: Hu, Koren & Volinsky,
        section 5.
        """
        learned = self.item_factors
        if item >= len(learned.known) or not learned.known[item]:
            return np.full(len(history), np.nan)
        parts = np.zeros(len(history))
        rows = np.flatnonzero(history.items < len(learned.known))
        rows = rows[learned.known[history.items[rows]]]
        left, liked = self._equation(history.items[rows], history.weights[rows])
        parts[rows] = liked @ np.linalg.solve(left, learned.vectors[item].astype(np.float64))
        return parts
