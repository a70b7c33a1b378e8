"""BPR: factors that put what was heard before what was not; fitted by the `implicit` library."""

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
    """What may be chosen about BPR; one dimension more than `factors` holds each item's own worth."""

    rate: float = 0.05
    """Step of the gradient, above 0 to 1."""
    regularisation: float = 0.01
    """L2 penalty, 0 to 10."""
    iterations: int = 100
    """Passes over the log, 1 to 10,000."""
    pull: float = 0.1
    """Penalty on the vector of a history that is placed, above 0 to 100, a unit of weight heard."""

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
    """score_j = u . y_j + worth_j, with u placed by one Newton step on BPR's own loss.

    The mean over a history's items i and all items j of log sigmoid(x), x = u . (y_i - y_j) +
    worth_i - worth_j, is log(1/2) + x / 2 - x^2 / 8 up to third order, whose maximum less
    pull / 2 * |u|^2 is a linear system in u: nothing is drawn, and no listener needs a row of
    their own. Negative weights are ignored: BPR knows only heard and not heard.

    Cost: iterations * cells * d. See `FactorRecommender`.

    Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme, "BPR: Bayesian personalized ranking
    from implicit feedback", UAI 2009, by `implicit`.
    """

    name: ClassVar[str] = "BPR"
    default: ClassVar[type[FactorSpec]] = BprSpec

    @property
    def width(self) -> int:
        """See `FactorRecommender.width`."""
        return self.spec.factors + 1

    def cells(self, matrix: Csr) -> Csr:
        """See `FactorRecommender.cells`: what was liked."""
        return only(matrix, matrix.data > 0)

    def factorise(self, cells: Csr) -> NDArray[np.float32]:
        """See `FactorRecommender.factorise`."""
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

    def place(self, rows: Csr) -> Floats:
        """See `FactorRecommender.place`; the last dimension is 1."""
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
