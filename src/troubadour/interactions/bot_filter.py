"""Plays that no person can have heard, and plays that are there twice: flagged, never dropped."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import Kind

_SAME_SECOND: Final = 3
"""Different pieces begun in one second: two may come from two devices, three do not."""
_PLAYS_AN_HOUR: Final = 120
"""Plays, skips not counted, begun within an hour: one every 30 s, the least that services count."""
_HOURS_A_DAY: Final = 23
_DAYS: Final = 3
"""Days in a row with plays in `_HOURS_A_DAY` hours: one such day may be a party or a wrong zone."""
_DUPLICATE_SECONDS: Final = 10
"""The same piece begun again so soon is the same play told by two services or sent twice."""
_HOUR: Final = 3600
_DAY: Final = 86_400


class Flag(IntFlag):
    """Why an event is not learnt from."""

    DUPLICATE = 1
    """The same listener began the same piece within 10 s before."""
    SAME_SECOND = 2
    """Three or more pieces begun in one second."""
    TOO_FAST = 4
    """More than 120 plays within an hour."""
    NEVER_ASLEEP = 8
    """Plays in 23 hours and more of each of three days in a row."""


def flag_suspicious(
    listener: NDArray[Any], item: NDArray[Any], kind: NDArray[Any], time: NDArray[Any], known: int = 0
) -> NDArray[np.uint8]:
    """The flags of each event, shape (n,). Only plays and skips with a known time are suspected.

    Cost: some sorts, about 1 s a million events.

    Args:
        listener: numbers of listeners, any integers, shape (n,).
        item: numbers of pieces or tracks, any integers, shape (n,).
        kind: see `Kind`, shape (n,).
        time: Unix seconds, 0 = unknown, shape (n,).
        known: the first so many events were there before; of a pair that is twice the same play the
            other one is the duplicate.
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
    order = np.lexsort((when, what, who))  # stable: of two in one second the later in the file is flagged
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
    """Every play of a stretch of an hour that holds too many."""
    rows = np.flatnonzero(played)
    order = rows[np.lexsort((when[rows], who[rows]))]
    # One axis for all listeners, each hour-wide window within one listener.
    axis = who[order] * np.int64(2**42) + when[order]
    first = np.searchsorted(axis, axis - _HOUR, side="right")
    here = np.arange(len(axis))
    full = here - first + 1 > _PLAYS_AN_HOUR
    # From the first to the last play of each full window.
    steps = np.zeros(len(axis) + 1, dtype=np.int64)
    np.add.at(steps, first[full], 1)
    np.add.at(steps, here[full] + 1, -1)
    flags = np.zeros(len(who), dtype=np.uint8)
    flags[order] = np.cumsum(steps[:-1]) > 0
    return flags


def _sleepless_days(who: NDArray[Any], when: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Every play of a run of days that have no night."""
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
