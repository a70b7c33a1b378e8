"""Trends: weekly plays of styles, artists or pieces, with forecasts and their measured error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.app.surfaces.forecast import LEAST, Forecast, forecast
from troubadour.app.surfaces.listed import ListedItem
from troubadour.catalogue.records import PieceRow
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.interactions.events import Kind
from troubadour.privacy.export import iso

WEEK: Final = 7 * 86_400
BY: Final = ("style", "artist", "piece")
_RECENT: Final = 4
_LEAST_PLAYS: Final = 20
"""Smallest number of plays over all weeks."""
_MOST: Final = 200
"""Largest number of names analysed, the most played first."""
_WEEKS: Final = 156
"""Largest number of weeks, the latest ones: a single misdated play must not enlarge the arrays."""
_SILENCE: Final = 8 * WEEK
_STRAY: Final = 0.01
"""If fewer plays than this share follow a silence of eight weeks, the log ends before the silence."""
_FEW: Final = 5.0
"""Plays per week added to each mean, so that single plays of rare pieces do not become trends."""


@dataclass(frozen=True, slots=True)
class Trends:
    """Trends in descending order: strongest rise first, strongest fall last."""

    by: str
    begin: int
    """Unix seconds of the start of the first whole week."""
    weeks: int
    items: tuple[ListedItem, ...]
    mase: float
    """Mean error (MASE) of all forecasts on weeks not used to choose the methods; NaN without any."""
    naive_mase: float
    verdict: str
    """One sentence: whether the forecasts are better than the naive ones."""

    def to_dict(self) -> dict[str, Any]:
        """Trends and their error, for JSON."""
        return {
            "by": self.by,
            "from": iso(self.begin),
            "weeks": self.weeks,
            "mase": _rounded(self.mase),
            "naive_mase": _rounded(self.naive_mase),
            "verdict": self.verdict,
            "items": [one.to_dict() for one in self.items],
        }


class _Weekly(NamedTuple):
    """Weekly plays of all names with enough plays."""

    names: list[str]
    titles: list[str]
    plays: NDArray[np.float64]
    """Shape (n_names, n_weeks)."""
    begin: int


def trends(store: Store, by: str = "style", n: int = 20, horizon: int = 4) -> Trends:
    """Weekly plays by style, artist or piece with a forecast. Flagged plays are excluded.

    The score is the expected mean of plays per week over the horizon minus the mean of the last four
    weeks, divided by that mean plus five plays. Weeks are counted back from the end of the log, whole weeks
    only, three years at most. A few plays long after all others are ignored; otherwise the empty weeks between
    them would look like a fall of everything.

    Args:
        store: the catalogue.
        by: `style`, `artist` or `piece`.
        n: 1 to 1000.
        horizon: weeks to forecast, 1 to 26.

    Raises:
        InputError: `by`, n or the horizon is out of range.
    """
    if by not in BY:
        raise InputError(f"by is '{by}'; allowed: {', '.join(BY)}")
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
    if not 1 <= horizon <= 26:
        raise InputError(f"horizon is {horizon}; allowed: 1 to 26 weeks")
    weekly = _weekly(store, by)
    entries: list[ListedItem] = []
    found: list[Forecast] = []
    for name, title, plays in zip(weekly.names, weekly.titles, weekly.plays, strict=True):
        one = forecast(plays, horizon)
        if one is not None:
            found.append(one)
            entries.append(_entry(name, title, plays, one))
    entries = sorted(entries, key=lambda e: -abs(e.score))[:n]
    entries.sort(key=lambda e: -e.score)
    # Both errors are averaged over the same names: those with enough weeks to measure.
    mase, naive = _mean([f.mase for f in found]), _mean([f.naive_mase for f in found])
    weeks = weekly.plays.shape[1]
    verdict = _verdict(len(found), weeks, mase, naive)
    return Trends(by, weekly.begin, weeks, tuple(entries), mase, naive, verdict)


def _weekly(store: Store, by: str) -> _Weekly:
    columns = store.interaction_columns()
    played = (columns["kind"] == Kind.PLAY) & (columns["time"] > 0)
    item, time = columns["item"][played], columns["time"][played]
    last = _last(time)
    weeks = min((last + 1 - int(time.min())) // WEEK, _WEEKS) if len(time) else 0
    if not weeks:
        return _Weekly([], [], np.zeros((0, 0)), int(time.min(initial=0)))
    begin = last + 1 - weeks * WEEK
    inside = (time >= begin) & (time <= last)
    item, week = item[inside], ((time[inside] - begin) // WEEK).astype(np.int64)
    names, titles, group_of = _groups(store.pieces(), by)
    group = group_of[item]
    known = group >= 0
    counts = np.bincount(group[known] * weeks + week[known], minlength=len(names) * weeks)
    table = counts.reshape(len(names), weeks).astype(np.float64)
    total = table.sum(axis=1)
    rows = np.argsort(-total, kind="stable")[:_MOST]
    rows = rows[total[rows] >= _LEAST_PLAYS]
    return _Weekly([names[i] for i in rows], [titles[i] for i in rows], table[rows], begin)


def _last(time: NDArray[np.int64]) -> int:
    """End of the log: the last play, without a few plays after a long silence."""
    ordered = np.sort(time)
    silent = np.flatnonzero(np.diff(ordered) > _SILENCE)
    for before in silent[::-1].tolist():
        if len(ordered) - 1 - before < _STRAY * len(ordered):
            ordered = ordered[: before + 1]
    return int(ordered[-1]) if len(ordered) else 0


def _groups(pieces: list[PieceRow], by: str) -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Names and titles of the groups, and the group of each piece, -1 = none."""
    if by == "piece":
        return [p.id for p in pieces], [p.title for p in pieces], np.arange(len(pieces))
    if by == "style":
        of = [p.style for p in pieces]
    else:
        of = [p.display_artist for p in pieces]
    names = sorted({*of} - {""})
    number = {name: i for i, name in enumerate(names)}
    return names, names, np.array([number.get(name, -1) for name in of], dtype=np.int64)


