"""Scores of several recommenders made comparable and added up, with what each sum rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from troubadour.recommenders.base import Items, Scores


class FallbackLevel(IntEnum):
    """What a score rests on."""

    BLEND = 0
    """All parts that have a weight."""
    PARTS = 1
    """Some of them, or a stand-in: nobody heard the piece, or nothing that the listener likes."""
    POPULARITY = 2
    """Popularity alone: nothing is known of the listener's taste, or of the piece."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Scores of a blend taken apart; each array has the shape (n_histories, n_items)."""

    names: tuple[str, ...]
    """Of the recommenders, in the order of `amounts`."""
    amounts: tuple[Scores, ...]
    """What each adds to the score; 0 where it says nothing."""
    scales: tuple[Scores, ...]
    """What one unit of each recommender's own score adds; 0 where it says nothing."""
    popularity: Scores
    """What popularity adds."""
    basis: NDArray[np.int8]
    """A `FallbackLevel` each."""

    def total(self) -> Scores:
        """The score: the sum of all that is added."""
        return np.asarray(sum(self.amounts, self.popularity))

    def pick(self, items: Items | None) -> Parts:
        """Only some items."""
        if items is None:
            return self
        return Parts(
            self.names,
            tuple(a[:, items] for a in self.amounts),
            tuple(s[:, items] for s in self.scales),
            self.popularity[:, items],
            self.basis[:, items],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Standardised scores, and what one unit of the raw score became."""

    scores: Scores
    """Standard deviations above the mean, shape (n_histories, n_items); NaN = unknown."""
    scale: NDArray[np.float64]
    """1 over the standard deviation, shape (n_histories,); 0 where a row has no spread."""

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Rows without any spread."""
        return np.asarray(self.scale == 0)

    def where(self, rows: NDArray[np.bool_]) -> Standard:
        """Known for some rows only."""
        if rows.all():
            return self
        return Standard(np.where(rows[:, None], self.scores, np.nan), self.scale)


def standardise(scores: Scores, hidden: NDArray[np.bool_]) -> Standard:
    """Standard deviations above the mean over what is known and not hidden, row by row.

    A row without any spread becomes 0; NaN stays NaN.
    """
    counted = np.isfinite(scores) & ~hidden
    n = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    mean = np.where(counted, scores, 0.0).sum(axis=1, keepdims=True) / n
    above = scores - mean
    inside = np.where(counted, above, 0.0)
    deviation = np.sqrt(np.einsum("ij,ij->i", inside, inside)[:, None] / n)
    # Rounding alone must not be blown up into a difference.
    flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    scale = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, deviation))
    return Standard(above * scale, scale[:, 0])


def combine(
    names: tuple[str, ...],
    z: Sequence[Standard],
    weights: Sequence[float],
    popularity: Scores,
    popularity_weight: float,
    cold: float,
    alone: tuple[int, NDArray[np.float64]] | None = None,
) -> Parts:
    """Weigh standardised scores, NaN = unknown, falling back as `FallbackLevel` says.

    Args:
        cold: see `BlendSpec.cold`.
        alone: a part, and for each history the share of what is liked there that no other part can know,
            shape (n_histories,); that share of all weights is the part's.
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
    # Parts that stand in for others take over their weight, with the less trust the fewer they are.
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
    stranger = nothing.all(axis=1, keepdims=True)
    popular = np.where(full, popularity_weight * popularity, 0.0)
    # An unknown item stays behind every average one, but still has its place in the order.
    popular = np.where(nothing, np.where(stranger, popularity, np.minimum(popularity, 0.0) - 3.0), popular)
    basis = np.where(
        nothing, FallbackLevel.POPULARITY, np.where(full, FallbackLevel.BLEND, FallbackLevel.PARTS)
    )
    return Parts(
        names,
        amounts,
        tuple(f * one.scale[:, None] for f, one in zip(scales, z, strict=True)),
        popular,
        basis.astype(np.int8),
    )
