"""Charts: what was played most in a day, week or month, and how that moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.advise.listed import Listed
from troubadour.catalogue.store import Store
from troubadour.errors import InputError
from troubadour.listeners import iso
from troubadour.listening.interactions import Kind

DAYS: Final = {"day": 1, "week": 7, "month": 30}
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and what it rests on."""

    period: str
    begin: int
    """Unix seconds; the period before begins as long before it."""
    end: int
    style: str
    plays: int
    listeners: int
    items: tuple[Listed, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "period": self.period,
            "from": iso(self.begin),
            "to": iso(self.end),
            "style": self.style or None,
            "plays": self.plays,
            "listeners": self.listeners,
            "items": [one.to_dict() for one in self.items],
        }


def chart(
    store: Store, period: str = "week", n: int = 20, *, style: str = "", end: int | None = None
) -> Chart:
    """The pieces played most in the period up to `end`, with their places in the period before.

    A piece's score is the sum over listeners of log2(1 + shares heard): a play of which half was heard
    counts half, and one fan on repeat makes no hit. Flagged plays (bots, duplicates) do not count.

    Args:
        period: `day`, `week` (7 days) or `month` (30 days).
        style: only pieces of this style.
        end: Unix seconds; without it the end of the log, which on a running service is now.

    Raises:
        InputError: no such period, or n is out of range.
    """
    if period not in DAYS:
        raise InputError(f"period is '{period}'; allowed: {', '.join(DAYS)}")
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
    columns = store.interaction_columns()
    pieces = store.pieces()
    played = columns["kind"] == Kind.PLAY
    if style:
        played &= np.array([p.style == style for p in pieces], dtype=bool)[columns["item"]]
    log = {name: column[played] for name, column in columns.items()}
    if end is None:
        end = int(columns["time"].max(initial=0)) + 1
    length = DAYS[period] * _DAY
    now, plays, listeners, in_all = _scores(log, end - length, end, len(pieces))
    before, *_ = _scores(log, end - 2 * length, end - length, len(pieces))
    was = {int(row): rank for rank, row in enumerate(_ranked(before), start=1)}
    entries: list[Listed] = []
    for rank, row in enumerate(_ranked(now)[:n].tolist(), start=1):
        last = was.get(row)
        more = {
            "rank": rank,
            "rank_before": last,
            "plays": int(plays[row]),
            "listeners": int(listeners[row]),
            "style": pieces[row].style,
            "generated": pieces[row].generated,
        }
        heard = f"{_many(int(plays[row]), 'play')} by {_many(int(listeners[row]), 'listener')}"
        entries.append(
            Listed(pieces[row].id, pieces[row].title, float(now[row]), (heard, _moved(rank, last)), more)
        )
    return Chart(period, max(end - length, 0), end, style, int(plays.sum()), in_all, tuple(entries))


def _scores(
    log: dict[str, NDArray[Any]], begin: int, end: int, n_items: int
) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[Any], int]:
    """Score, plays and listeners of each item, shape (n_items,), and how many listened at all."""
    inside = (log["time"] >= max(begin, 1)) & (log["time"] < end)
    item = log["item"][inside].astype(np.int64)
    listener = log["listener"][inside].astype(np.int64)
    share = np.nan_to_num(log["value"][inside], nan=1.0)
    cells, index = np.unique(listener * n_items + item, return_inverse=True)
    amount = np.log2(1.0 + np.bincount(index, share, minlength=len(cells)))
    of_cell = cells % n_items
    return (
        np.bincount(of_cell, amount, minlength=n_items).astype(np.float64),
        np.bincount(item, minlength=n_items),
        np.bincount(of_cell, minlength=n_items),
        len(np.unique(listener)),
    )


def _ranked(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    order = np.argsort(-scores, kind="stable")
    return np.asarray(order[scores[order] > 0], dtype=np.int64)


def _moved(rank: int, before: int | None) -> str:
    if before is None:
        return "new"
    if before == rank:
        return f"stays at {rank}"
    return f"{'up' if before > rank else 'down'} {abs(before - rank)} from {before}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
