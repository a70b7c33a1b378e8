"""Exposure prices: deductions from the scores of items that would be recommended too often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet
from troubadour.recommenders.evaluation.metrics import concentration, ndcg

HEAD: Final = 0.01
"""Share of the catalogue that counts as its head."""
_ROUNDS: Final = 60
_MARGIN: Final = 0.95
"""Safety margin: lists of other listeners are slightly more alike than those of the fit."""
_PRICED: Final = 20
"""Length of the lists for which prices are learnt."""
_SAMPLE: Final = 1000
"""Largest number of listeners from which prices are learnt."""
_BATCH: Final = 64
STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Strengths of prices that are evaluated on validation data."""
_MOST_LOSS: Final = 0.03
"""Largest accepted relative loss of NDCG."""


def caps(plays: NDArray[np.int64]) -> NDArray[np.float64]:
    """Computes the largest share of all lists that each item may occupy, shape (n_items,).

    Head items (the most played 1%) are limited to their share of plays, other items to the smallest limit of
    the head. If all limits hold, the most recommended 1% has at most the head's share of plays.

    Args:
        plays: number of plays or listeners of each item, shape (n_items,).
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
    """Learns a deduction for each item so that no item exceeds its cap.

    Prices are the Lagrange multipliers of "maximise the total score of all lists, no item above its cap".
    Subgradient steps raise the price of items above their cap and lower it otherwise. Items below their cap
    have price 0. Prices are global: serving costs one subtraction.

    Source: equity of attention by linear constraints (Singh & Joachims, KDD 2018), in the dual form. Cost:
    sixty passes over `scores`.

    Args:
        rows: best items of a sample of listeners, shape (n_listeners, width), width > k; -1 = padding.
        scores: their scores, unit of the prices, same shape.
        plays: number of plays or listeners of each item in training, shape (n_items,).
        k: length of the lists, 1 or more.

    Returns:
        Prices, 0 or more, shape (n_items,).
    """
    n = len(plays)
    price = np.zeros(n)
    if not len(rows) or rows.shape[1] <= k or not plays.sum():
        return price
    allowed = _MARGIN * caps(plays)  # diversity changes the lists slightly afterwards
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
    """Learns exposure prices for lists of 20 from a sample of the log's listeners.

    Args:
        score: returns scores of histories, shape (n_histories, n_items).
        histories: of all listeners; at most 1,000 are sampled.
        plays: see `prices`.
        rng: source of the sample.

    Returns:
        Prices, 0 or more, shape (n_items,).
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
    """Finds the largest strength of prices that costs at most 3% of NDCG@20.

    Full prices can be too expensive: where scores are far more concentrated than plays, they cost up to a
    third of NDCG.

    Args:
        total: scores of the cases, shape (len(cases), n_items), -inf = hidden.
        cases: evaluation set with the relevant items.
        plays: see `prices`.

    Returns:
        The largest affordable entry of `STRENGTHS`, and the NDCG@20 at each strength.
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
    """Returns rows and scores of the best items of each row of `total`; row -1 = padding."""
    width = min(10 * _PRICED, total.shape[1])
    if not width:
        return np.zeros(total.shape, dtype=np.int64), total
    best = np.argpartition(-total, width - 1, axis=1)[:, :width]
    value = np.take_along_axis(total, best, axis=1)
    return np.where(np.isneginf(value), -1, best), value
