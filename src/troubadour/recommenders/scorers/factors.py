"""Base of factor models (ALS, BPR): item vectors from a matrix factorisation, and folded-in histories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.core.threads import one_thread
from troubadour.interactions.events import History, Interactions
from troubadour.interactions.sparse import Csr
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    State,
    check_fitted,
    check_memory,
    check_range,
    history_matrix,
    require,
    take_items,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FactorSpec:
    """Hyperparameters of factor models."""

    factors: int = 64
    """Number of latent dimensions, 1 to 1,024."""
    seed: int = 0
    """Random seed, 0 to 2^32 - 1."""
    memory_bytes: int = 2 * 2**30
    """Memory limit of the fit, bytes; larger logs raise `InputError`."""

    def __post_init__(self) -> None:
        check_range("factors", self.factors, 1, 1024)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


@dataclass(frozen=True, slots=True, eq=False)
class ItemFactors:
    """Item vectors of a factor model."""

    vectors: NDArray[np.float32]
    """Shape (n_items, d); zeros for unknown items."""
    known: NDArray[np.bool_]
    """Mask of items with listeners, shape (n_items,); vectors of other items carry no information."""
    gram: Floats = field(init=False)
    """Sum of y y' over all items, shape (d, d); cached because each fold-in needs it and it costs n d^2."""

    def __post_init__(self) -> None:
        wide = self.vectors.astype(np.float64)
        object.__setattr__(self, "gram", wide.T @ wide)

    def score(
        self, histories: Sequence[History], items: Items | None, fold_in: Callable[[Csr], Floats]
    ) -> Scores:
        """Scores items by the products with each history's vector; NaN for items without listeners.

        Args:
            fold_in: maps weights over known items, shape (n_histories, n_items), to vectors, shape
                (n_histories, d).
        """
        rows = history_matrix(histories, len(self.vectors))
        rows.data = np.where(self.known[rows.indices], rows.data, 0.0)
        scores = (fold_in(rows).astype(np.float32) @ self.vectors.T).astype(np.float64)
        scores[:, ~self.known] = np.nan
        return take_items(scores, items)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays to store."""
        return {"vectors": self.vectors, "known": self.known}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], model: str) -> Self:
        """Restores the result of `arrays`.

        Raises:
            ModelError: a part is missing or does not match the others.
        """
        vectors, known = require(arrays, "vectors", model), require(arrays, "known", model)
        if vectors.ndim != 2 or known.shape != vectors.shape[:1] or not np.isfinite(vectors).all():
            raise ModelError(
                f"stored {model} vectors have shape {vectors.shape}, and {known.shape} are known"
            )
        return cls(vectors.astype(np.float32), known.astype(bool))


S = TypeVar("S", bound=FactorSpec)


class FactorRecommender(ABC, Generic[S]):
    """Factor model: score_j = u . y_j, with u folded in from the history; listeners have no stored vector.

    Memory of the fit: 4 d bytes per listener and item for d dimensions, and about 24 bytes per cell. It runs
    in one thread and is deterministic for a seed.
    """

    name: ClassVar[str]
    """Name for messages."""
    default: ClassVar[type[FactorSpec]]
    """Class of the spec."""

    def __init__(self, spec: S | None = None, learned: ItemFactors | None = None) -> None:
        self.spec: S = spec or self.default()  # type: ignore[assignment]  # the two are declared together
        self._learned = learned

    @abstractmethod
    def factorise(self, cells: Csr) -> NDArray[np.float32]:
        """Factorises weights, shape (n_listeners, n_items), into item vectors, shape (n_items, `width`)."""

    @abstractmethod
    def fold_in(self, rows: Csr) -> Floats:
        """Folds in listeners: maps their weights, shape (n, n_items), to vectors, float64, shape (n,
        `width`)."""

    @property
    def width(self) -> int:
        """Number of dimensions of the vectors."""
        return self.spec.factors

    def cells(self, matrix: Csr) -> Csr:
        """Selects the cells of the log for the factorisation."""
        return matrix

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`.

        Raises:
            InputError: the fit exceeds `memory_bytes`.
        """
        matrix = self.cells(interactions.to_matrix((options or FitOptions()).weights))
        listeners, items = matrix.shape
        needed = 4.0 * self.width * (listeners + items) + 24.0 * len(matrix.data)
        instead = "use fewer factors, or use popular or content, which need no factors"
        size = f"{items} items and {listeners} listeners"
        check_memory(self.name, size, needed, self.spec.memory_bytes, instead)
        known = np.bincount(matrix.indices, minlength=items) > 0
        vectors = np.zeros((items, self.width), dtype=np.float32)
        if known.any():
            with one_thread():
                vectors = np.where(known[:, None], self.factorise(matrix), np.float32(0.0))
        return type(self)(self.spec, ItemFactors(vectors, known))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN for items without listeners."""
        return self.item_factors.score(histories, items, self.fold_in)

    @property
    def item_factors(self) -> ItemFactors:
        """Fitted item vectors."""
        return check_fitted(self._learned, self.name)

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        return asdict(self.spec), self.item_factors.arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        try:
            chosen: Any = cls.default(**spec)
        except TypeError as error:
            raise ModelError(f"stored {cls.name} spec {spec}: {error}") from error
        return cls(chosen, ItemFactors.from_arrays(arrays, cls.name))
