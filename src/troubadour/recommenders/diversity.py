"""Choosing a list from scored candidates so that it is not ten times the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from troubadour.recommenders.info import ItemInfo


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


def diversify(
    rows: Sequence[int],
    scores: NDArray[np.float64],
    similarity: NDArray[np.float64],
    groups: Sequence[str],
    n: int,
    *,
    diversity: float,
    most_of_group: int,
) -> list[int]:
    """Maximal marginal relevance with a cap on a group (Carbonell & Goldstein, SIGIR 1998).

    Each time the candidate with the most of (1 - diversity) * relevance - diversity * its greatest
    similarity to those chosen already; relevance is the score, scaled to 0 .. 1 over the
    candidates. The cap gives way only when nothing else is left.

    Args:
        rows: candidates, best first.
        scores: of each candidate.
        similarity: of each pair of candidates, -1 to 1, shape (len(rows), len(rows)).
        groups: of each candidate; empty = belongs to none.
        n: how many to choose.
        diversity: 0 (by score alone) to 1.
        most_of_group: cap on one group, >= 1.

    Returns:
        Up to n of `rows` in the order of choice.
    """
    if not len(rows):
        return []
    low, high = float(scores.min()), float(scores.max())
    relevance = (scores - low) / (high - low) if high > low else np.ones(len(rows))
    nearest = np.zeros(len(rows))
    free = np.ones(len(rows), dtype=bool)
    used: Counter[str] = Counter()
    chosen: list[int] = []
    while len(chosen) < min(n, len(rows)):
        capped = np.array([bool(g) and used[g] >= most_of_group for g in groups])
        open_rows = free & ~capped if (free & ~capped).any() else free
        value = (1 - diversity) * relevance - diversity * nearest
        best = int(np.argmax(np.where(open_rows, value, -np.inf)))
        free[best] = False
        used[groups[best]] += 1
        chosen.append(rows[best])
        nearest = np.maximum(nearest, similarity[best])
    return chosen
