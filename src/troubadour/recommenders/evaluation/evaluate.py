"""Full-ranking evaluation with one value per listener.

Sampled negatives are not used, because they can change the order of models (Krichene & Rendle, KDD 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.interactions.events import History
from troubadour.recommenders.base import Items, Scores
from troubadour.recommenders.evaluation import metrics
from troubadour.recommenders.evaluation.bootstrap import Interval, compare, interval
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet, discovery_cases, next_play_cases

_BATCH: Final = 256
PER_LISTENER: Final = ("recall", "ndcg", "hit", "reciprocal_rank", "novelty", "miscalibration")


class Scorer(Protocol):
    """Fitted model that scores histories."""

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Metric values of one model, one per case.

    Definitions are in `metrics`. Arrays have shape (n_cases,).
    """

    k: int
    """Length of the lists."""
    recall: NDArray[np.float64]
    """Recall@k: share of the relevant items in the list."""
    ndcg: NDArray[np.float64]
    """NDCG@k with binary relevance."""
    hit: NDArray[np.float64]
    """Hit rate@k: 1 if the list contains a relevant item, else 0."""
    reciprocal_rank: NDArray[np.float64]
    """Reciprocal rank of the first relevant item, 0 beyond k."""
    novelty: NDArray[np.float64]
    """Mean self-information of the list, bits; NaN if `EvaluationSet.known_to` is missing."""
    miscalibration: NDArray[np.float64]
    """KL divergence between the styles of history and list, nats; NaN without styles."""
    coverage: float
    """Share of the catalogue that occurs in at least one list."""
    head_share: float
    """Share of all list positions with the most recommended 1% of the catalogue."""
    lists: NDArray[np.int64]
    """Recommended item rows, shape (n_cases, k); -1 = padding."""

    def intervals(self, rng: np.random.Generator) -> dict[str, Interval]:
        """Computes means with bootstrap intervals for all available metrics."""
        known = {name: getattr(self, name) for name in PER_LISTENER}
        return {name: interval(f, rng) for name, f in known.items() if not np.isnan(f).all()}


def evaluate(
    scorer: Scorer,
    cases: EvaluationSet,
    k: int,
    rng: np.random.Generator,
    *,
    styles: Sequence[str] | None = None,
) -> Evaluation:
    """Ranks the whole catalogue for every case.

    One random order of the items breaks ties, because row order can correlate with popularity. Items with a
    NaN score are not recommended.

    Args:
        scorer: fitted model.
        cases: histories with relevant and hidden items.
        k: length of the lists, 1 or more.
        rng: source of the tie-breaking order.
        styles: style of each item, for calibration; "" = no style.

    Raises:
        InputError: k < 1, or there are no cases.
    """
    items = np.arange(cases.n_items, dtype=np.int32)
    return evaluate_scores(
        lambda rows: scorer.score(cases.histories[rows], items), cases, k, rng, styles=styles
    )


def evaluate_scores(
    scores_of: Callable[[slice], Scores],
    cases: EvaluationSet,
    k: int,
    rng: np.random.Generator,
    *,
    styles: Sequence[str] | None = None,
) -> Evaluation:
    """Evaluates scores from a function; see `evaluate`.

    Args:
        scores_of: returns the scores of a slice of the cases, shape (n_rows, n_items).
    """
    _check(cases, k)
    order = rng.permutation(cases.n_items)
    batches = [slice(at, min(at + _BATCH, len(cases))) for at in range(0, len(cases), _BATCH)]
    lists = np.concatenate([top(scores_of(b), cases.hidden[b], k, order) for b in batches])
    return evaluate_lists(lists, cases, styles=styles)


def evaluate_lists(
    lists: NDArray[np.int64], cases: EvaluationSet, *, styles: Sequence[str] | None = None
) -> Evaluation:
    """Evaluates final lists, after filters and re-ranking.

    Args:
        lists: item rows, shape (n_cases, k); -1 = padding.
        cases: histories with relevant items.
        styles: style of each item, for calibration; "" = no style.

    Raises:
        InputError: there are no cases, or the number of lists differs.
    """
    _check(cases, lists.shape[1] if lists.ndim == 2 else 0)
    if len(lists) != len(cases):
        raise InputError(f"{len(lists)} lists for {len(cases)} cases; need one list per case")
    hit = metrics.hits(lists, cases.relevant)
    wanted = np.array([len(relevant) for relevant in cases.relevant])
    unknown = np.full(len(cases), np.nan)
    by_style = None if styles is None else metrics.style_matrix(styles)
    return Evaluation(
        k=lists.shape[1],
        recall=metrics.recall(hit, wanted),
        ndcg=metrics.ndcg(hit, wanted),
        hit=metrics.hit_rate(hit),
        reciprocal_rank=metrics.reciprocal_rank(hit),
        novelty=unknown if cases.known_to is None else metrics.novelty(lists, cases.known_to),
        miscalibration=unknown
        if by_style is None
        else metrics.miscalibration(lists, cases.histories, by_style),
        coverage=metrics.coverage(lists, cases.n_items),
        head_share=metrics.head_share(lists, cases.n_items),
        lists=lists,
    )


def top(
    scores: Scores, hidden: Sequence[NDArray[np.int32]], k: int, order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Selects the best k items of each row.

    Args:
        scores: shape (n_rows, n_items); NaN = excluded.
        hidden: rows of excluded items, one array per row of scores.
        k: length of the lists, 1 or more.
        order: permutation of the items, shape (n_items,); ties keep this order.

    Returns:
        Item rows, shape (n_rows, min(k, n_items)), best first; -1 = padding.
    """
    scores = np.where(np.isnan(scores), -np.inf, scores)
    for row, rows in zip(scores, hidden, strict=True):
        row[rows] = -np.inf
    scores = scores[:, order]
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(scores, best, axis=1)
    # argpartition selects arbitrarily among scores equal to the last one: apply the tie-breaking order.
    last = value.min(axis=1, keepdims=True)
    for i in np.flatnonzero((scores == last).sum(axis=1) > (value == last).sum(axis=1)).tolist():
        if np.isfinite(last[i, 0]):
            above = np.flatnonzero(scores[i] > last[i, 0])
            best[i] = np.concatenate([above, np.flatnonzero(scores[i] == last[i, 0])[: k - len(above)]])
    value = np.take_along_axis(scores, best, axis=1)
    by_score = np.lexsort((best, -value), axis=1)
    best = np.take_along_axis(best, by_score, axis=1)
    value = np.take_along_axis(value, by_score, axis=1)
    return np.where(np.isneginf(value), -1, order[best])


def _check(cases: EvaluationSet, k: int) -> None:
    if k < 1 or not len(cases):
        raise InputError(f"k is {k} and there are {len(cases)} cases; at least 1 of each is needed")


__all__ = [
    "PER_LISTENER",
    "Evaluation",
    "EvaluationSet",
    "Interval",
    "Scorer",
    "compare",
    "discovery_cases",
    "evaluate",
    "evaluate_lists",
    "evaluate_scores",
    "interval",
    "next_play_cases",
    "top",
]
