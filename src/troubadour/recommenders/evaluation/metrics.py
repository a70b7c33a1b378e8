"""Figures of lists: how many of a listener's own are found, and what is shown to everybody.

A set of lists is an array of item rows, shape (n_lists, k), best first, -1 where a list is shorter.
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
    """Which places hold a relevant item, shape as `lists`."""
    owner = np.repeat(np.arange(len(relevant)), [len(wanted) for wanted in relevant])
    wanted = np.concatenate([np.empty(0, np.int64), *relevant])
    width = 1 + max(lists.max(initial=0), wanted.max(initial=0))
    # One number for each listener's item, so that all are looked up at once.
    shown = np.arange(len(lists))[:, None] * width + lists
    return np.isin(shown, owner * width + wanted) & (lists >= 0)


def recall(hit: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> Floats:
    """Share of the relevant items that are in the list, shape (n_lists,)."""
    return np.asarray(hit.sum(axis=1) / n_relevant)


def ndcg(hit: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> Floats:
    """Discounted gain over that of an ideal list (binary relevance, log2), shape (n_lists,).

    Source: Järvelin & Kekäläinen, ACM TOIS 2002. The ideal list is as long as the lists are.
    """
    discounts = 1.0 / np.log2(np.arange(hit.shape[1]) + 2.0)
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, hit.shape[1]) - 1]
    return np.asarray((hit * discounts).sum(axis=1) / ideal, dtype=np.float64)


def hit_rate(hit: NDArray[np.bool_]) -> Floats:
    """1 where a list holds anything relevant, else 0, shape (n_lists,)."""
    return np.asarray(hit.any(axis=1), dtype=np.float64)


def reciprocal_rank(hit: NDArray[np.bool_]) -> Floats:
    """1 over the place of the first relevant item, 0 where the list has none, shape (n_lists,)."""
    return np.asarray(np.where(hit.any(axis=1), 1.0 / (hit.argmax(axis=1) + 1.0), 0.0))


def coverage(lists: Lists, n_items: int) -> float:
    """Share of the catalogue that is in at least one list."""
    return len(np.unique(lists[lists >= 0])) / max(1, n_items)


def head_share(lists: Lists, n_items: int, head: float = 0.01) -> float:
    """Share of all places that go to the most shown `head` of the catalogue (at least one item)."""
    return concentration(np.bincount(lists[lists >= 0], minlength=n_items), head)


def concentration(counts: NDArray[np.int64], head: float = 0.01) -> float:
    """Share of a total that the largest `head` of its parts have; 0 of nothing.

    >>> concentration(np.array([8, 1, 1, 0]), head=0.25)
    0.8
    """
    n = max(1, int(np.ceil(head * len(counts))))
    return float(np.sort(counts)[::-1][:n].sum() / max(1, counts.sum()))


def novelty(lists: Lists, known_to: Floats) -> Floats:
    """Mean self-information of a list's items, -log2 of the share of listeners who know each.

    In bits, shape (n_lists,); an item that nobody knows counts as if half a listener of the
    smallest share did; NaN for an empty list. Source: Vargas & Castells, RecSys 2011.
    """
    least = known_to[known_to > 0].min(initial=1.0) / 2
    bits = -np.log2(np.maximum(known_to, least))
    shown = lists >= 0
    total = np.where(shown, bits[lists], 0.0).sum(axis=1)
    return np.where(shown.any(axis=1), total / np.maximum(1, shown.sum(axis=1)), np.nan)


def style_matrix(styles: Sequence[str]) -> NDArray[np.float64]:
    """One column a style, 1 where an item has it, shape (n_items, n_styles); no style: all 0."""
    names = sorted({style for style in styles if style})
    matrix = np.zeros((len(styles), len(names)))
    column = {name: i for i, name in enumerate(names)}
    for row, style in enumerate(styles):
        if style:
            matrix[row, column[style]] = 1.0
    return matrix


def miscalibration(lists: Lists, histories: Sequence[History], styles: Floats) -> Floats:
    """How far a list's styles are from those of the history, KL divergence in nats, shape (n_lists,).

    0 = the same shares; NaN where either has no style. Source: Steck, RecSys 2018, with his
    mixture of one hundredth of the history's shares, which keeps it finite.

    Args:
        styles: as `style_matrix` gives them.

    Raises:
        InputError: an item has no row in `styles`.
    """
    if lists.size and lists.max() >= len(styles):
        raise InputError(f"lists hold item row {lists.max()}; styles are given for {len(styles)}")
    out = np.full(len(lists), np.nan)
    for i, (row, history) in enumerate(zip(lists, histories, strict=True)):
        wanted = style_shares(history, styles)
        shown = styles[row[row >= 0]].sum(axis=0)
        if wanted.sum() and shown.sum():
            out[i] = divergence(wanted, shown / shown.sum())
    return out


def style_shares(history: History, styles: Floats) -> Floats:
    """The shares of each style in what a history likes, shape (n_styles,), sum 1; 0 if it has none."""
    inside = history.items < len(styles)
    liked = np.maximum(history.weights[inside], 0.0) @ styles[history.items[inside]]
    total = liked.sum()
    return np.asarray(liked / total if total else liked)


def divergence(wanted: Floats, shown: Floats, mixed: float = 0.01) -> float:
    """KL(wanted || shown) in nats, `shown` mixed with a little of `wanted`; both sum to 1."""
    there = wanted > 0
    near = (1 - mixed) * shown[there] + mixed * wanted[there]
    return float((wanted[there] * np.log(wanted[there] / near)).sum())