def _entry(name: str, title: str, plays: NDArray[np.float64], one: Forecast) -> ListedItem:
    recent = float(plays[-_RECENT:].mean())
    before = float(plays[-2 * _RECENT : -_RECENT].mean())
    ahead = float(one.values.mean())
    reasons = (
        f"forecast {ahead:.1f} plays per week ({one.method}), {recent:.1f} in the last {_RECENT} weeks, "
        f"{before:.1f} in the {_RECENT} weeks before",
        _worth(one),
    )
    more = {
        "method": one.method,
        "forecast": [round(v, 2) for v in one.values.tolist()],
        "weekly": [int(v) for v in plays.tolist()],
        "mase": _rounded(one.mase),
        "naive_mase": _rounded(one.naive_mase),
    }
    return ListedItem(name, title, (ahead - recent) / (recent + _FEW), reasons, more)


def _worth(one: Forecast) -> str:
    if np.isnan(one.mase):
        return "too few weeks to measure the forecast error"
    if one.method == "naive":
        return f"error {one.mase:.2f} (MASE): no method was better than the naive forecast"
    worse = "better" if one.mase < one.naive_mase else "no better"
    return f"error {one.mase:.2f} (MASE), {worse} than the naive {one.naive_mase:.2f}"


def _verdict(count: int, weeks: int, mase: float, naive: float) -> str:
    if not count:
        return (
            f"no trends: {LEAST} whole weeks and {_LEAST_PLAYS} plays of one name are needed; "
            f"the log has {weeks} weeks"
        )
    if np.isnan(mase):
        return f"{weeks} weeks are too few to measure the forecast error"
    if naive <= 0:
        return "plays were constant from week to week; there is no trend to forecast"
    change = 1 - mase / naive
    better = f"{change:.0%} smaller" if change > 0 else f"{-change:.0%} larger"
    advice = "worth a look" if change > 0.05 else "do not rely on them"
    return (
        f"the forecast error is {better} than that of the naive forecast (MASE {mase:.2f} and {naive:.2f}): "
        f"{advice}"
    )


def _mean(values: list[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
