"""What is known of some listeners, and what they went on to do: the questions of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History, Interactions, Weights
from troubadour.recommenders.evaluation.split import Split

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSet:
    """One entry a listener."""

    histories: tuple[History, ...]
    relevant: tuple[Rows, ...]
    """Distinct item rows that a listener chose later, at least one each."""
    hidden: tuple[Rows, ...]
    """Item rows that are not ranked for a listener, because they were heard before."""
    n_items: int
    known_to: NDArray[np.float64] | None = None
    """Share of the training's listeners that know each item, shape (n_items,); for novelty."""

    def __len__(self) -> int:
        return len(self.histories)

    def pick(self, rows: NDArray[np.int64] | list[int]) -> EvaluationSet:
        """Only some of them."""
        chosen = [int(row) for row in rows]
        return EvaluationSet(
            tuple(self.histories[i] for i in chosen),
            tuple(self.relevant[i] for i in chosen),
            tuple(self.hidden[i] for i in chosen),
            self.n_items,
            self.known_to,
        )

    def sample(self, n: int, rng: np.random.Generator) -> EvaluationSet:
        """At most n of them, drawn at random, in their order."""
        return self if len(self) <= n else self.pick(np.sort(rng.choice(len(self), n, replace=False)))

    def hides(self) -> NDArray[np.bool_]:
        """Which items are hidden from whom, shape (n_cases, n_items)."""
        mask = np.zeros((len(self), self.n_items), dtype=bool)
        for row, heard in zip(mask, self.hidden, strict=True):
            row[heard] = True
        return mask


def discovery_cases(split: Split, weights: Weights | None = None) -> EvaluationSet:
    """Listeners with a past and a future, whose relevant items are new to them and were welcome.

    Welcome = the weight of their later events with the item is above 0. Items of the past are
    hidden. Listeners without history or without a relevant item are left out.
    """
    histories = split.train.histories(weights=weights)
    later = split.test.histories(weights=weights)
    kept: list[tuple[History, Rows, Rows]] = []
    for history, future, hidden in zip(histories, later, _heard(split.train), strict=True):
        relevant = np.setdiff1d(future.items[future.weights > 0], hidden).astype(np.int32)
        if len(history) and len(relevant):
            kept.append((history, relevant, hidden))
    return _cases(kept, split)


def next_play_cases(split: Split, weights: Weights | None = None) -> tuple[EvaluationSet, NDArray[np.bool_]]:
    """The first piece that each listener welcomed after the cut, heard before or not.

    Nothing is hidden: much of what people play they have played before, and a model of the next
    play has to know when. Compare with the listener's own most played pieces, always.

    Returns:
        The cases, one relevant item each, and which of them are repeats, shape (n_cases,).
    """
    histories = split.train.histories(weights=weights)
    later = split.test.histories(weights=weights)
    kept: list[tuple[History, Rows, Rows]] = []
    repeats: list[bool] = []
    events = _events_by_listener(split.test)
    for history, future, heard, rows in zip(histories, later, _heard(split.train), events, strict=True):
        welcome = future.items[future.weights > 0]
        played = split.test.item[rows]
        first = played[np.isin(played, welcome)][:1].astype(np.int32)
        if len(history) and len(first):
            kept.append((history, first, np.empty(0, np.int32)))
            repeats.append(bool(first[0] in heard))
    return _cases(kept, split), np.array(repeats, dtype=bool)


def _cases(kept: list[tuple[History, Rows, Rows]], split: Split) -> EvaluationSet:
    columns = tuple(zip(*kept, strict=True)) if kept else ((), (), ())
    return EvaluationSet(columns[0], columns[1], columns[2], len(split.train.items), _known_to(split.train))


def _known_to(log: Interactions) -> NDArray[np.float64]:
    return log.audience() / max(1, len(np.unique(log.listener)))


def _heard(log: Interactions) -> list[Rows]:
    return [np.unique(log.item[rows]).astype(np.int32) for rows in _events_by_listener(log)]


def _events_by_listener(log: Interactions) -> list[NDArray[np.int64]]:
    """Rows of each listener's events, in order of time."""
    n = len(log.listeners)
    order = np.argsort(log.listener, kind="stable")
    return np.split(order, np.searchsorted(log.listener[order], np.arange(1, n))) if n else []
