"""Content-based model: cosine similarity of item vectors with the profile of a history."""

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
    require,
    take_items,
)

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ContentSpec:
    """Hyperparameters of the content model."""

    dislike: float = 1.0
    """Factor on negative weights of a history, 0 (ignore them) to 1."""
    spread: float = 0.5
    """Smallest standard deviation for standardisation, in units of the mean one, above 0. It prevents that
    nearly constant dimensions are scaled up."""

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
    """Standardised item vectors of length 1, shape (n_items, d); zeros for items without a vector."""
    known: NDArray[np.bool_]
    """Mask of items with a vector, shape (n_items,)."""

    def with_items(self, vectors: Vectors) -> _Learned:
        known = np.asarray(~np.isnan(vectors).all(axis=1))
        # Missing entries are neutral: they become the mean.
        centred = np.nan_to_num((vectors - self.mean) / self.scale, nan=0.0)
        units = _unit(centred).astype(np.float32)
        return _Learned(
            self.mean,
            self.scale,
            np.concatenate([self.units, units]),
            np.concatenate([self.known, known]),
        )


class ContentRecommender:
    """Content model: score_j = cosine of item j with the profile, the weighted sum of the history's vectors.

    Vectors are standardised over the catalogue, because raw feature vectors share a large common part. NaN
    entries are neutral, so scores and recordings have a common space. Cost: one pass over the vectors to
    fit, one matrix-vector product per history to score.
    """

    def __init__(self, spec: ContentSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or ContentSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the standardisation.

        See `Recommender.fit`. `options.item_vectors` is required, shape (n_items, d).

        Raises:
            InputError: the vectors are missing or do not match the catalogue.
        """
        vectors = _checked((options or FitOptions()).item_vectors, len(interactions.items))
        mean, deviation, known = spread_of(vectors)
        floor = max(self.spec.spread * float(deviation[known].sum()) / max(1, int(known.sum())), 1e-6)
        nothing = _Learned(
            mean,
            np.maximum(deviation, floor).astype(np.float32),
            np.zeros((0, vectors.shape[1]), dtype=np.float32),
            np.zeros(0, dtype=bool),
        )
        return type(self)(self.spec, nothing.with_items(vectors))

    def extended(self, vectors: Vectors) -> Self:
        """Appends items to the catalogue without a refit.

        Args:
            vectors: content vectors, float32, shape (n_new, up to d); narrower vectors are padded with NaN.

        Raises:
            InputError: the vectors are wider than those of the fit.
        """
        learned = check_fitted(self._learned, "content")
        new = padded(_checked(vectors, len(vectors)), learned.units.shape[1])
        return type(self)(self.spec, learned.with_items(new))

    @property
    def units(self) -> Vectors:
        """Standardised vectors of length 1, float32, shape (n_items, d); zeros for items without a vector."""
        return check_fitted(self._learned, "content").units

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask of items with a vector, shape (n_items,)."""
        return check_fitted(self._learned, "content").known

    def profile(self, history: History) -> Vectors:
        """Computes the profile of a history, length 1, shape (d,).

        Zeros for a history without information.
        """
        return np.asarray(_unit(self._sums([history]))[0], dtype=np.float32)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. Range -1 to 1, NaN for items without a vector."""
        profiles = _unit(self._sums(histories))
        scores = (profiles.astype(np.float32) @ self.units.T).astype(np.float64)
        if not self.known.all():
            scores[:, ~self.known] = np.nan
        return take_items(scores, items)

    def contributions(self, history: History, item: int) -> NDArray[np.float64]:
        """Computes the terms of a score.

        See `Additive.contributions`. Term = weight * cosine / length of the profile.
        """
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
        """Computes the cosine of one item with others, shape (len(items),), -1 to 1; 0 without a vector."""
        units = self.units
        return np.asarray(units[items] @ units[item], dtype=np.float64)

    def _scaled(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(weights < 0, self.spec.dislike * weights, weights)

    def _sums(self, histories: Sequence[History]) -> NDArray[np.float64]:
        """Computes the weighted sums of the histories' vectors, shape (n_histories, d).

        Later items are left out.
        """
        sums = np.zeros((len(histories), self.units.shape[1]))
        for total, history in zip(sums, histories, strict=True):
            there = history.items < len(self.units)
            total[:] = self._scaled(history.weights[there]) @ self.units[history.items[there]]
        return sums

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        learned = check_fitted(self._learned, "content")
        return asdict(self.spec), {
            "mean": learned.mean,
            "scale": learned.scale,
            "units": learned.units,
            "known": learned.known,
        }

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
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
    """Computes mean and standard deviation of each entry over the items that have it.

    Returns:
        Mean, standard deviation (0 without data), and the mask of entries with data; each has shape (d,).
    """
    there = ~np.isnan(vectors)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, vectors, 0.0).sum(axis=0) / count
    square = np.where(there, np.square(vectors - mean), 0.0).sum(axis=0) / count
    return mean.astype(np.float32), np.sqrt(square).astype(np.float32), np.asarray(there.any(axis=0))


def padded(vectors: Vectors, width: int) -> Vectors:
    """Pads vectors with NaN entries to shape (n, width).

    Raises:
        InputError: the vectors are wider than `width`.
    """
    if vectors.ndim != 2 or vectors.shape[1] > width:
        raise InputError(f"vectors have shape {vectors.shape}; need (n, {width}) or fewer columns")
    more = np.full((len(vectors), width - vectors.shape[1]), np.nan, dtype=np.float32)
    return np.concatenate([vectors, more], axis=1)


def _checked(vectors: Vectors | None, n_items: int) -> Vectors:
    if vectors is None:
        raise InputError("item_vectors is missing; the content model needs one vector per item")
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != n_items:
        raise InputError(f"item_vectors has shape {vectors.shape}; need ({n_items}, d)")
    if np.isinf(vectors).any():
        raise InputError(
            "item_vectors contains an infinite value; allowed: finite numbers, or NaN for no vector"
        )
    return vectors


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12))
