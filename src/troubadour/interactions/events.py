"""The core type of the listening side: what listeners did, as immutable columns sorted by time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.core.errors import InputError
from troubadour.interactions.id_map import IdMap
from troubadour.interactions.sparse import Csr, csr_from_cells

LATEST = 2**40
"""Largest time that is accepted, unix seconds (far beyond any real one)."""


class Kind(IntEnum):
    """What a listener did."""

    PLAY = 0
    """Listened; the value is the share heard, 0 to 1, or NaN where it is unknown."""
    LIKE = 1
    """Said that they like it; the value is not used and is stored as NaN."""
    SKIP = 2
    """Went on to the next piece; the value is the share heard, 0 to 1, or NaN."""
    RATING = 3
    """Rated it; the value is 1 to 5."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How the events of one listener with one piece add up to one number, the cell's weight.

    weight = play * log2(1 + sum of shares heard) + like (once, if ever liked)
           + skip * log2(1 + number of skips) + rating * (latest rating - 3) / 2

    Logarithms, because the tenth play says less than the first. A cell whose weight is 0 is absent.
    """

    play: float = 1.0
    """Weight of one complete play; three make 2."""
    like: float = 1.0
    """Added once, however often the like was repeated."""
    skip: float = -0.25
    """Weight of the first skip. Below 0, so that a skip is felt at once: absent cells are 0 already,
    and 0 would say no more than never having met the piece. Far below a play, because its cause may
    be the moment rather than the piece (on simulated logs -0.25 costs no recall beside 0, -1 does)."""
    rating: float = 1.0
    """Weight of a rating of 5; a 3 is 0 and a 1 the negative."""
    unknown_share: float = 1.0
    """Share heard to assume of a play that does not tell it (a scrobble is a play that counted)."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not np.isfinite(getattr(self, field.name)):
                raise InputError(f"{field.name} is {getattr(self, field.name)}; must be finite")
        if not 0.0 <= self.unknown_share <= 1.0:
            raise InputError(f"unknown_share is {self.unknown_share}; allowed: 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What one listener did so far: the input of every recommender.

    Raises:
        InputError: columns differ in length, an item occurs twice, or a weight is not finite.
    """

    items: NDArray[np.int32]
    """Distinct item rows, in the order of the last event with each, oldest first."""
    weights: NDArray[np.float64]
    """Weight of each item, see `Weights`; negative where the listener turned away from it."""

    def __post_init__(self) -> None:
        items = np.asarray(self.items, dtype=np.int32).reshape(-1)
        weights = np.asarray(self.weights, dtype=np.float64).reshape(-1)
        if len(items) != len(weights):
            raise InputError(f"history has {len(items)} items and {len(weights)} weights")
        rising = np.sort(items)
        if (rising[1:] == rising[:-1]).any() or (len(items) and rising[0] < 0):
            raise InputError("items of a history must be distinct rows >= 0")
        if not np.isfinite(weights).all():
            raise InputError("weights of a history must be finite")
        object.__setattr__(self, "items", _frozen(items))
        object.__setattr__(self, "weights", _frozen(weights))

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls) -> Self:
        """The history of somebody new."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float64))

    @classmethod
    def from_events(
        cls,
        item: ArrayLike,
        kind: ArrayLike,
        value: ArrayLike,
        time: ArrayLike,
        weights: Weights | None = None,
    ) -> Self:
        """The history of one listener from columns of events, in any order.

        Costs one sort of the events.

        Args:
            item: item rows, integers >= 0, shape (n_events,).
            kind: a `Kind` each, shape (n_events,).
            value: see `Kind`, float32, NaN = none, shape (n_events,).
            time: Unix seconds, 0 = unknown, shape (n_events,). Events of one second keep their order.
            weights: how the events with one item add up.

        Raises:
            InputError: a column is out of range, or the columns differ in length.
        """
        rows = _column("item", item, np.int32, 0, np.iinfo(np.int32).max)
        kinds, values, times = _event_columns(kind, value, time, len(rows))
        order = np.argsort(times, kind="stable")
        items, total = _cells(rows[order].astype(np.int64), kinds[order], values[order], weights or Weights())
        return cls(items.astype(np.int32), total)

    def without(self, item: int) -> History:
        """This history as if the listener had never met one item."""
        keep = self.items != item
        return History(self.items[keep], self.weights[keep])


@dataclass(frozen=True, slots=True, eq=False)
class ListenerEvents:
    """Events of one listener as columns, oldest first, one entry an event."""

    ids: tuple[str, ...]
    """Distinct external ids of the items."""
    item: NDArray[np.int32]
    """Position in `ids`, shape (n_events,)."""
    kind: NDArray[np.uint8]
    """A `Kind`, shape (n_events,)."""
    value: NDArray[np.float32]
    """See `Kind`; NaN = none, shape (n_events,)."""
    time: NDArray[np.int64]
    """Unix seconds, 0 = unknown, shape (n_events,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """An immutable log: one entry an event, sorted by time (events of one second keep their order).

    The item vocabulary covers the whole catalogue and not only what was played, so that a piece
    composed a second ago has a row and can be scored.

    Raises:
        InputError: a column is out of range (the message says which and what is allowed).
    """

    listener: NDArray[np.int32]
    """Row in `listeners`."""
    item: NDArray[np.int32]
    """Row in `items`."""
    kind: NDArray[np.uint8]
    """A `Kind`."""
    value: NDArray[np.float32]
    """Meaning and range depend on the kind, see `Kind`."""
    time: NDArray[np.int64]
    """Unix seconds; 0 where the time is unknown, which is before any cut."""
    listeners: IdMap
    items: IdMap

    def __post_init__(self) -> None:
        listener = _column("listener", self.listener, np.int32, 0, len(self.listeners) - 1)
        item = _column("item", self.item, np.int32, 0, len(self.items) - 1)
        if len(listener) != len(item):
            raise InputError(
                f"columns listener and item have {len(listener)} and {len(item)} entries; need as many"
            )
        kind, value, time = _event_columns(self.kind, self.value, self.time, len(item))
        order = np.argsort(time, kind="stable")
        columns = {"listener": listener, "item": item, "kind": kind, "value": value, "time": time}
        for name, column in columns.items():
            object.__setattr__(self, name, _frozen(column[order]))

    def __len__(self) -> int:
        """Number of events."""
        return len(self.time)

    @classmethod
    def from_ids(
        cls,
        listener_ids: Sequence[str],
        item_ids: Sequence[str],
        kind: ArrayLike,
        value: ArrayLike,
        time: ArrayLike,
        *,
        items: IdMap | None = None,
        listeners: IdMap | None = None,
    ) -> Self:
        """Build from external ids, one entry an event.

        Args:
            items: the catalogue; without it only the items that occur are known.
            listeners: likewise.

        Raises:
            InputError: a column is out of range.
            NotFoundError: an id is missing from the vocabulary that was given.
        """
        items = IdMap(dict.fromkeys(item_ids)) if items is None else items
        listeners = IdMap(dict.fromkeys(listener_ids)) if listeners is None else listeners
        return cls(
            listeners.rows(listener_ids),
            items.rows(item_ids),
            cast("NDArray[np.uint8]", kind),  # checked and converted on construction
            cast("NDArray[np.float32]", value),
            cast("NDArray[np.int64]", time),
            listeners,
            items,
        )

    @classmethod
    def empty(cls, items: IdMap | None = None) -> Self:
        """No event at all, over a catalogue."""
        return cls.from_ids([], [], [], [], [], items=items)

    def where(self, mask: NDArray[np.bool_] | slice) -> Interactions:
        """Only the events where `mask` (shape (n_events,)) is true; the vocabularies stay."""
        return dataclasses.replace(
            self,
            listener=self.listener[mask],
            item=self.item[mask],
            kind=self.kind[mask],
            value=self.value[mask],
            time=self.time[mask],
        )

    def before(self, time: int) -> Interactions:
        """Only the events earlier than `time` (unix seconds)."""
        return self.where(slice(0, int(np.searchsorted(self.time, time))))

    def since(self, time: int) -> Interactions:
        """Only the events at `time` (unix seconds) or later."""
        return self.where(slice(int(np.searchsorted(self.time, time)), None))

    def of_listeners(self, rows: ArrayLike) -> Interactions:
        """Only the events of some listeners (rows)."""
        return self.where(np.isin(self.listener, np.asarray(rows, dtype=np.int32)))

    def with_catalogue(self, items: IdMap) -> Interactions:
        """The same events over a larger catalogue, in which all rows so far mean the same.

        Raises:
            InputError: `items` does not begin with the items of this log.
        """
        if items.ids[: len(self.items)] != self.items.ids:
            raise InputError("the larger vocabulary must begin with the ids of the smaller one")
        return dataclasses.replace(self, items=items)

    def to_matrix(self, weights: Weights | None = None) -> Csr:
        """Weights as a sparse matrix, shape (n_listeners, n_items), float64, see `Weights`."""
        listener, item, weight = self._cells(weights or Weights())
        there = weight != 0
        shape = (len(self.listeners), len(self.items))
        return csr_from_cells(listener[there], item[there], weight[there], shape)

    def audience(self) -> NDArray[np.int64]:
        """How many listeners met each item, whatever came of it, shape (n_items,)."""
        pairs = np.unique(self.item.astype(np.int64) * max(1, len(self.listeners)) + self.listener)
        return np.bincount(pairs // max(1, len(self.listeners)), minlength=len(self.items)).astype(np.int64)

    def history(self, listener: int, weights: Weights | None = None) -> History:
        """What one listener (row) did."""
        return self.histories([listener], weights)[0]

    def histories(self, rows: Iterable[int] | None = None, weights: Weights | None = None) -> list[History]:
        """What some listeners (rows; default: all) did, one history each, possibly empty."""
        chosen = np.arange(len(self.listeners)) if rows is None else np.array([*rows], np.int64)
        log = self if rows is None else self.of_listeners(chosen)
        listener, item, weight = log._cells(weights or Weights())
        order = np.argsort(listener, kind="stable")
        bounds = np.searchsorted(listener[order], np.stack([chosen, chosen + 1]))
        return [History(item[order[a:b]].astype(np.int32), weight[order[a:b]]) for a, b in bounds.T.tolist()]

    def _cells(self, weights: Weights) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """(listener, item, weight) of each pair that occurs, in the order of its last event."""
        pair = self.listener.astype(np.int64) * max(1, len(self.items)) + self.item
        cells, weight = _cells(pair, self.kind, self.value, weights)
        return *np.divmod(cells, max(1, len(self.items))), weight


def _cells(
    cell: NDArray[np.int64], kind: NDArray[np.uint8], value: NDArray[np.float32], weights: Weights
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Distinct cells with their weights, in the order of the last event of each.

    Args:
        cell: number of the (listener, item) pair of each event, events sorted by time.
    """
    cells, index = np.unique(cell, return_inverse=True)
    n = len(cells)
    share = np.where(np.isnan(value), weights.unknown_share, value)

    def total(of: Kind, amount: NDArray[Any] | None = None) -> NDArray[np.float64]:
        of_kind = kind == of
        taken = None if amount is None else amount[of_kind]
        return np.bincount(index[of_kind], taken, minlength=n).astype(np.float64)

    rating = np.full(n, 3.0)
    rated = kind == Kind.RATING
    rating[index[rated]] = value[rated]  # sorted by time: the latest is written last
    weight = (
        weights.play * np.log2(1.0 + total(Kind.PLAY, share))
        + weights.like * (total(Kind.LIKE) > 0)
        + weights.skip * np.log2(1.0 + total(Kind.SKIP))
        + weights.rating * (rating - 3.0) / 2.0
    )
    last = np.zeros(n, dtype=np.int64)
    last[index] = np.arange(len(cell))
    order = np.argsort(last)
    return cells[order], weight[order]


def _event_columns(
    kind: Any, value: Any, time: Any, n: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Checked columns kind, value and time of n events; the values of likes become NaN."""
    kinds = _column("kind", kind, np.uint8, 0, max(Kind))
    times = _column("time", time, np.int64, 0, LATEST)
    values = np.array(value, dtype=np.float32).reshape(-1)
    if not n == len(kinds) == len(values) == len(times):
        raise InputError(
            f"columns item, kind, value and time have {n}, {len(kinds)}, {len(values)} and {len(times)} entries; "
            "need as many of each"
        )
    values[kinds == Kind.LIKE] = np.nan
    share = values[(kinds == Kind.PLAY) | (kinds == Kind.SKIP)]
    _check_values("share heard of a play or skip", share[~np.isnan(share)], 0.0, 1.0)
    _check_values("rating", values[kinds == Kind.RATING], 1.0, 5.0)
    return kinds, values, times


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column = np.array(column)  # a copy: the caller's own array stays theirs to write
    column.flags.writeable = False
    return column


def _column(name: str, column: Any, dtype: type[Any], low: int, high: int) -> NDArray[Any]:
    wide = np.asarray(column).reshape(-1)
    if len(wide) == 0:
        return np.empty(0, dtype)
    if not np.issubdtype(wide.dtype, np.integer):
        raise InputError(f"{name} has the type {wide.dtype}; allowed: integers")
    if int(wide.min()) < low or int(wide.max()) > high:
        bad = int(wide.min()) if int(wide.min()) < low else int(wide.max())
        raise InputError(f"{name} has the value {bad}; allowed: {low} to {high}")
    return wide.astype(dtype)


def _check_values(name: str, values: NDArray[np.float32], low: float, high: float) -> None:
    bad = values[~((values >= low) & (values <= high))]
    if len(bad):
        raise InputError(f"{name} is {bad[0]}; allowed: {low:g} to {high:g}")
