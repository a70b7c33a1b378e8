"""Standardisation and weighted sums of scores, with the fallback level of each sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from troubadour.recommenders.base import Items, Scores


class FallbackLevel(IntEnum):
    """Evidence on which a score is based."""

    BLEND = 0
    """All parts with a weight."""
    PARTS = 1
    """Some of the parts, or substitutes: the item has no listeners, or the listener likes only such items."""
    POPULARITY = 2
    """Popularity only: neither the listener's taste nor the item is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Components of blended scores; each array has the shape (n_histories, n_items)."""

    names: tuple[str, ...]
    """Names of the recommenders, in the order of `amounts`."""
    amounts: tuple[Scores, ...]
    """Contribution of each recommender to the score; 0 where it has no estimate."""
    scales: tuple[Scores, ...]
    """Derivative of the score with respect to each recommender's raw score; 0 where it has no estimate."""
    popularity: Scores
    """Contribution of popularity."""
    fallback_level: NDArray[np.int8]
    """`FallbackLevel` of each score."""

    def total(self) -> Scores:
        """Returns the blended scores: the sum of all contributions."""
        return np.asarray(sum(self.amounts, self.popularity))

    def take_items(self, items: Items | None) -> Parts:
        """Selects the columns of some items; None = all."""
        if items is None:
            return self
        return Parts(
            self.names,
            tuple(a[:, items] for a in self.amounts),
            tuple(s[:, items] for s in self.scales),
            self.popularity[:, items],
            self.fallback_level[:, items],
        )


@dataclass(frozen=True, slots=True, eq=False)
class StandardScores:
    """Standardised scores and their scale."""

    scores: Scores
    """z-scores, shape (n_histories, n_items); NaN = unknown."""
    scale: NDArray[np.float64]
    """Reciprocal standard deviation of the raw scores, shape (n_histories,); 0 for rows without spread."""

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Mask of rows without spread, shape (n_histories,)."""
        return np.asarray(self.scale == 0)

    def where(self, rows: NDArray[np.bool_]) -> StandardScores:
        """Keeps the scores of some rows and sets the others to NaN."""
        if rows.all():
            return self
        return StandardScores(np.where(rows[:, None], self.scores, np.nan), self.scale)


def standardise(scores: Scores, hidden: NDArray[np.bool_]) -> StandardScores:
    """Standardises scores row by row: mean 0 and variance 1 over the known items that are not hidden.

    Rows without spread become 0. NaN stays NaN.

    Args:
        scores: raw scores, shape (n_histories, n_items).
        hidden: items excluded from mean and variance, same shape.
    """
    additive = np.isfinite(scores) & ~hidden
    n = np.maximum(additive.sum(axis=1, keepdims=True), 1)
    mean = np.where(additive, scores, 0.0).sum(axis=1, keepdims=True) / n
    above = scores - mean
    inside = np.where(additive, above, 0.0)
    deviation = np.sqrt(np.einsum("ij,ij->i", inside, inside)[:, None] / n)
    # Rounding errors alone must not be scaled up to differences.
    flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    scale = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, deviation))
    return StandardScores(above * scale, scale[:, 0])


def combine(
    names: tuple[str, ...],
    z: Sequence[StandardScores],
    weights: Sequence[float],
    popularity: Scores,
    popularity_weight: float,
    cold: float,
    alone: tuple[int, NDArray[np.float64]] | None = None,
) -> Parts:
    """Computes the weighted sum of standardised scores, with the fallbacks of `FallbackLevel`.

    Args:
        cold: see `BlendSpec.cold`.
        alone: index of a part, and for each history the share of liked items that no other part can know,
            shape (n_histories,). The part receives that share of all weights.
    """
    shape = popularity.shape
    known = [~np.isnan(one.scores) for one in z]
    whole = sum(weights) or 1.0
    rows = [np.full((shape[0], 1), float(w)) for w in weights]
    if alone is not None:
        part, only = alone
        rows = [w * (1 - only[:, None]) for w in rows]
        rows[part] = rows[part] + whole * only[:, None]
    share = sum((w * k for w, k in zip(rows, known, strict=True)), np.zeros(shape)) / whole
    # Substitutes receive the weight of missing parts. Their trust falls with the weight that is known.
    boost = (cold + (1 - cold) * share) / np.where(share > 0, share, 1.0)
    taken = share > 0
    scales: list[Scores] = []
    for weight, there in zip(rows, known, strict=True):
        stands_in = (weight == 0) & there & ~taken
        scales.append(np.where(there, weight * boost, 0.0) + np.where(stands_in, cold * whole, 0.0))
        taken = taken | stands_in
    amounts = tuple(
        f * np.where(there, one.scores, 0.0) for f, there, one in zip(scales, known, z, strict=True)
    )
    full = share > 1 - 1e-9
    nothing = ~taken
    cold_listener = nothing.all(axis=1, keepdims=True)
    popular = np.where(full, popularity_weight * popularity, 0.0)
    # Unknown items rank below every average item, and keep an order among themselves.
    popular = np.where(
        nothing, np.where(cold_listener, popularity, np.minimum(popularity, 0.0) - 3.0), popular
    )
    fallback_level = np.where(
        nothing, FallbackLevel.POPULARITY, np.where(full, FallbackLevel.BLEND, FallbackLevel.PARTS)
    )
    return Parts(
        names,
        amounts,
        tuple(f * one.scale[:, None] for f, one in zip(scales, z, strict=True)),
        popular,
        fallback_level.astype(np.int8),
    )
