"""Full-ranking evaluation with bootstrap intervals over listeners.

Never sampled negatives: they change the order of models (Krichene & Rendle, KDD 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import InputError
from troubadour.listening.interactions import History, Interactions, Weights
from troubadour.recommenders.base import Items, Scores
from troubadour.recommenders.split import Split

_BATCH = 256


class Scorer(Protocol):
    """Whatever scores histories, fitted."""

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """What is known of some listeners, and what they went on to choose."""

    histories: tuple[History, ...]
    relevant: tuple[NDArray[np.int32], ...]
    """Distinct item rows that a listener chose later, at least one each."""
    hidden: tuple[NDArray[np.int32], ...]
    """Item rows that are not ranked for a listener, because they were heard before."""
    n_items: int

    def __len__(self) -> int:
        return len(self.histories)


def discovery_cases(split: Split, weights: Weights | None = None) -> Cases:
    """Listeners with a past and a future, whose relevant items are new to them and were welcome.

    Welcome = the weight of their later events with the item is above 0. Items of the past are
    hidden. Listeners without history or without a relevant item are left out.
    """
    return _cases(split.train, split.test, weights)


def _cases(train: Interactions, test: Interactions, weights: Weights | None) -> Cases:
    histories = train.histories(weights=weights)
    later = test.histories(weights=weights)
    heard = [
        np.unique(train.item[rows]).astype(np.int32) for rows in _events_by_listener(train, len(histories))
    ]
    kept: list[tuple[History, NDArray[np.int32], NDArray[np.int32]]] = []
    for history, future, hidden in zip(histories, later, heard, strict=True):
        relevant = np.setdiff1d(future.items[future.weights > 0], hidden).astype(np.int32)
        if len(history) and len(relevant):
            kept.append((history, relevant, hidden))
    columns = tuple(zip(*kept, strict=True)) if kept else ((), (), ())
    return Cases(columns[0], columns[1], columns[2], len(train.items))


def _events_by_listener(log: Interactions, n: int) -> list[NDArray[np.int64]]:
    order = np.argsort(log.listener, kind="stable")
    return np.split(order, np.searchsorted(log.listener[order], np.arange(1, n)))


class Interval(NamedTuple):
    """A mean over listeners with its bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Figures of one model on some cases, one entry a listener."""

    k: int
    recall: NDArray[np.float64]
    """Share of the relevant items that are among the first k."""
    ndcg: NDArray[np.float64]
    """Discounted gain of the first k over that of an ideal list (binary relevance)."""
    coverage: float
    """Share of the catalogue that is in at least one list."""


def evaluate(scorer: Scorer, cases: Cases, k: int, rng: np.random.Generator) -> Evaluation:
    """Rank the whole catalogue for every listener.

    Ties are broken by one random order of the items, because the order of rows may itself know
    what is popular. An item whose score is NaN is never recommended.

    Args:
        k: length of the lists, >= 1.
        rng: breaks ties.

    Raises:
        InputError: k < 1, or there are no cases.
    """
    items = np.arange(cases.n_items, dtype=np.int32)
    return evaluate_scores(lambda rows: scorer.score(cases.histories[rows], items), cases, k, rng)


def evaluate_scores(
    scores_of: Callable[[slice], Scores], cases: Cases, k: int, rng: np.random.Generator
) -> Evaluation:
    """As `evaluate`, of scores that a function gives for a range of the cases, all items each."""
    if k < 1 or not len(cases):
        raise InputError(f"k is {k} and there are {len(cases)} cases; at least 1 of each is needed")
    order = rng.permutation(cases.n_items)
    batches = [slice(at, min(at + _BATCH, len(cases))) for at in range(0, len(cases), _BATCH)]
    top = np.concatenate([_top(scores_of(b), cases.hidden[b], k, order) for b in batches])
    discounts = 1.0 / np.log2(np.arange(top.shape[1]) + 2.0)
    ideal = np.cumsum(discounts)
    recall, ndcg = np.zeros(len(cases)), np.zeros(len(cases))
    for i, relevant in enumerate(cases.relevant):
        hit = np.isin(top[i], relevant)
        recall[i] = hit.sum() / len(relevant)
        ndcg[i] = (hit * discounts).sum() / ideal[min(len(relevant), top.shape[1]) - 1]
    shown = np.unique(top[top >= 0])
    return Evaluation(k, recall, ndcg, len(shown) / max(1, cases.n_items))


def _top(
    scores: Scores, hidden: Sequence[NDArray[np.int32]], k: int, order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The first k items of each row, shape (n_rows, min(k, n_items)), -1 where there is none."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    for row, heard in zip(scores, hidden, strict=True):
        row[heard] = -np.inf
    scores = scores[:, order]
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(scores, best, axis=1)
    by_score = np.argsort(-value, axis=1, kind="stable")
    best = np.take_along_axis(best, by_score, axis=1)
    value = np.take_along_axis(value, by_score, axis=1)
    return np.where(np.isneginf(value), -1, order[best])


def interval(
    values: NDArray[np.float64], rng: np.random.Generator, *, level: float = 0.95, n: int = 1000
) -> Interval:
    """Mean over listeners with a percentile bootstrap interval (Efron, 1979).

    For two models on the same cases pass the differences, which makes the comparison paired.
    """
    picks = rng.integers(0, len(values), size=(n, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))
