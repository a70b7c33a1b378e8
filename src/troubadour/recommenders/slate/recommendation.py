"""Results of the ranker: recommended and similar pieces."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.recommenders.explain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One item of a list with its explanation."""

    id: str
    title: str
    score: float
    """Blended score: contributions of all models, in standard deviations above the mean item. Re-ranking
    also changes the order of the list."""
    reasons: tuple[Reason, ...]
    """Reasons, the strongest first; at least one."""
    fallback: str
    """Text on the fallback; "" if the score is based on the whole blend."""
    generated: bool
    propensity: float = 1.0
    """Probability of this choice, above 0 to 1; 1 = deterministic."""


@dataclass(frozen=True, slots=True)
class SimilarItem:
    """A piece with similar content."""

    id: str
    title: str
    similarity: float
    """Cosine of the standardised content vectors, -1 to 1."""
    shared: str
    """Shared attributes as a phrase; may be empty."""
    generated: bool
