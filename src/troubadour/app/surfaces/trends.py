"""Trends: weekly plays of styles, artists or pieces, where they go, and what such forecasts are worth."""

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
"""Of all weeks together; fewer make no trend."""
_MOST: Final = 200
"""Names that are looked at, those played most."""
_WEEKS: Final = 156
"""Weeks that are looked at, the latest: one play that is dated wrongly by decades must not cost memory."""
_SILENCE: Final = 8 * WEEK
_STRAY: Final = 0.01
"""Share of the plays, less than which after a silence of eight weeks does not carry the log on."""
_FEW: Final = 5.0
"""Plays a week by which every mean is raised, so that one play more of a rare piece makes no boom."""


@dataclass(frozen=True, slots=True)
class Trends:
    """What moves most, the strongest rise first and the strongest fall last."""

    by: str
    begin: int
    """Unix seconds of the first whole week."""
    weeks: int
    items: tuple[ListedItem, ...]
    mase: float
    """Mean error of all forecasts, whether or not among the items, on weeks that their choice had not
    seen; NaN without any."""
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


class _Weekly(NamedTuple):
    """Plays a week of what was played enough."""

    names: list[str]
    titles: list[str]
    plays: NDArray[np.float64]
    """Shape (n_names, n_weeks)."""
    begin: int


def trends(store: Store, by: str = "style", n: int = 20, horizon: int = 4) -> Trends:
    """Weekly plays by style, artist or piece with a forecast. Flagged plays do not count.

    Score: expected plays a week over the horizon less the mean of the last four weeks, as a share of
    that mean and five plays more. Whole weeks only, counted back from the end of the log, three years
    at most. A few plays long after all others are left out: they would make the weeks between a fall of
    everything.

    Args:
        by: `style`, `artist` or `piece`.
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
    # Where there is nothing to measure one by, there is nothing to measure the other by.
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
    """When the log ends: its last play, but for a few that come after a long silence."""
    ordered = np.sort(time)
    silent = np.flatnonzero(np.diff(ordered) > _SILENCE)
    for before in silent[::-1].tolist():
        if len(ordered) - 1 - before < _STRAY * len(ordered):
            ordered = ordered[: before + 1]
    return int(ordered[-1]) if len(ordered) else 0


def _groups(pieces: list[PieceRow], by: str) -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Names and titles of the groups, and the number of each piece's, -1 where it has none."""
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
        f"{ahead:.1f} plays a week expected ({one.method}), {recent:.1f} in the last {_RECENT} weeks, "
        f"{before:.1f} in the {_RECENT} before",
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
        return "too few weeks to measure the error of that"
    if one.method == "naive":
        return f"error {one.mase:.2f} (MASE): nothing was better than to say that the last week goes on"
    worse = "better" if one.mase < one.naive_mase else "no better"
    return f"error {one.mase:.2f} (MASE), {worse} than the naive {one.naive_mase:.2f}"


def _verdict(count: int, weeks: int, mase: float, naive: float) -> str:
    if not count:
        return (
            f"no trends: they need {LEAST} whole weeks, of which there are {weeks}, and {_LEAST_PLAYS} plays "
            "of one thing"
        )
    if np.isnan(mase):
        return f"{weeks} weeks are too few to measure how far such forecasts are off"
    if naive <= 0:
        return "the last week always went on so far; there is nothing to forecast"
    change = 1 - mase / naive
    better = f"{change:.0%} less" if change > 0 else f"{-change:.0%} more"
    advice = "worth a look" if change > 0.05 else "do not rely on them"
    return (
        f"forecasts err {better} than to say that the last week goes on (MASE {mase:.2f} and {naive:.2f}): "
        f"{advice}"
    )


def _mean(values: list[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
