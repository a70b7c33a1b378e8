"""Weights of a blend, learnt on validation, few and coarse so that they hold elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.recommenders.blend.combine import Standard, combine
from troubadour.recommenders.blend.recommender import COLD
from troubadour.recommenders.blend.validation import K
from troubadour.recommenders.evaluation import metrics
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet

STEPS: Final = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Weights that are tried for a part beside the best one's 1."""
POPULARITIES: Final = (0.0, 0.1, 0.3)
_DEPTH: Final = 60
"""Items that each part brings into the pool of a listener; a list of 20 rarely needs more."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The items that could come into anybody's list, with what each part says of them.

    Blends are compared on these alone, twenty times as fast as on the whole catalogue.
    """

    z: tuple[NDArray[np.float64], ...]
    """Standardised scores of each part, shape (n_cases, width)."""
    popularity: NDArray[np.float64]
    """Standardised popularity, same shape."""
    allowed: NDArray[np.bool_]
    """False where a place is empty, same shape."""
    relevant: NDArray[np.bool_]
    """Which items a listener chose later, same shape."""
    n_relevant: NDArray[np.int64]
    """How many relevant items a listener has, in the pool or not."""

    def of(self, rows: NDArray[np.int64]) -> Pool:
        """Only some listeners."""
        return Pool(
            tuple(one[rows] for one in self.z),
            self.popularity[rows],
            self.allowed[rows],
            self.relevant[rows],
            self.n_relevant[rows],
        )

    def ndcg(self, weights: Sequence[float], popularity: float) -> NDArray[np.float64]:
        """NDCG@20 of one blend, shape (n_cases,)."""
        one = np.ones(len(self.allowed))
        z = [Standard(scores, one) for scores in self.z]
        names = tuple(str(i) for i in range(len(z)))
        total = combine(names, z, weights, self.popularity, popularity, COLD).total()
        total = np.where(self.allowed, total, -np.inf)
        k = min(K, total.shape[1])
        best = np.argpartition(-total, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(total, best, axis=1), axis=1)
        places = np.take_along_axis(best, order, axis=1)
        return metrics.ndcg(np.take_along_axis(self.relevant, places, axis=1), self.n_relevant)


def pool_of(
    parts: Sequence[Standard],
    popularity: Standard,
    cases: EvaluationSet,
    hidden: NDArray[np.bool_],
    seed: int,
) -> Pool:
    """The best items by each part, and what all parts say of them."""
    n = cases.n_items
    depth = min(_DEPTH, n)
    chosen = np.zeros((len(cases), n), dtype=bool)
    for one in (*parts, popularity):
        scores = np.where(hidden | np.isnan(one.scores), -np.inf, one.scores)
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        np.put_along_axis(chosen, best, True, axis=1)
    chosen &= ~hidden
    width = max(1, int(chosen.sum(axis=1).max(initial=1)))
    # In a random order of the items: the order of rows may itself know what is popular.
    shuffle = np.random.default_rng(seed).permutation(n)
    rows = shuffle[np.argsort(~chosen[:, shuffle], axis=1, kind="stable")[:, :width]]
    wanted = np.zeros((len(cases), n), dtype=bool)
    for row, relevant in zip(wanted, cases.relevant, strict=True):
        row[relevant] = True

    def gathered(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.take_along_axis(table, rows, axis=1).astype(np.float64)

    return Pool(
        tuple(gathered(one.scores) for one in parts),
        np.nan_to_num(gathered(popularity.scores)),
        np.take_along_axis(chosen, rows, axis=1),
        np.take_along_axis(wanted, rows, axis=1),
        np.array([len(relevant) for relevant in cases.relevant]),
    )


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of a blend."""

    weights: tuple[float, ...]
    """One a part, 0 or more; the first part's is 1."""
    popularity: float


def learn(pool: Pool) -> Mix:
    """Coordinate ascent over a coarse grid, two rounds, from the first part alone.

    The first part should be the best. A weight moves only for a better mean NDCG@20; of equals the
    smaller stays. Costs about 10 ms a blend tried for 1,800 listeners.
    """
    mix = Mix((1.0, *(0.0 for _ in pool.z[1:])), 0.0)
    best = float(pool.ndcg(mix.weights, mix.popularity).mean())
    for _ in range(2):
        before = mix
        for i in range(1, len(pool.z)):
            for step in STEPS:
                weights = (*mix.weights[:i], step, *mix.weights[i + 1 :])
                if (
                    step != mix.weights[i]
                    and (figure := float(pool.ndcg(weights, mix.popularity).mean())) > best
                ):
                    best, mix = figure, Mix(weights, mix.popularity)
        for popularity in POPULARITIES:
            if popularity != mix.popularity and (
                (figure := float(pool.ndcg(mix.weights, popularity).mean())) > best
            ):
                best, mix = figure, Mix(mix.weights, popularity)
        if mix == before:
            break
    return mix


def cross_fitted(pool: Pool, rng: np.random.Generator) -> NDArray[np.float64]:
    """NDCG@20 of learnt blends on listeners that they were not learnt from, shape (n_cases,).

    Weights are learnt on one half of the listeners and judged on the other, both ways.
    """
    order = rng.permutation(len(pool.allowed))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    out = np.zeros(len(order))
    for mine, others in (halves, halves[::-1]):
        mix = learn(pool.of(others))
        out[mine] = pool.of(mine).ndcg(mix.weights, mix.popularity)
    return out
