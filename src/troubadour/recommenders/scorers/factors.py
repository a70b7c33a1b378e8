"""Items as points of few dimensions, on which a history is placed: what ALS and BPR have in common."""

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
    pick,
    require,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FactorSpec:
    """What may be chosen about any of them."""

    factors: int = 64
    """Dimensions, 1 to 1,024."""
    seed: int = 0
    """Of all that is drawn, 0 to 2^32 - 1."""
    memory_bytes: int = 2 * 2**30
    """Most memory that fitting may take; a larger log is refused with advice."""

    def __post_init__(self) -> None:
        check_range("factors", self.factors, 1, 1024)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


@dataclass(frozen=True, slots=True, eq=False)
class ItemFactors:
    """One vector an item."""

    vectors: NDArray[np.float32]
    """Shape (n_items, d); 0 for items that are not known."""
    known: NDArray[np.bool_]
    """Items that anybody heard, shape (n_items,); the others' vectors say nothing."""
    gram: Floats = field(init=False)
    """Sum of y y' over all items, shape (d, d): every placing needs it, and it costs n d^2."""

    def __post_init__(self) -> None:
        wide = self.vectors.astype(np.float64)
        object.__setattr__(self, "gram", wide.T @ wide)

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


S = TypeVar("S", bound=FactorSpec)


class FactorRecommender(ABC, Generic[S]):
    """score_j = u . y_j, with u placed from the history: no listener needs a row of their own.

    Cost: 4 d bytes a listener and an item for d dimensions, and about 24 a cell, while fitting. One
    thread, the same for a seed.
    """

    name: ClassVar[str]
    """For messages."""
    default: ClassVar[type[FactorSpec]]
    """The class of its spec."""

    def __init__(self, spec: S | None = None, learned: ItemFactors | None = None) -> None:
        self.spec: S = spec or self.default()  # type: ignore[assignment]  # the two are declared together
        self._learned = learned

    @abstractmethod
    def factorise(self, cells: Csr) -> NDArray[np.float32]:
        """Item vectors, shape (n_items, `width`), from weights, shape (n_listeners, n_items)."""

    @abstractmethod
    def place(self, rows: Csr) -> Floats:
        """Own vectors of listeners, shape (n, `width`), from their weights, shape (n, n_items)."""

    @property
    def width(self) -> int:
        """Dimensions of the vectors."""
        return self.spec.factors

    def cells(self, matrix: Csr) -> Csr:
        """What of the log it learns from."""
        return matrix

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`.

        Raises:
            InputError: the log does not fit `memory_bytes`.
        """
        matrix = self.cells(interactions.to_matrix((options or FitOptions()).weights))
        listeners, items = matrix.shape
        needed = 4.0 * self.width * (listeners + items) + 24.0 * len(matrix.data)
        instead = "take fewer factors, or use popular or content, which need no factors"
        size = f"{items} items and {listeners} listeners"
        check_memory(self.name, size, needed, self.spec.memory_bytes, instead)
        known = np.bincount(matrix.indices, minlength=items) > 0
        vectors = np.zeros((items, self.width), dtype=np.float32)
        if known.any():
            with one_thread():
                vectors = np.where(known[:, None], self.factorise(matrix), np.float32(0.0))
        return type(self)(self.spec, ItemFactors(vectors, known))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN for an item that nobody heard."""
        return self.item_factors.score(histories, items, self.place)

    @property
    def item_factors(self) -> ItemFactors:
        """The learnt vectors."""
        return check_fitted(self._learned, self.name)

    def state(self) -> State:
        """See `Persistent.state`."""
        return asdict(self.spec), self.item_factors.arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        try:
            chosen: Any = cls.default(**spec)
        except TypeError as error:
            raise ModelError(f"stored {cls.name} spec {spec}: {error}") from error
        return cls(chosen, ItemFactors.from_arrays(arrays, cls.name))
