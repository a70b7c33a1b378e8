"""Charts: most played pieces of a day, week or month, with their movement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.app.surfaces.listed import ListedItem
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.interactions.events import LATEST, Kind
from troubadour.privacy.export import iso

DAYS: Final = {"day": 1, "week": 7, "month": 30}
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its period and totals."""

    period: str
    begin: int
    """Unix seconds; the previous period has the same length and ends here."""
    end: int
    style: str
    plays: int
    listeners: int
    items: tuple[ListedItem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Chart without its items, for JSON."""
        return {
            "period": self.period,
            "from": iso(self.begin),
            "to": iso(self.end),
            "style": self.style or None,
            "plays": self.plays,
            "listeners": self.listeners,
            "items": [one.to_dict() for one in self.items],
        }


class _Counted(NamedTuple):
    """Play counts of one period; arrays of shape (n_items,)."""

    scores: NDArray[np.float64]
    plays: NDArray[np.int64]
    listeners: NDArray[np.int64]
    in_all: int
    """Number of listeners with at least one play."""

    def ranked(self) -> list[int]:
        order = np.argsort(-self.scores, kind="stable")
        return [int(row) for row in order[self.scores[order] > 0]]


def chart(
    store: Store, period: str = "week", n: int = 20, *, style: str = "", end: int | None = None
) -> Chart:
    """Most played pieces of the period up to `end`, with their ranks in the previous period.

    The score of a piece is the sum over listeners of log2(1 + shares heard): a half-heard play counts
    half, and repeated plays by one listener have a diminishing effect. Flagged plays (bots, duplicates) and
    plays of unknown time are excluded. Costs one pass over the log, about 2 s per million events.

    Args:
        store: the catalogue.
        period: `day`, `week` (7 days) or `month` (30 days).
        n: 1 to 1000.
        style: only pieces of this style; empty = all.
        end: Unix seconds. Default: time of the last play.

    Raises:
        InputError: the period or style is unknown, or n or `end` is out of range.
    """
    if period not in DAYS:
        raise InputError(f"period is '{period}'; allowed: {', '.join(DAYS)}")
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
    if end is not None and not 0 <= end <= LATEST:
        raise InputError(f"end is {end}; allowed: Unix seconds from 0 to 2^40")
    pieces = store.pieces()
    if style and not any(p.style == style for p in pieces):
        known = ", ".join(sorted({p.style for p in pieces} - {""}))
        raise InputError(f"no piece of style '{style}'; known styles: {known or 'none'}")
    columns = store.interaction_columns()
    played = (columns["kind"] == Kind.PLAY) & (columns["time"] > 0)
    if end is None:
        end = int(columns["time"][played].max(initial=0)) + 1
    if style:
        played &= np.array([p.style == style for p in pieces], dtype=bool)[columns["item"]]
    log = {name: column[played] for name, column in columns.items()}
    length = DAYS[period] * _DAY
    now = _counted(log, end - length, end, len(pieces))
    before = _counted(log, end - 2 * length, end - length, len(pieces))
    was = {row: rank for rank, row in enumerate(before.ranked(), start=1)}
    entries: list[ListedItem] = []
    for rank, row in enumerate(now.ranked()[:n], start=1):
        plays, people, last = int(now.plays[row]), int(now.listeners[row]), was.get(row)
        heard = f"{_many(plays, 'play')} by {_many(people, 'listener')}"
        more = {
            "rank": rank,
            "rank_before": last,
            "plays": plays,
            "listeners": people,
            "style": pieces[row].style,
            "generated": pieces[row].generated,
        }
        reasons = (heard, _moved(rank, last))
        entries.append(ListedItem(pieces[row].id, pieces[row].title, float(now.scores[row]), reasons, more))
    return Chart(period, max(end - length, 0), end, style, int(now.plays.sum()), now.in_all, tuple(entries))


def _counted(log: dict[str, NDArray[Any]], begin: int, end: int, n_items: int) -> _Counted:
    inside = (log["time"] >= begin) & (log["time"] < end)
    item = log["item"][inside].astype(np.int64)
    listener = log["listener"][inside].astype(np.int64)
    share = np.nan_to_num(log["value"][inside], nan=1.0)
    cells, index = np.unique(listener * n_items + item, return_inverse=True)
    amount = np.log2(1.0 + np.bincount(index, share, minlength=len(cells)))
    of_cell = cells % max(n_items, 1)
    return _Counted(
        np.bincount(of_cell, amount, minlength=n_items).astype(np.float64),
        np.bincount(item, minlength=n_items),
        np.bincount(of_cell, minlength=n_items),
        len(np.unique(listener)),
    )


def _moved(rank: int, before: int | None) -> str:
    if before is None:
        return "new"
    if before == rank:
        return f"stays at {rank}"
    return f"{'up' if before > rank else 'down'} {abs(before - rank)} from {before}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
