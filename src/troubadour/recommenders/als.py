"""ALS: factors of who heard what, weighted by confidence; fitted by the `implicit` library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.blas import one_thread
from troubadour.errors import ModelError
from troubadour.listening.interactions import History, Interactions
from troubadour.listening.sparse import Csr, as_spmatrix, with_data
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
class AlsSpec:
    """What may be chosen about ALS."""

    factors: int = 64
    """Dimensions, 1 to 1,024."""
    confidence: float = 10.0
    """How much more a weight of 1 is trusted than an absent cell, above 0 to 10,000."""
    regularisation: float = 10.0
    """L2 penalty, above 0 to 1,000,000."""
    iterations: int = 15
    """Passes over listeners and items, 1 to 1,000."""
    seed: int = 0
    """Of the first factors, 0 to 2^32 - 1."""
    memory_bytes: int = 2 * 2**30
    """Most memory that fitting may take; a larger log is refused with advice."""

    def __post_init__(self) -> None:
        check_range("factors", self.factors, 1, 1024)
        check_range("confidence", self.confidence, 0, 10_000, above=True)
        check_range("regularisation", self.regularisation, 0, 1e6, above=True)
        check_range("iterations", self.iterations, 1, 1000)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


SEARCH: Final[Search] = {
    "factors": (48, 128, True),
    "confidence": (5.0, 60.0, True),
    "regularisation": (5.0, 200.0, True),
}


class AlsRecommender:
    """score_j = u . y_j, with u solved exactly from the history: one half-step of the fitting.

    Cells: preference 1 (0 for a negative weight) at confidence 1 + confidence * |weight|; absent
    cells are preference 0 at confidence 1. float32 factors, one thread, the same for a seed.

    Cost: iterations * (cells * d + (listeners + items) * d^2) for d factors; 4 d bytes a listener
    and an item, and about 24 a cell. Placing a history: d^3 / 3 + length * d^2.

    Source: Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
    2008; conjugate gradients as Takács, Pilászy & Tikk, RecSys 2011, by `implicit`.
    """

    def __init__(self, spec: AlsSpec | None = None, learned: ItemFactors | None = None) -> None:
        self.spec = spec or AlsSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`.

        Raises:
            InputError: the log does not fit `memory_bytes`.
        """
        matrix = interactions.to_matrix((options or FitOptions()).weights)
        listeners, items = matrix.shape
        d = self.spec.factors
        needed = 4.0 * d * (listeners + items) + 24.0 * len(matrix.data)
        instead = "take fewer factors, or use popular or content, which need no factors"
        check_memory(
            "ALS", f"{items} items and {listeners} listeners", needed, self.spec.memory_bytes, instead
        )
        known = np.bincount(matrix.indices, minlength=items) > 0
        if not known.any():
            return type(self)(self.spec, ItemFactors(np.zeros((items, d), dtype=np.float32), known))
        with one_thread():
            vectors = self._factorise(matrix)
        return type(self)(self.spec, ItemFactors(np.where(known[:, None], vectors, 0.0), known))

    def _factorise(self, matrix: Csr) -> NDArray[np.float32]:
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=self.spec.factors,
            regularization=self.spec.regularisation,
            iterations=self.spec.iterations,
            num_threads=1,
            random_state=self.spec.seed,
        )
        trusted = with_data(matrix, self._signed_confidence(matrix.data))
        model.fit(as_spmatrix(trusted), show_progress=False)
        vectors: NDArray[np.float32] = model.item_factors
        return vectors

    def _signed_confidence(self, weights: Floats) -> Floats:
        """As `implicit` has it: the sign tells whether the preference is 1 or 0."""
        return np.where(weights > 0, 1.0, -1.0) * (1.0 + self.spec.confidence * np.abs(weights))

    def place(self, rows: Csr) -> Floats:
        """Own vectors of listeners, from their weights, shape (n, n_items); returns (n, factors)."""
        vectors = check_fitted(self._learned, "ALS").vectors.astype(np.float64)
        square = vectors.T @ vectors + self.spec.regularisation * np.eye(vectors.shape[1])
        placed = np.zeros((rows.shape[0], vectors.shape[1]))
        for i, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
            weights = rows.data[start:end]
            liked = vectors[rows.indices[start:end]]
            extra = self.spec.confidence * np.abs(weights)
            if (weights > 0).any():
                right = ((1.0 + extra) * (weights > 0)) @ liked
                placed[i] = np.linalg.solve(square + (liked.T * extra) @ liked, right)
        return placed

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN for an item that nobody heard."""
        return check_fitted(self._learned, "ALS").score(histories, items, self.place)

    @property
    def item_factors(self) -> ItemFactors:
        """The learnt vectors."""
        return check_fitted(self._learned, "ALS")

    def state(self) -> State:
        """See `Persistent.state`."""
        return asdict(self.spec), check_fitted(self._learned, "ALS").arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        try:
            return cls(AlsSpec(**spec), ItemFactors.from_arrays(arrays, "ALS"))
        except TypeError as error:
            raise ModelError(f"stored ALS spec {spec}: {error}") from error
