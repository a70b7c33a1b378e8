"""Trends: weekly plays of styles or pieces, where they go, and how much such forecasts are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.advise.forecast import Forecast, forecast
from troubadour.advise.listed import Listed
from troubadour.catalogue.store import Store
from troubadour.errors import InputError
from troubadour.listeners import iso
from troubadour.listening.interactions import Kind

WEEK: Final = 7 * 86_400
_RECENT: Final = 4
_LEAST_PLAYS: Final = 20
"""Of all weeks together; fewer make no trend."""
_MOST: Final = 200
"""Pieces that are looked at, those played most."""


@dataclass(frozen=True, slots=True)
class Trends:
    """What rises and falls, the strongest rise first."""

    by: str
    begin: int
    """Unix seconds of the first whole week."""
    weeks: int
    items: tuple[Listed, ...]
    mase: float
    """Mean over the entries of the chosen forecasts' errors on weeks that the choice had not seen, NaN
    without any."""
    naive_mase: float
    verdict: str
    """One sentence: whether the forecasts beat the naive ones."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "by": self.by,
            "from": iso(self.begin),
            "weeks": self.weeks,
            "mase": _rounded(self.mase),
            "naive_mase": _rounded(self.naive_mase),
            "verdict": self.verdict,
            "items": [one.to_dict() for one in self.items],
        }


def trends(store: Store, by: str = "style", n: int = 20, horizon: int = 4) -> Trends:
    """Weekly plays by style or piece with a forecast. Flagged plays do not count.

    Score: expected plays a week over the horizon less the mean of the last four weeks, as a share of
    that mean. Whole weeks only, counted back from the end of the log.

    Args:
        by: `style` or `piece`.
        horizon: weeks to forecast, 1 to 26.

    Raises:
        InputError: `by`, n or the horizon is out of range.
    """
    if by not in ("style", "piece"):
        raise InputError(f"by is '{by}'; allowed: style, piece")
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
    if not 1 <= horizon <= 26:
        raise InputError(f"horizon is {horizon}; allowed: 1 to 26 weeks")
    names, titles, series, begin = _weekly(store, by)
    entries: list[Listed] = []
    found: list[Forecast] = []
    for name, title, plays in zip(names, titles, series, strict=True):
        one = forecast(plays, horizon)
        if one is None:
            continue
        found.append(one)
        entries.append(_entry(name, title, plays, one))
    entries.sort(key=lambda e: -e.score)
    mase = _mean([f.mase for f in found])
    plain = _mean([f.naive_mase for f in found])
    weeks = series.shape[1] if len(series) else 0
    return Trends(by, begin, weeks, tuple(entries[:n]), mase, plain, _verdict(len(found), weeks, mase, plain))


def _weekly(store: Store, by: str) -> tuple[list[str], list[str], NDArray[np.float64], int]:
    """Names, titles, and plays a week, shape (n_names, n_weeks), of what was played enough."""
    columns = store.interaction_columns()
    pieces = store.pieces()
    played = (columns["kind"] == Kind.PLAY) & (columns["time"] > 0)
    item, time = columns["item"][played], columns["time"][played]
    if not len(time):
        return [], [], np.zeros((0, 0)), 0
    end = int(time.max()) + 1
    weeks = (end - int(time.min())) // WEEK
    begin = end - weeks * WEEK
    inside = time >= begin
    item, week = item[inside], ((time[inside] - begin) // WEEK).astype(np.int64)
    if by == "style":
        names = sorted({p.style for p in pieces} - {""})
        titles = names
        number = {name: i for i, name in enumerate(names)}
        group = np.array([number.get(p.style, -1) for p in pieces], dtype=np.int64)[item]
    else:
        names, titles = [p.id for p in pieces], [p.title for p in pieces]
        group = item.astype(np.int64)
    known = group >= 0
    counts = np.bincount(group[known] * weeks + week[known], minlength=len(names) * weeks)
    table = counts[: len(names) * weeks].reshape(len(names), weeks).astype(np.float64)
    total = table.sum(axis=1)
    rows = np.argsort(-total, kind="stable")[:_MOST]
    rows = rows[total[rows] >= _LEAST_PLAYS]
    return [names[i] for i in rows], [titles[i] for i in rows], table[rows], begin


def _entry(name: str, title: str, plays: NDArray[np.float64], one: Forecast) -> Listed:
    recent = float(plays[-_RECENT:].mean())
    before = float(plays[-2 * _RECENT : -_RECENT].mean())
    ahead = float(one.values.mean())
    score = (ahead - recent) / max(recent, 1.0)
    reasons = (
        f"{recent:.1f} plays a week over the last {_RECENT}, {before:.1f} over the {_RECENT} before",
        f"{ahead:.1f} a week expected ({one.method})",
        _worth(one),
    )
    more = {
        "method": one.method,
        "forecast": [round(v, 2) for v in one.values.tolist()],
        "weekly": [int(v) for v in plays.tolist()],
        "mase": _rounded(one.mase),
        "naive_mase": _rounded(one.naive_mase),
    }
    return Listed(name, title, score, reasons, more)


def _worth(one: Forecast) -> str:
    if np.isnan(one.mase):
        return "too few weeks to measure its error"
    if one.method == "naive":
        return f"error {one.mase:.2f} (MASE): nothing did better than that the last week goes on"
    worse = "better" if one.mase < one.naive_mase else "no better"
    return f"error {one.mase:.2f} (MASE), {worse} than the naive {one.naive_mase:.2f}"


def _verdict(count: int, weeks: int, mase: float, plain: float) -> str:
    if not count:
        return f"{weeks} whole weeks: nothing was played enough, or for the 12 weeks that a forecast needs"
    if np.isnan(mase):
        return f"{weeks} whole weeks are too few to measure a forecast's error"
    change = 1 - mase / plain
    better = f"{change:.0%} less" if change > 0 else f"{-change:.0%} more"
    advice = "worth a look" if change > 0.05 else "do not rely on them"
    return (
        f"forecasts err {better} than that the last week goes on (MASE {mase:.2f} and {plain:.2f}): {advice}"
    )


def _mean(values: list[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
