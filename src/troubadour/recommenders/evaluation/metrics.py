"""Metrics of recommendation lists: accuracy, coverage, concentration, novelty and calibration.

Lists are an array of item rows, shape (n_lists, k), best first; -1 = padding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.interactions.events import History

Lists = NDArray[np.int64]
Floats = NDArray[np.float64]


def hits(lists: Lists, relevant: Sequence[NDArray[np.int32]]) -> NDArray[np.bool_]:
    """Marks relevant items, shape (n_lists, k).

    Args:
        lists: item rows.
        relevant: rows of relevant items, one array per list.
    """
    owner = np.repeat(np.arange(len(relevant)), [len(wanted) for wanted in relevant])
    wanted = np.concatenate([np.empty(0, np.int64), *relevant])
    width = 1 + max(lists.max(initial=0), wanted.max(initial=0))
    # One number per (list, item) pair allows a single lookup.
    shown = np.arange(len(lists))[:, None] * width + lists
    return np.isin(shown, owner * width + wanted) & (lists >= 0)


def recall(hit: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> Floats:
    """Computes recall, shape (n_lists,), 0 to 1."""
    return np.asarray(hit.sum(axis=1) / n_relevant)


def ndcg(hit: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> Floats:
    """Computes NDCG with binary relevance and log2 discount, shape (n_lists,), 0 to 1.

    The ideal list has length k. Source: Järvelin & Kekäläinen, ACM TOIS 2002.

    Args:
        hit: mask of relevant items from `hits`, shape (n_lists, k).
        n_relevant: number of relevant items of each list, shape (n_lists,), 1 or more.
    """
    discounts = 1.0 / np.log2(np.arange(hit.shape[1]) + 2.0)
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, hit.shape[1]) - 1]
    return np.asarray((hit * discounts).sum(axis=1) / ideal, dtype=np.float64)


def hit_rate(hit: NDArray[np.bool_]) -> Floats:
    """Computes the hit rate, shape (n_lists,): 1 if a list contains a relevant item, else 0."""
    return np.asarray(hit.any(axis=1), dtype=np.float64)


def reciprocal_rank(hit: NDArray[np.bool_]) -> Floats:
    """Computes the reciprocal rank of the first relevant item, shape (n_lists,), 0 if there is none."""
    return np.asarray(np.where(hit.any(axis=1), 1.0 / (hit.argmax(axis=1) + 1.0), 0.0))


def coverage(lists: Lists, n_items: int) -> float:
    """Computes the share of the catalogue that occurs in at least one list, 0 to 1."""
    return len(np.unique(lists[lists >= 0])) / max(1, n_items)


def head_share(lists: Lists, n_items: int, head: float = 0.01) -> float:
    """Computes the share of list positions with the most recommended items, 0 to 1.

    Args:
        head: share of the catalogue that counts as most recommended, at least one item.
    """
    return concentration(np.bincount(lists[lists >= 0], minlength=n_items), head)


def concentration(counts: NDArray[np.int64], head: float = 0.01) -> float:
    """Computes the share of a total in its largest parts, 0 to 1; 0 for an empty total.

    Args:
        counts: parts of the total, shape (n,).
        head: share of the parts that counts as largest, at least one part.

    >>> concentration(np.array([8, 1, 1, 0]), head=0.25)
    0.8
    """
    n = max(1, int(np.ceil(head * len(counts))))
    return float(np.sort(counts)[::-1][:n].sum() / max(1, counts.sum()))


def novelty(lists: Lists, known_to: Floats) -> Floats:
    """Computes the mean self-information of list items, bits, shape (n_lists,).

    The self-information of an item is -log2 of the share of listeners who know it. Items without listeners
    count as known to half of the smallest share. NaN for empty lists. Source: Vargas & Castells, RecSys 2011.

    Args:
        known_to: share of listeners who know each item, shape (n_items,).
    """
    least = known_to[known_to > 0].min(initial=1.0) / 2
    bits = -np.log2(np.maximum(known_to, least))
    shown = lists >= 0
    total = np.where(shown, bits[lists], 0.0).sum(axis=1)
    return np.where(shown.any(axis=1), total / np.maximum(1, shown.sum(axis=1)), np.nan)


def style_matrix(styles: Sequence[str]) -> NDArray[np.float64]:
    """One-hot encodes styles, shape (n_items, n_styles); items without a style have a row of zeros."""
    names = sorted({style for style in styles if style})
    matrix = np.zeros((len(styles), len(names)))
    column = {name: i for i, name in enumerate(names)}
    for row, style in enumerate(styles):
        if style:
            matrix[row, column[style]] = 1.0
    return matrix


def miscalibration(lists: Lists, histories: Sequence[History], styles: Floats) -> Floats:
    """Computes the KL divergence of list styles from history styles, nats, shape (n_lists,).

    0 = equal shares; NaN if the list or the history has no style. One percent of the history's shares is
    mixed into the list's shares to keep the divergence finite. Source: Steck, RecSys 2018.

    Args:
        lists: item rows.
        histories: one per list.
        styles: result of `style_matrix`.

    Raises:
        InputError: an item has no row in `styles`.
    """
    if lists.size and lists.max() >= len(styles):
        raise InputError(f"lists hold item row {lists.max()}; styles has {len(styles)} rows")
    out = np.full(len(lists), np.nan)
    for i, (row, history) in enumerate(zip(lists, histories, strict=True)):
        wanted = style_shares(history, styles)
        shown = styles[row[row >= 0]].sum(axis=0)
        if wanted.sum() and shown.sum():
            out[i] = divergence(wanted, shown / shown.sum())
    return out


def style_shares(history: History, styles: Floats) -> Floats:
    """Computes the share of each style among liked items, shape (n_styles,), sum 1; zeros without styles."""
    inside = history.items < len(styles)
    liked = np.maximum(history.weights[inside], 0.0) @ styles[history.items[inside]]
    total = liked.sum()
    return np.asarray(liked / total if total else liked)


def divergence(wanted: Floats, shown: Floats, mixed: float = 0.01) -> float:
    """Computes KL(wanted || shown), nats, after mixing the share `mixed` of `wanted` into `shown`."""
    there = wanted > 0
    near = (1 - mixed) * shown[there] + mixed * wanted[there]
    return float((wanted[there] * np.log(wanted[there] / near)).sum())
