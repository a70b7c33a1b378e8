"""BPR: factors that put what was heard before what was not; fitted by the `implicit` library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.blas import one_thread
from troubadour.errors import ModelError
from troubadour.listening.interactions import History, Interactions
from troubadour.listening.sparse import Csr, as_spmatrix, only
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    Search,
    State,
    check_fitted,
    check_memory,
    check_range,
)
from troubadour.recommenders.factors import ItemFactors

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BprSpec:
    """What may be chosen about BPR."""

    factors: int = 64
    """Dimensions, 1 to 1,024; one more holds each item's own worth."""
    rate: float = 0.05
    """Step of the gradient, above 0 to 1."""
    regularisation: float = 0.01
    """L2 penalty, 0 to 10."""
    iterations: int = 100
    """Passes over the log, 1 to 10,000."""
    pull: float = 0.1
    """Penalty on the vector of a history that is placed, above 0 to 100, a unit of weight heard."""
    seed: int = 0
    """Of the first factors and of the pairs drawn, 0 to 2^32 - 1."""
    memory_bytes: int = 2 * 2**30
    """Most memory that fitting may take; a larger log is refused with advice."""

    def __post_init__(self) -> None:
        check_range("factors", self.factors, 1, 1024)
        check_range("rate", self.rate, 0, 1, above=True)
        check_range("regularisation", self.regularisation, 0, 10)
        check_range("iterations", self.iterations, 1, 10_000)
        check_range("pull", self.pull, 0, 100, above=True)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


SEARCH: Final[Search] = {
    "factors": (32, 256, True),
    "rate": (0.01, 0.2, True),
    "regularisation": (0.001, 0.1, True),
    "iterations": (50, 400, True),
}


class BprRecommender:
    """score_j = u . y_j + worth_j, with u placed by one Newton step on BPR's own loss.

    The mean over a history's items i and all items j of log sigmoid(x), x = u . (y_i - y_j) +
    worth_i - worth_j, is log(1/2) + x / 2 - x^2 / 8 up to third order, whose maximum less
    pull / 2 * |u|^2 is a linear system in u: nothing is drawn, and no listener needs a row of
    their own. Negative weights are ignored: BPR knows only heard and not heard.

    Cost: iterations * cells * d; 4 d bytes a listener and an item, and about 24 a cell. One
    thread, the same for a seed.

    Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme, "BPR: Bayesian personalized ranking
    from implicit feedback", UAI 2009, by `implicit`.
    """

    def __init__(self, spec: BprSpec | None = None, learned: ItemFactors | None = None) -> None:
        self.spec = spec or BprSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`.

        Raises:
            InputError: the log does not fit `memory_bytes`.
        """
        matrix = interactions.to_matrix((options or FitOptions()).weights)
        matrix = only(matrix, matrix.data > 0)
        listeners, items = matrix.shape
        d = self.spec.factors + 1
        needed = 4.0 * d * (listeners + items) + 24.0 * len(matrix.data)
        instead = "take fewer factors, or use popular or content, which need no factors"
        check_memory(
            "BPR", f"{items} items and {listeners} listeners", needed, self.spec.memory_bytes, instead
        )
        known = np.bincount(matrix.indices, minlength=items) > 0
        if not known.any():
            return type(self)(self.spec, ItemFactors(np.zeros((items, d), dtype=np.float32), known))
        with one_thread():
            vectors = self._factorise(matrix)
        return type(self)(self.spec, ItemFactors(np.where(known[:, None], vectors, 0.0), known))

    def _factorise(self, matrix: Csr) -> NDArray[np.float32]:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.spec.factors,
            learning_rate=self.spec.rate,
            regularization=self.spec.regularisation,
            iterations=self.spec.iterations,
            num_threads=1,
            random_state=self.spec.seed,
        )
        model.fit(as_spmatrix(matrix), show_progress=False)
        vectors: NDArray[np.float32] = model.item_factors
        return vectors

    def place(self, rows: Csr) -> Floats:
        """Own vectors of listeners, from their weights, shape (n, n_items); (n, factors + 1), 1 last."""
        learned = check_fitted(self._learned, "BPR")
        vectors = learned.vectors[learned.known].astype(np.float64)
        centre = vectors.mean(axis=0) if len(vectors) else np.zeros(learned.vectors.shape[1])
        spread = (vectors - centre).T @ (vectors - centre) / max(1, len(vectors))
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

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN for an item that nobody liked."""
        return check_fitted(self._learned, "BPR").score(histories, items, self.place)

    def state(self) -> State:
        """See `Persistent.state`."""
        return asdict(self.spec), check_fitted(self._learned, "BPR").arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        try:
            return cls(BprSpec(**spec), ItemFactors.from_arrays(arrays, "BPR"))
        except TypeError as error:
            raise ModelError(f"stored BPR spec {spec}: {error}") from error
