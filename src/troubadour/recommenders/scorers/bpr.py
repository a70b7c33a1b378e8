"""BPR: matrix factorisation by pairwise ranking, fitted by the `implicit` library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.sparse import Csr, as_spmatrix, only
from troubadour.recommenders.base import Search, check_range
from troubadour.recommenders.scorers.factors import FactorRecommender, FactorSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BprSpec(FactorSpec):
    """Hyperparameters of BPR; one dimension beyond `factors` holds the item biases."""

    rate: float = 0.05
    """Learning rate, above 0 to 1."""
    regularisation: float = 0.01
    """L2 penalty, 0 to 10."""
    iterations: int = 100
    """Epochs over the log, 1 to 10,000."""
    pull: float = 0.1
    """L2 penalty on the vector of a folded-in history, above 0 to 100, per unit of positive weight."""

    def __post_init__(self) -> None:
        FactorSpec.__post_init__(self)
        check_range("rate", self.rate, 0, 1, above=True)
        check_range("regularisation", self.regularisation, 0, 10)
        check_range("iterations", self.iterations, 1, 10_000)
        check_range("pull", self.pull, 0, 100, above=True)


SEARCH: Final[Search] = {
    "factors": (32, 256, True),
    "rate": (0.01, 0.2, True),
    "regularisation": (0.001, 0.1, True),
    "iterations": (50, 400, True),
}


class BprRecommender(FactorRecommender[BprSpec]):
    """BPR: score_j = u . y_j + bias_j, with u folded in by one Newton step on the BPR loss.

    Let x = u . (y_i - y_j) + bias_i - bias_j. The mean of log sigmoid(x) over history items i and all items
    j is log(1/2) + x / 2 - x^2 / 8 up to third order. Its maximum with the penalty pull / 2 * |u|^2 is the
    solution of a linear system in u, so folding in needs no sampling. Negative weights are ignored.

    Cost: iterations * cells * d. See `FactorRecommender`.

    Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit
    feedback", UAI 2009, in `implicit`.
    """

    name: ClassVar[str] = "BPR"
    default: ClassVar[type[FactorSpec]] = BprSpec

    @property
    def width(self) -> int:
        """Number of dimensions; see `FactorRecommender.width`."""
        return self.spec.factors + 1

    def cells(self, matrix: Csr) -> Csr:
        """Selects the positive cells; see `FactorRecommender.cells`."""
        return only(matrix, matrix.data > 0)

    def factorise(self, cells: Csr) -> NDArray[np.float32]:
        """Factorises the log; see `FactorRecommender.factorise`."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.spec.factors,
            learning_rate=self.spec.rate,
            regularization=self.spec.regularisation,
            iterations=self.spec.iterations,
            num_threads=1,
            random_state=self.spec.seed,
        )
        model.fit(as_spmatrix(cells), show_progress=False)
        vectors: NDArray[np.float32] = model.item_factors
        return vectors

    def fold_in(self, rows: Csr) -> Floats:
        """Folds in histories; see `FactorRecommender.fold_in`. The last dimension is 1."""
        learned = self.item_factors
        n = max(1, int(learned.known.sum()))
        centre = learned.vectors[learned.known].sum(axis=0, dtype=np.float64) / n
        spread = learned.gram / n - np.multiply.outer(centre, centre)
        placed = np.zeros((rows.shape[0], len(centre)))
        placed[:, -1] = 1.0
        for i, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
            weights = np.maximum(rows.data[start:end], 0.0)
            if not weights.any():
                continue
            weights = weights / weights.sum()
            above = learned.vectors[rows.indices[start:end]] - centre
            curve = ((above.T * weights) @ above + spread) / 4.0
            slope = weights @ above / 2.0
            left = curve[:-1, :-1] + self.spec.pull * np.eye(len(centre) - 1)
            placed[i, :-1] = np.linalg.solve(left, slope[:-1] - curve[:-1, -1])
        return placed
