"""What sounds like what the listener liked: works for pieces that nobody has heard yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    State,
    check_fitted,
    pick,
    require,
)

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ContentSpec:
    """What may be chosen about the content model."""

    dislike: float = 1.0
    """Factor on negative weights of a history, 0 (ignore what was turned away from) to 1."""
    spread: float = 0.5
    """Least standard deviation by which a dimension is divided, in units of the mean one, above 0;
    keeps dimensions that hardly vary from being blown up."""

    def __post_init__(self) -> None:
        if not 0 <= self.dislike <= 1:
            raise InputError(f"dislike is {self.dislike}; allowed: 0 to 1")
        if not self.spread > 0:
            raise InputError(f"spread is {self.spread}; allowed: above 0")


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    mean: Vectors
    scale: Vectors
    units: Vectors
    """Standardised item vectors of length 1, shape (n_items, d); 0 where nothing is known."""
    known: NDArray[np.bool_]
    """Of which items anything is known, shape (n_items,)."""

    def with_items(self, vectors: Vectors) -> _Learned:
        known = np.asarray(~np.isnan(vectors).all(axis=1))
        # What is not known of an item is as usual: it speaks neither for nor against it.
        centred = np.nan_to_num((vectors - self.mean) / self.scale, nan=0.0)
        units = _unit(centred).astype(np.float32)
        return _Learned(
            self.mean,
            self.scale,
            np.concatenate([self.units, units]),
            np.concatenate([self.known, known]),
        )


class ContentRecommender:
    """score_j = cosine of item j with the profile, the weighted sum of the history's vectors.

    Vectors are standardised over the catalogue first: raw feature vectors share a large common
    part, which would make everything alike. Entries that are NaN are neutral, so that pieces with notes
    and recordings stand in one space. Fitting costs one pass over the vectors, a score one
    product of the profile with them.
    """

    def __init__(self, spec: ContentSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or ContentSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`; needs `options.item_vectors`, one row an item of the catalogue.

        Raises:
            InputError: the vectors are missing or do not fit the catalogue.
        """
        vectors = _checked((options or FitOptions()).item_vectors, len(interactions.items))
        mean, deviation, told = spread_of(vectors)
        floor = max(self.spec.spread * float(deviation[told].sum()) / max(1, int(told.sum())), 1e-6)
        nothing = _Learned(
            mean,
            np.maximum(deviation, floor).astype(np.float32),
            np.zeros((0, vectors.shape[1]), dtype=np.float32),
            np.zeros(0, dtype=bool),
        )
        return type(self)(self.spec, nothing.with_items(vectors))

    def extended(self, vectors: Vectors) -> Self:
        """With further items appended to the catalogue, shape (n_new, d); nothing is relearnt.

        Vectors of fewer entries lack the last ones: these are unknown.

        Raises:
            InputError: the vectors are wider.
        """
        learned = check_fitted(self._learned, "content")
        new = padded(_checked(vectors, len(vectors)), learned.units.shape[1])
        return type(self)(self.spec, learned.with_items(new))

    @property
    def units(self) -> Vectors:
        """Standardised vectors of length 1, shape (n_items, d); 0 where nothing is known."""
        return check_fitted(self._learned, "content").units

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which items anything is known, shape (n_items,)."""
        return check_fitted(self._learned, "content").known

    def profile(self, history: History) -> Vectors:
        """What the history likes as one vector of length 1, shape (d,); 0 where it says nothing."""
        return np.asarray(_unit(self._sums([history]))[0], dtype=np.float32)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; -1 to 1, NaN for an item without a vector."""
        profiles = _unit(self._sums(histories))
        scores = (profiles.astype(np.float32) @ self.units.T).astype(np.float64)
        if not self.known.all():
            scores[:, ~self.known] = np.nan
        return pick(scores, items)

    def contributions(self, history: History, item: int) -> NDArray[np.float64]:
        """See `Additive.contributions`: weight times cosine, over the length of the profile."""
        units = self.units
        if item >= len(units) or not self.known[item]:
            return np.full(len(history), np.nan)
        length = max(float(np.linalg.norm(self._sums([history]))), 1e-12)
        rows = np.flatnonzero(history.items < len(units))
        parts = np.zeros(len(history))
        cosines = self.similar(item, history.items[rows])
        parts[rows] = self._scaled(history.weights[rows]) * cosines / length
        return parts

    def similar(self, item: int, items: Items) -> NDArray[np.float64]:
        """Cosine of one item with others, shape (len(items),), -1 to 1; 0 without a vector."""
        units = self.units
        return np.asarray(units[items] @ units[item], dtype=np.float64)

    def _scaled(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(weights < 0, self.spec.dislike * weights, weights)

    def _sums(self, histories: Sequence[History]) -> NDArray[np.float64]:
        """The weighted sum of each history's vectors, shape (n_histories, d); later items are left out."""
        sums = np.zeros((len(histories), self.units.shape[1]))
        for total, history in zip(sums, histories, strict=True):
            there = history.items < len(self.units)
            total[:] = self._scaled(history.weights[there]) @ self.units[history.items[there]]
        return sums

    def state(self) -> State:
        """See `Persistent.state`."""
        learned = check_fitted(self._learned, "content")
        return asdict(self.spec), {
            "mean": learned.mean,
            "scale": learned.scale,
            "units": learned.units,
            "known": learned.known,
        }

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        parts = [require(arrays, name, "content") for name in ("mean", "scale", "units", "known")]
        mean, scale, units = (part.astype(np.float32) for part in parts[:3])
        known = parts[3].astype(bool)
        if units.ndim != 2 or known.shape != (len(units),) or mean.shape != (units.shape[1],):
            raise ModelError(f"stored content vectors have shape {units.shape}, mean {mean.shape}")
        try:
            return cls(ContentSpec(**spec), _Learned(mean, scale, units, known))
        except TypeError as error:
            raise ModelError(f"stored content spec {spec}: {error}") from error


def spread_of(vectors: Vectors) -> tuple[Vectors, Vectors, NDArray[np.bool_]]:
    """Mean and standard deviation of each entry over the items that have it, and which entries any has.

    Each of shape (d,); 0 and 0 where no item has the entry.
    """
    there = ~np.isnan(vectors)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, vectors, 0.0).sum(axis=0) / count
    square = np.where(there, np.square(vectors - mean), 0.0).sum(axis=0) / count
    return mean.astype(np.float32), np.sqrt(square).astype(np.float32), np.asarray(there.any(axis=0))


def padded(vectors: Vectors, width: int) -> Vectors:
    """Vectors with unknown entries behind, shape (n, width).

    Raises:
        InputError: they are wider.
    """
    if vectors.ndim != 2 or vectors.shape[1] > width:
        raise InputError(f"vectors have shape {vectors.shape}; need (n, {width}) or fewer columns")
    more = np.full((len(vectors), width - vectors.shape[1]), np.nan, dtype=np.float32)
    return np.concatenate([vectors, more], axis=1)


def _checked(vectors: Vectors | None, n_items: int) -> Vectors:
    if vectors is None:
        raise InputError("item_vectors is missing; the content model needs one vector an item")
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != n_items:
        raise InputError(f"item_vectors has shape {vectors.shape}; need ({n_items}, d)")
    if np.isinf(vectors).any():
        raise InputError("item_vectors holds an infinity; allowed: numbers, or NaN for no vector")
    return vectors


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12))
