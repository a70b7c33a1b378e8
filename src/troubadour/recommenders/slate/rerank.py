"""From scores to a list: one piece a work, unlike each other, a place or two for the new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.core.topn import best
from troubadour.interactions.events import History
from troubadour.recommenders.evaluation.metrics import style_shares
from troubadour.recommenders.slate.diversity import Candidates, diversify, one_per_work
from troubadour.recommenders.slate.exploration import RARE, Draw, explore, posterior_std
from troubadour.recommenders.slate.item_info import ItemInfo

_RARE_POOL: Final = 50
"""Candidates for each place that is kept for the new."""
_RARE_FEWEST: Final = 20
"""So many there must be for each such place but the first, or everybody would be shown the same few."""


@dataclass(frozen=True, slots=True)
class RankSpec:
    """What may be chosen about lists."""

    diversity: float = 0.15
    """0 (by score alone) to 1 (unlike each other at any cost)."""
    calibration: float = 0.05
    """How much the styles of a list are drawn to those of the history, 0 (not) to 10."""
    group_share: float = 0.5
    """Most of a list that one book or artist may fill, above 0 to 1, while there is another."""
    new_share: float = 0.1
    """Share of a list, rounded down, kept for pieces that hardly anybody has heard, 0 to 1: without it
    they would hardly ever be shown, and so never heard. Fewer places where there are few such pieces."""
    curiosity: float = 1.0
    """How unsure the score of a piece is that nobody heard, as a standard deviation in the unit of
    scores, 0 to 100; decides how evenly the kept places go round."""
    exposure: float = 1.0
    """How much of the price of being shown too often is taken off, 0 (none) to 1 (all)."""
    pool: int = 100
    """Candidates that are looked at for diversity, at least as many as are asked for."""

    def __post_init__(self) -> None:
        high = {"pool": 10_000, "calibration": 10, "curiosity": 100}
        for field in fields(self):
            value, most = getattr(self, field.name), high.get(field.name, 1)
            if not 0 <= value <= most or (field.name in ("group_share", "pool") and not value):
                raise InputError(f"{field.name} is {value}; allowed: up to {most}")


@dataclass(frozen=True, slots=True, eq=False)
class CatalogueView:
    """What making a list needs to know of the catalogue."""

    infos: Sequence[ItemInfo]
    styles: NDArray[np.float64]
    """As `metrics.style_matrix` gives them, shape (n_items, n_styles)."""
    heard: NDArray[np.int64]
    """How many listeners met each item, shape (n_items,)."""
    units: NDArray[np.float32] | None
    """Vectors of length 1, shape (n_items, d), or none."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One history's scores over the whole catalogue."""

    history: History
    total: NDArray[np.float64]
    """Less prices, shape (n_items,)."""
    personal: NDArray[np.bool_]
    """Whether a score rests on more than popularity, shape (n_items,)."""


def rerank(
    view: CatalogueView,
    spec: RankSpec,
    scored: Scored,
    n: int,
    allowed: NDArray[np.bool_],
    *,
    heard: bool = False,
    rng: np.random.Generator | None = None,
) -> list[Draw]:
    """The list, best first; shorter than n only if no more is allowed.

    Neither variants of works in the history, nor two variants of one work. Costs a few passes over
    the scores, and n passes over the pool.

    Args:
        allowed: which items may be in it, shape (n_items,).
        heard: whether variants of works in the history may be in it.
        rng: leaves the places kept for new pieces to chance.
    """
    works = set() if heard else {view.infos[row].work for row in scored.history.items.tolist()} - {""}
    pool = first_works(scored.total, allowed, view.infos, works, max(n, spec.pool))
    units = np.zeros((len(pool), 1)) if view.units is None else view.units[pool]
    candidates = Candidates(
        pool,
        scored.total[pool],
        np.asarray(units @ units.T, dtype=np.float64),
        [view.infos[row].group for row in pool],
        view.styles[pool],
        style_shares(scored.history, view.styles),
    )
    chosen = diversify(
        candidates,
        n,
        diversity=spec.diversity,
        calibration=spec.calibration,
        most_of_group=max(1, int(np.ceil(spec.group_share * n))),
    )
    certain = [Draw(row, 1.0) for row in chosen]
    new = (view.heard <= RARE) & scored.personal
    fresh = allowed & new
    fresh[chosen] = False
    most = max(1, int(fresh.sum()) // _RARE_FEWEST)
    missing = min(int(spec.new_share * n) - int(new[chosen].sum()), most)
    if missing <= 0:
        return certain
    # The last places go to hardly known pieces, where the list has too few of them.
    works |= {view.infos[row].work for row in chosen} - {""}
    rows = np.array(first_works(scored.total, fresh, view.infos, works, missing * _RARE_POOL), np.int64)
    drawn = explore(rows, scored.total[rows], posterior_std(view.heard[rows], spec.curiosity), missing, rng)
    return certain[: n - len(drawn)] + drawn


def first_works(
    scores: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    infos: Sequence[ItemInfo],
    taken: set[str],
    limit: int,
) -> list[int]:
    """The best rows, one a work: sorting them all would cost more than everything else."""
    scores = np.where(allowed, scores, -np.inf)
    look = 2 * limit
    while True:
        rows = best(scores, look)
        found = one_per_work(rows, infos, taken, limit)
        if len(found) == limit or len(rows) < look:
            return found
        look *= 4
