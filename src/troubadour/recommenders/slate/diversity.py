"""Diversified selection of a list from scored candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.recommenders.slate.item_info import ItemInfo

Floats = NDArray[np.float64]
_MIXED = 0.01


def one_per_work(
    rows: NDArray[np.int64], infos: Sequence[ItemInfo], taken: set[str], limit: int
) -> list[int]:
    """Selects the first `limit` of `rows` (best first) whose work is neither in `taken` nor selected
    before."""
    seen = set(taken)
    kept: list[int] = []
    for row in rows.tolist():
        work = infos[row].work
        if work and work in seen:
            continue
        if work:
            seen.add(work)
        kept.append(row)
        if len(kept) == limit:
            break
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidates of a list, best first."""

    rows: Sequence[int]
    scores: Floats
    """Score of each candidate, shape (n,)."""
    similarity: Floats
    """Pairwise similarity, -1 to 1, shape (n, n)."""
    groups: Sequence[str]
    """Group of each candidate; "" = none."""
    styles: Floats
    """One-hot styles, shape (n, n_styles)."""
    wanted: Floats
    """Share of each style among the listener's liked items, shape (n_styles,), sum 1 or all 0."""


def diversify(
    candidates: Candidates, n: int, *, diversity: float, calibration: float, most_of_group: int
) -> list[int]:
    """Selects a list by maximal marginal relevance with calibrated styles and a cap per group.

    Each step selects the candidate with the largest value of

        (1 - diversity) * score - diversity * max similarity - calibration * KL(wanted || styles),

    with scores scaled to 0 .. 1 over the candidates and KL in nats. The cap is relaxed only if no other
    candidate is left.

    Sources: Carbonell & Goldstein, SIGIR 1998; Steck, RecSys 2018. Cost: n passes over the candidates.

    Args:
        candidates: scored candidates.
        n: length of the list, 1 or more.
        diversity: 0 (score only) to 1.
        calibration: weight of the style divergence, 0 or more.
        most_of_group: largest number of items of one group, 1 or more.

    Returns:
        Up to n rows in order of selection.
    """
    scores, groups = candidates.scores, candidates.groups
    if not len(scores):
        return []
    low, high = float(scores.min()), float(scores.max())
    relevance = (scores - low) / (high - low) if high > low else np.ones(len(scores))
    calibrated = bool(calibration and candidates.wanted.sum())
    nearest = np.zeros(len(scores))
    free = np.ones(len(scores), dtype=bool)
    shown = np.zeros(candidates.styles.shape[1])
    used: Counter[str] = Counter()
    chosen: list[int] = []
    while len(chosen) < min(n, len(scores)):
        capped = np.array([bool(g) and used[g] >= most_of_group for g in groups])
        open_rows = free & ~capped if (free & ~capped).any() else free
        value = (1 - diversity) * relevance - diversity * nearest
        if calibrated:
            value = value - calibration * _divergences(candidates.wanted, shown + candidates.styles)
        best = int(np.argmax(np.where(open_rows, value, -np.inf)))
        free[best] = False
        used[groups[best]] += 1
        shown = shown + candidates.styles[best]
        chosen.append(candidates.rows[best])
        nearest = np.maximum(nearest, candidates.similarity[best])
    return chosen


def _divergences(wanted: Floats, counts: Floats) -> Floats:
    """Computes KL(wanted || shares of counts), nats, shape (len(counts),), with the mixture of Steck."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    there = wanted > 0
    near = (1 - _MIXED) * share[:, there] + _MIXED * wanted[there]
    return np.asarray((wanted[there] * np.log(wanted[there] / near)).sum(axis=1))
