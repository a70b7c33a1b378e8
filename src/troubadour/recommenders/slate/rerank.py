"""Re-ranking: one item per work, diversity, calibration, and slots for rarely played items."""

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
from troubadour.recommenders.slate.exploration import RARE_LISTENERS, SlateItem, explore, posterior_std
from troubadour.recommenders.slate.item_info import ItemInfo

_RARE_POOL: Final = 50
"""Number of candidates for each exploration slot."""
_RARE_FEWEST: Final = 20
"""Number of rarely played items for each slot beyond the first; fewer would be shown to all listeners."""


@dataclass(frozen=True, slots=True)
class RankSpec:
    """Options of re-ranking."""

    diversity: float = 0.15
    """Weight of diversity, 0 (score only) to 1."""
    calibration: float = 0.05
    """Weight of the divergence between the styles of list and history, 0 to 10."""
    group_share: float = 0.5
    """Largest share of a list for one book or artist, above 0 to 1; relaxed if no other item is left."""
    new_share: float = 0.1
    """Share of a list (rounded down) reserved for rarely played items, 0 to 1. They would otherwise not be
    shown and not be played. Catalogues with few such items reserve fewer slots."""
    curiosity: float = 1.0
    """Prior standard deviation of the score of items without listeners, unit of scores, 0 to 100. Larger
    values spread exploration more evenly."""
    exposure: float = 1.0
    """Strength of exposure prices, 0 (none) to 1 (full)."""
    pool: int = 100
    """Number of candidates for diversification; at least the length of the list."""

    def __post_init__(self) -> None:
        high = {"pool": 10_000, "calibration": 10, "curiosity": 100}
        for field in fields(self):
            value, most = getattr(self, field.name), high.get(field.name, 1)
            if not 0 <= value <= most or (field.name in ("group_share", "pool") and not value):
                raise InputError(f"{field.name} is {value}; allowed: up to {most}")


@dataclass(frozen=True, slots=True, eq=False)
class CatalogueView:
    """Catalogue data for re-ranking."""

    infos: Sequence[ItemInfo]
    styles: NDArray[np.float64]
    """Result of `metrics.style_matrix`, shape (n_items, n_styles)."""
    listener_count: NDArray[np.int64]
    """Number of listeners of each item, int64, shape (n_items,)."""
    units: NDArray[np.float32] | None
    """Content vectors of length 1, shape (n_items, d); None = no content."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores of one history over the whole catalogue."""

    history: History
    total: NDArray[np.float64]
    """Scores minus prices, shape (n_items,)."""
    personal: NDArray[np.bool_]
    """Mask of scores that are based on more than popularity, shape (n_items,)."""


def rerank(
    view: CatalogueView,
    spec: RankSpec,
    scored: Scored,
    n: int,
    allowed: NDArray[np.bool_],
    *,
    allow_known: bool = False,
    rng: np.random.Generator | None = None,
) -> list[SlateItem]:
    """Builds the list of one history, best first.

    The list contains one variant per work, and no work of the history. It is shorter than n only if no more
    items are allowed. Cost: a few passes over the scores, and n passes over the candidates.

    Args:
        view: catalogue data.
        spec: options of re-ranking.
        scored: scores of the history.
        n: length of the list, 1 or more.
        allowed: mask of allowed items, shape (n_items,).
        allow_known: whether works of the history are allowed.
        rng: source of exploration; None = no randomness.
    """
    works = set() if allow_known else {view.infos[row].work for row in scored.history.items.tolist()} - {""}
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
    certain = [SlateItem(row, 1.0) for row in chosen]
    new = (view.listener_count <= RARE_LISTENERS) & scored.personal
    fresh = allowed & new
    fresh[chosen] = False
    most = max(1, int(fresh.sum()) // _RARE_FEWEST)
    missing = min(int(spec.new_share * n) - int(new[chosen].sum()), most)
    if missing <= 0:
        return certain
    # Fill the last slots with rarely played items if the list has too few of them.
    works |= {view.infos[row].work for row in chosen} - {""}
    rows = np.array(first_works(scored.total, fresh, view.infos, works, missing * _RARE_POOL), np.int64)
    slate = explore(
        rows, scored.total[rows], posterior_std(view.listener_count[rows], spec.curiosity), missing, rng
    )
    return certain[: n - len(slate)] + slate


def first_works(
    scores: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    infos: Sequence[ItemInfo],
    taken: set[str],
    limit: int,
) -> list[int]:
    """Returns the best rows, one per work, without sorting all scores."""
    scores = np.where(allowed, scores, -np.inf)
    look = 2 * limit
    while True:
        rows = best(scores, look)
        found = one_per_work(rows, infos, taken, limit)
        if len(found) == limit or len(rows) < look:
            return found
        look *= 4
