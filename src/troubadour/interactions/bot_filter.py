"""Bot filter: flags implausible and duplicate plays; no event is removed."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import Kind

_SAME_SECOND: Final = 3
"""Smallest number of different pieces started in one second; two can come from two devices."""
_PLAYS_AN_HOUR: Final = 120
"""Largest number of plays (without skips) started within an hour: one every 30 s, the shortest stream that
services count."""
_HOURS_A_DAY: Final = 23
_DAYS: Final = 3
"""Smallest number of consecutive days with plays in `_HOURS_A_DAY` hours; a single such day can be a party
or a wrong time zone."""
_DUPLICATE_SECONDS: Final = 10
"""Largest distance between two starts of the same piece that count as one play reported twice, seconds."""
_HOUR: Final = 3600
_DAY: Final = 86_400


class Flag(IntFlag):
    """Reasons to exclude an event from training; values are stored."""

    DUPLICATE = 1
    """The same listener started the same piece at most 10 s before."""
    SAME_SECOND = 2
    """Three or more pieces started in one second."""
    TOO_FAST = 4
    """More than 120 plays within an hour."""
    NEVER_ASLEEP = 8
    """Plays in at least 23 hours of each of three consecutive days."""


def flag_suspicious(
    listener: NDArray[Any], item: NDArray[Any], kind: NDArray[Any], time: NDArray[Any], known: int = 0
) -> NDArray[np.uint8]:
    """Computes the flags of events; only plays and skips with a known time can be flagged.

    Cost: a few sorts, about 1 s per million events.

    Args:
        listener: numbers of listeners, integers, shape (n,).
        item: numbers of pieces or tracks, integers, shape (n,).
        kind: a `Kind` each, shape (n,).
        time: Unix seconds, 0 = unknown, shape (n,).
        known: number of leading events that were stored before; of two duplicates, a new event is flagged
            rather than a stored one.

    Returns:
        Bits of `Flag`, uint8, shape (n,).
    """
    flags = np.zeros(len(time), dtype=np.uint8)
    suspects = np.flatnonzero(((kind == Kind.PLAY) | (kind == Kind.SKIP)) & (time > 0))
    if len(suspects):
        who, what = (np.unique(column[suspects], return_inverse=True)[1] for column in (listener, item))
        when = np.asarray(time)[suspects].astype(np.int64)
        played = np.asarray(kind)[suspects] == Kind.PLAY
        flags[suspects] = (
            _duplicates(who, what, when, suspects < known) * Flag.DUPLICATE
            | _same_second(who, what, when) * Flag.SAME_SECOND
            | _too_fast(who, when, played) * Flag.TOO_FAST
            | _sleepless_days(who, when) * Flag.NEVER_ASLEEP
        )
    return flags


def _duplicates(
    who: NDArray[Any], what: NDArray[Any], when: NDArray[np.int64], known: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    order = np.lexsort(
        (when, what, who)
    )  # stable sort: of two events in one second, the later in the file is flagged
    same = (np.diff(who[order]) == 0) & (np.diff(what[order]) == 0)
    pairs = np.flatnonzero(same & (np.diff(when[order]) <= _DUPLICATE_SECONDS))
    earlier, later = order[pairs], order[pairs + 1]
    flags = np.zeros(len(order), dtype=np.uint8)
    flags[np.where(known[later] & ~known[earlier], earlier, later)] = 1
    return flags


def _same_second(who: NDArray[Any], what: NDArray[Any], when: NDArray[np.int64]) -> NDArray[np.uint8]:
    order = np.lexsort((what, when, who))
    new_second = np.append(True, (np.diff(who[order]) != 0) | (np.diff(when[order]) != 0))
    new_piece = new_second | np.append(True, np.diff(what[order]) != 0)
    second = np.cumsum(new_second) - 1
    pieces = np.bincount(second, new_piece)
    return _scattered(order, pieces[second] >= _SAME_SECOND)


def _too_fast(who: NDArray[Any], when: NDArray[np.int64], played: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Flags all plays in windows of an hour with too many plays."""
    rows = np.flatnonzero(played)
    order = rows[np.lexsort((when[rows], who[rows]))]
    # Concatenate the time axes of all listeners, so that no window covers two of them.
    axis = who[order] * np.int64(2**42) + when[order]
    first = np.searchsorted(axis, axis - _HOUR, side="right")
    here = np.arange(len(axis))
    full = here - first + 1 > _PLAYS_AN_HOUR
    # Mark from the first to the last play of each full window.
    steps = np.zeros(len(axis) + 1, dtype=np.int64)
    np.add.at(steps, first[full], 1)
    np.add.at(steps, here[full] + 1, -1)
    flags = np.zeros(len(who), dtype=np.uint8)
    flags[order] = np.cumsum(steps[:-1]) > 0
    return flags


def _sleepless_days(who: NDArray[Any], when: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Flags all plays in runs of days without a night."""
    hours = np.unique(np.stack([who, when // _HOUR], axis=1), axis=0)
    days, counts = np.unique(np.stack([hours[:, 0], hours[:, 1] // 24], axis=1), axis=0, return_counts=True)
    sleepless = days[counts >= _HOURS_A_DAY]
    if len(sleepless) < _DAYS:
        return np.zeros(len(who), dtype=np.uint8)
    starts = np.append(True, (np.diff(sleepless[:, 0]) != 0) | (np.diff(sleepless[:, 1]) != 1))
    run = np.cumsum(starts) - 1
    sleepless = sleepless[np.bincount(run)[run] >= _DAYS]
    names = sleepless[:, 0] * np.int64(2**32) + sleepless[:, 1]
    return np.isin(who * np.int64(2**32) + when // _DAY, names).astype(np.uint8)


def _scattered(order: NDArray[Any], found: NDArray[Any]) -> NDArray[np.uint8]:
    flags = np.zeros(len(order), dtype=np.uint8)
    flags[order] = found
    return flags
