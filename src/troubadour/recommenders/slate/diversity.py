"""Choosing a list from scored candidates so that it is not ten times the same."""

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
    """The first `limit` of `rows` (best first) whose work is neither taken nor came before."""
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
    """What a list is chosen from, best first."""

    rows: Sequence[int]
    scores: Floats
    """Of each candidate."""
    similarity: Floats
    """Of each pair, -1 to 1, shape (n, n)."""
    groups: Sequence[str]
    """Of each; empty = belongs to none."""
    styles: Floats
    """One column a style, 1 where a candidate has it, shape (n, n_styles)."""
    wanted: Floats
    """The shares of the styles in what the listener likes, shape (n_styles,), sum 1 or all 0."""


def diversify(
    candidates: Candidates, n: int, *, diversity: float, calibration: float, most_of_group: int
) -> list[int]:
    """Maximal marginal relevance with calibrated styles and a cap on a group.

    Each time the candidate with the most of relevance - diversity * its greatest similarity to
    those chosen already - calibration * KL divergence (nats) of the list's styles from the wanted
    ones; relevance is (1 - diversity) * the score, scaled to 0 .. 1 over the candidates. The cap
    gives way only when nothing else is left.

    Sources: Carbonell & Goldstein, SIGIR 1998; Steck, RecSys 2018. Costs n passes over the candidates.

    Args:
        n: how many to choose.
        diversity: 0 (by score alone) to 1.
        calibration: 0 or more; 0 = styles as they come.
        most_of_group: cap on one group, >= 1.

    Returns:
        Up to n of the rows in the order of choice.
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
    """KL(wanted || shares of each row of counts), nats, mixed as Steck does; shape (len(counts),)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    there = wanted > 0
    near = (1 - _MIXED) * share[:, there] + _MIXED * wanted[there]
    return np.asarray((wanted[there] * np.log(wanted[there] / near)).sum(axis=1))
