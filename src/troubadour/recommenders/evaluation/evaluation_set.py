"""Evaluation sets: histories from the training part of a log, relevant items from the test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History, Interactions, Weights
from troubadour.recommenders.evaluation.split import Split

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSet:
    """Cases of an evaluation, one per listener."""

    histories: tuple[History, ...]
    relevant: tuple[Rows, ...]
    """Distinct rows of relevant items, at least one per case."""
    hidden: tuple[Rows, ...]
    """Rows of items that are excluded from the ranking, such as items of the history."""
    n_items: int
    known_to: NDArray[np.float64] | None = None
    """Share of training listeners who know each item, 0 to 1, shape (n_items,); for novelty."""

    def __len__(self) -> int:
        return len(self.histories)

    def subset(self, rows: NDArray[np.int64] | list[int]) -> EvaluationSet:
        """Selects cases by position."""
        chosen = [int(row) for row in rows]
        return EvaluationSet(
            tuple(self.histories[i] for i in chosen),
            tuple(self.relevant[i] for i in chosen),
            tuple(self.hidden[i] for i in chosen),
            self.n_items,
            self.known_to,
        )

    def sample(self, n: int, rng: np.random.Generator) -> EvaluationSet:
        """Draws at most n cases at random; their order is kept."""
        return self if len(self) <= n else self.subset(np.sort(rng.choice(len(self), n, replace=False)))

    def hidden_mask(self) -> NDArray[np.bool_]:
        """Mask of hidden items, shape (n_cases, n_items)."""
        mask = np.zeros((len(self), self.n_items), dtype=bool)
        for row, known in zip(mask, self.hidden, strict=True):
            row[known] = True
        return mask


def discovery_cases(split: Split, weights: Weights | None = None) -> EvaluationSet:
    """Builds the evaluation set of item discovery.

    Relevant items are new to the listener and have a positive weight in the test part. Items of the training
    part are hidden. Listeners without a history or without a relevant item are left out.
    """
    histories = split.train.histories(weights=weights)
    later = split.test.histories(weights=weights)
    kept: list[tuple[History, Rows, Rows]] = []
    for history, future, hidden in zip(histories, later, _known_items(split.train), strict=True):
        relevant = np.setdiff1d(future.items[future.weights > 0], hidden).astype(np.int32)
        if len(history) and len(relevant):
            kept.append((history, relevant, hidden))
    return _evaluation_set(kept, split)


def next_play_cases(split: Split, weights: Weights | None = None) -> tuple[EvaluationSet, NDArray[np.bool_]]:
    """Builds the evaluation set of next-play prediction, repeats included.

    The relevant item is the first item after the cut that has a positive weight in the test part. No item
    is hidden, because repeats are a large part of listening. The reference is `PersonalRecommender`.

    Returns:
        The cases with one relevant item each, and a mask of repeats, shape (n_cases,).
    """
    histories = split.train.histories(weights=weights)
    later = split.test.histories(weights=weights)
    kept: list[tuple[History, Rows, Rows]] = []
    repeats: list[bool] = []
    events = _events_by_listener(split.test)
    for history, future, known, rows in zip(histories, later, _known_items(split.train), events, strict=True):
        welcome = future.items[future.weights > 0]
        played = split.test.item[rows]
        first = played[np.isin(played, welcome)][:1].astype(np.int32)
        if len(history) and len(first):
            kept.append((history, first, np.empty(0, np.int32)))
            repeats.append(bool(first[0] in known))
    return _evaluation_set(kept, split), np.array(repeats, dtype=bool)


def _evaluation_set(kept: list[tuple[History, Rows, Rows]], split: Split) -> EvaluationSet:
    columns = tuple(zip(*kept, strict=True)) if kept else ((), (), ())
    return EvaluationSet(columns[0], columns[1], columns[2], len(split.train.items), _known_to(split.train))


def _known_to(log: Interactions) -> NDArray[np.float64]:
    return log.audience() / max(1, len(np.unique(log.listener)))


def _known_items(log: Interactions) -> list[Rows]:
    return [np.unique(log.item[rows]).astype(np.int32) for rows in _events_by_listener(log)]


def _events_by_listener(log: Interactions) -> list[NDArray[np.int64]]:
    """Groups event rows by listener, each group in order of time."""
    n = len(log.listeners)
    order = np.argsort(log.listener, kind="stable")
    return np.split(order, np.searchsorted(log.listener[order], np.arange(1, n))) if n else []
