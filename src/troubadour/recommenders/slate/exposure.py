"""Keeping what everybody is shown from being always the same: prices on pieces shown too often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet
from troubadour.recommenders.evaluation.metrics import concentration, ndcg

HEAD: Final = 0.01
"""The share of the catalogue that counts as its head."""
_ROUNDS: Final = 60
_MARGIN: Final = 0.95
"""Lists for others than those that prices were learnt on are a little more alike."""
_PRICED: Final = 20
"""Length of the lists that prices are learnt for."""
_SAMPLE: Final = 1000
"""Most listeners that prices are learnt from."""
_BATCH: Final = 64
STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of prices; tried on validation."""
_MOST_LOSS: Final = 0.03
"""Share of NDCG that prices may cost."""


def caps(plays: NDArray[np.int64]) -> NDArray[np.float64]:
    """The largest share of all lists that each item may take, shape (n_items,).

    An item of the head (the most played hundredth) may take its share of the plays, any other as
    much as the least of the head does. If every item keeps to it, then the most shown hundredth has
    no larger share of the lists than the most played hundredth has of the plays.
    """
    share = plays / max(1, plays.sum())
    head = max(1, int(np.ceil(HEAD * len(plays))))
    least = np.sort(share)[::-1][head - 1]
    return np.asarray(np.maximum(share, max(least, 1.0 / max(1, len(plays)))))


def prices(
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    plays: NDArray[np.int64],
    k: int,
) -> NDArray[np.float64]:
    """What to take off each item's scores so that no item is shown more than it may be.

    The Lagrange multipliers of "as much score as possible in all lists, no item above its cap",
    found by raising the price of what is shown too often and lowering it where there is room; an
    item that stays below its cap costs nothing. Learnt once for all listeners; a price is one
    subtraction at serving.

    Source: equity of attention by linear constraints (Singh & Joachims, KDD 2018), in its dual
    form. Costs sixty passes over `scores`.

    Args:
        rows: the best items of a sample of listeners, shape (n_listeners, width), width > k; -1
            where there are fewer.
        scores: of these, in the unit of the prices.
        plays: of each item in training, shape (n_items,).
        k: length of the lists.

    Returns:
        Shape (n_items,), 0 or more.
    """
    n = len(plays)
    price = np.zeros(n)
    if not len(rows) or rows.shape[1] <= k or not plays.sum():
        return price
    allowed = _MARGIN * caps(plays)  # lists shift a little once diversity has had its say
    empty = rows < 0
    target = _MARGIN * concentration(plays, HEAD)
    best, least = price.copy(), np.inf
    for turn in range(_ROUNDS):
        shown = _shown(rows, np.where(empty, -np.inf, scores - price[rows]), k, n)
        over = concentration(shown, HEAD)
        if over < least:
            best, least = price.copy(), over
        if over <= target:
            break
        share = shown / max(1, shown.sum())
        step = 1.0 / np.sqrt(1 + turn / 10)
        price = np.maximum(0.0, price + step * np.clip(np.log((share + 1e-9) / allowed), -1.0, 1.0))
    return best


def _shown(rows: NDArray[np.int64], scores: NDArray[np.float64], k: int, n: int) -> NDArray[np.int64]:
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    taken = np.take_along_axis(rows, best, axis=1)
    return np.bincount(taken[taken >= 0], minlength=n).astype(np.int64)


def learn_prices(
    score: Callable[[Sequence[History]], NDArray[np.float64]],
    histories: Sequence[History],
    plays: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Prices that keep lists of 20 for the log's own listeners from being always the same.

    Args:
        score: of some histories, shape (n_histories, n_items).
        histories: of all listeners; at most 1,000 are looked at, drawn at random.
        plays: as in `prices`.
    """
    liking = [h for h in histories if (h.weights > 0).any()]
    if len(liking) > _SAMPLE:
        liking = [liking[i] for i in rng.choice(len(liking), _SAMPLE, replace=False).tolist()]
    rows, scores = [], []
    for at in range(0, len(liking), _BATCH):
        batch = liking[at : at + _BATCH]
        total = score(batch)
        for row, history in zip(total, batch, strict=True):
            row[history.items] = -np.inf
        found = _candidates(total)
        rows.append(found[0])
        scores.append(found[1])
    if not rows:
        return np.zeros(len(plays))
    return prices(np.concatenate(rows), np.concatenate(scores), plays, _PRICED)


def affordable(
    total: NDArray[np.float64], cases: EvaluationSet, plays: NDArray[np.int64]
) -> tuple[float, tuple[float, ...]]:
    """How much of the prices can be taken off scores without losing more than 3% of NDCG@20.

    Where a few pieces have far more of the scores than of the plays, full prices would cost a third of
    what listeners choose.

    Args:
        total: scores of the cases, minus infinity where hidden, shape (len(cases), n_items).
        plays: as in `prices`.

    Returns:
        The greatest of `STRENGTHS` that can be afforded, and NDCG@20 at each of them.
    """
    rows, scores = _candidates(total)
    price = prices(rows, scores, plays, _PRICED)
    wanted = np.zeros(total.shape, dtype=bool)
    for row, relevant in zip(wanted, cases.relevant, strict=True):
        row[relevant] = True
    there = (rows >= 0) & np.take_along_axis(wanted, rows, axis=1)
    n_relevant = np.array([len(relevant) for relevant in cases.relevant])
    figures: list[float] = []
    for strength in STRENGTHS:
        priced = np.where(rows < 0, -np.inf, scores - strength * price[rows])
        order = np.argsort(-priced, axis=1)[:, :_PRICED]
        figures.append(float(ndcg(np.take_along_axis(there, order, axis=1), n_relevant).mean()))
    within = [s for s, f in zip(STRENGTHS, figures, strict=True) if f >= (1 - _MOST_LOSS) * figures[0]]
    return max(within), tuple(figures)


def _candidates(total: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best items of each row, -1 where there are fewer, and their scores."""
    width = min(10 * _PRICED, total.shape[1])
    if not width:
        return np.zeros(total.shape, dtype=np.int64), total
    best = np.argpartition(-total, width - 1, axis=1)[:, :width]
    value = np.take_along_axis(total, best, axis=1)
    return np.where(np.isneginf(value), -1, best), value
