"""Listening events: immutable logs (`Interactions`) and histories (`History`) as NumPy columns."""

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
"""Largest accepted time, Unix seconds."""


class Kind(IntEnum):
    """Type of an event."""

    PLAY = 0
    """Play; value: share heard, 0 to 1, NaN = unknown."""
    LIKE = 1
    """Like; no value (NaN)."""
    SKIP = 2
    """Skip; value: share heard, 0 to 1, NaN = unknown."""
    RATING = 3
    """Rating; value: 1 to 5."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by which the events of one listener with one item add up to one number.

    weight = play * log2(1 + sum of shares heard) + like (once, if ever liked)
           + skip * log2(1 + number of skips) + rating * (latest rating - 3) / 2

    Logarithms give diminishing returns for repeated events. Cells with weight 0 are absent.

    Raises:
        InputError: a weight is not finite, or `unknown_share` is out of range.
    """

    play: float = 1.0
    """Weight of one complete play; three plays have twice that weight."""
    like: float = 1.0
    """Weight of a like; repeated likes count once."""
    skip: float = -0.25
    """Weight of the first skip. Negative, because 0 is the weight of absent cells. Small in magnitude,
    because
    a skip can depend on the situation: on simulated logs, -0.25 has the same recall as 0, and -1 a lower one.
    """
    rating: float = 1.0
    """Weight of a rating of 5; a rating of 3 has weight 0, a rating of 1 the negative weight."""
    unknown_share: float = 1.0
    """Share heard assumed for plays without one, 0 to 1."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not np.isfinite(getattr(self, field.name)):
                raise InputError(f"{field.name} is {getattr(self, field.name)}; allowed: finite numbers")
        if not 0.0 <= self.unknown_share <= 1.0:
            raise InputError(f"unknown_share is {self.unknown_share}; allowed: 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Items of one listener with their weights: the input of every recommender.

    Raises:
        InputError: the columns differ in length, an item occurs twice, or a weight is not finite.
    """

    items: NDArray[np.int32]
    """Distinct item rows, int32, shape (n,), ordered by the last event with each item, oldest first."""
    weights: NDArray[np.float64]
    """Weight of each item, float64, shape (n,), see `Weights`; negative = disliked."""

    def __post_init__(self) -> None:
        items = np.asarray(self.items, dtype=np.int32).reshape(-1)
        weights = np.asarray(self.weights, dtype=np.float64).reshape(-1)
        if len(items) != len(weights):
            raise InputError(f"history has {len(items)} items and {len(weights)} weights")
        rising = np.sort(items)
        if (rising[1:] == rising[:-1]).any() or (len(items) and rising[0] < 0):
            raise InputError(
                "a history has repeated or negative item rows; allowed: distinct rows of 0 and above"
            )
        if not np.isfinite(weights).all():
            raise InputError("a history has a weight that is NaN or infinite; allowed: finite numbers")
        object.__setattr__(self, "items", _frozen(items))
        object.__setattr__(self, "weights", _frozen(weights))

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls) -> Self:
        """Returns the history of a new listener, without items."""
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
        """Builds the history of one listener from columns of events in any order.

        Cost: one sort of the events.

        Args:
            item: item rows, integers >= 0, shape (n_events,).
            kind: a `Kind` each, shape (n_events,).
            value: see `Kind`, float32, NaN = none, shape (n_events,).
            time: Unix seconds, 0 = unknown, shape (n_events,). Events of the same second keep their order.
            weights: event weights; None = defaults.

        Raises:
            InputError: a column is out of range, or the columns differ in length.
        """
        rows = _column("item", item, np.int32, 0, np.iinfo(np.int32).max)
        kinds, values, times = _event_columns(kind, value, time, len(rows))
        order = np.argsort(times, kind="stable")
        items, total = _cells(rows[order].astype(np.int64), kinds[order], values[order], weights or Weights())
        return cls(items.astype(np.int32), total)

    def without(self, item: int) -> History:
        """Removes one item from the history."""
        keep = self.items != item
        return History(self.items[keep], self.weights[keep])


@dataclass(frozen=True, slots=True, eq=False)
class ListenerEvents:
    """Events of one listener as columns, oldest first, one entry per event."""

    ids: tuple[str, ...]
    """Distinct ids of the items."""
    item: NDArray[np.int32]
    """Position in `ids`, int32, shape (n_events,)."""
    kind: NDArray[np.uint8]
    """A `Kind` each, uint8, shape (n_events,)."""
    value: NDArray[np.float32]
    """Value, see `Kind`, float32, NaN = none, shape (n_events,)."""
    time: NDArray[np.int64]
    """Unix seconds, int64, 0 = unknown, shape (n_events,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Immutable log, one entry per event, sorted by time; events of the same second keep their order.

    The item map covers the whole catalogue, so new pieces without events have rows and can be scored.

    Raises:
        InputError: a column is out of range, or the columns differ in length.
    """

    listener: NDArray[np.int32]
    """Row in `listeners`, int32, shape (n_events,)."""
    item: NDArray[np.int32]
    """Row in `items`, int32, shape (n_events,)."""
    kind: NDArray[np.uint8]
    """A `Kind` each, uint8, shape (n_events,)."""
    value: NDArray[np.float32]
    """Value, float32, shape (n_events,); meaning and range depend on the kind, see `Kind`."""
    time: NDArray[np.int64]
    """Unix seconds, int64, shape (n_events,); 0 = unknown, sorted before all other times."""
    listeners: IdMap
    items: IdMap

    def __post_init__(self) -> None:
        listener = _column("listener", self.listener, np.int32, 0, len(self.listeners) - 1)
        item = _column("item", self.item, np.int32, 0, len(self.items) - 1)
        if len(listener) != len(item):
            raise InputError(
                f"columns listener and item have {len(listener)} and {len(item)} entries; need equal numbers"
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
        """Builds a log from external ids, one entry per event.

        Args:
            listener_ids: listener of each event.
            item_ids: item of each event.
            kind: a `Kind` each.
            value: see `Kind`, NaN = none.
            time: Unix seconds, 0 = unknown.
            items: catalogue; None = the items that occur.
            listeners: listeners; None = the listeners that occur.

        Raises:
            InputError: a column is out of range, or the columns differ in length.
            NotFoundError: an id is missing from a given map.
        """
        items = IdMap(dict.fromkeys(item_ids)) if items is None else items
        listeners = IdMap(dict.fromkeys(listener_ids)) if listeners is None else listeners
        return cls(
            listeners.rows(listener_ids),
            items.rows(item_ids),
            cast("NDArray[np.uint8]", kind),  # checked and converted by the constructor
            cast("NDArray[np.float32]", value),
            cast("NDArray[np.int64]", time),
            listeners,
            items,
        )

    @classmethod
    def empty(cls, items: IdMap | None = None) -> Self:
        """Returns a log without events."""
        return cls.from_ids([], [], [], [], [], items=items)

    def where(self, mask: NDArray[np.bool_] | slice) -> Interactions:
        """Selects events by a mask, shape (n_events,), or a slice; the id maps stay the same."""
        return dataclasses.replace(
            self,
            listener=self.listener[mask],
            item=self.item[mask],
            kind=self.kind[mask],
            value=self.value[mask],
            time=self.time[mask],
        )

    def before(self, time: int) -> Interactions:
        """Selects the events before `time`, Unix seconds."""
        return self.where(slice(0, int(np.searchsorted(self.time, time))))

    def since(self, time: int) -> Interactions:
        """Selects the events at or after `time`, Unix seconds."""
        return self.where(slice(int(np.searchsorted(self.time, time)), None))

    def of_listeners(self, rows: ArrayLike) -> Interactions:
        """Selects the events of some listeners, by row."""
        return self.where(np.isin(self.listener, np.asarray(rows, dtype=np.int32)))

    def with_catalogue(self, items: IdMap) -> Interactions:
        """Returns the same events over a larger catalogue that begins with the present items.

        Raises:
            InputError: `items` does not begin with the items of this log.
        """
        if items.ids[: len(self.items)] != self.items.ids:
            raise InputError(
                "items has other ids in the first rows; give a catalogue that begins with the items of this log"
            )
        return dataclasses.replace(self, items=items)

    def to_matrix(self, weights: Weights | None = None) -> Csr:
        """Builds the sparse matrix of cell weights, float64, shape (n_listeners, n_items), see `Weights`."""
        listener, item, weight = self._cells(weights or Weights())
        there = weight != 0
        shape = (len(self.listeners), len(self.items))
        return csr_from_cells(listener[there], item[there], weight[there], shape)

    def audience(self) -> NDArray[np.int64]:
        """Counts the distinct listeners of each item over all kinds of events, int64, shape (n_items,)."""
        pairs = np.unique(self.item.astype(np.int64) * max(1, len(self.listeners)) + self.listener)
        return np.bincount(pairs // max(1, len(self.listeners)), minlength=len(self.items)).astype(np.int64)

    def history(self, listener: int, weights: Weights | None = None) -> History:
        """Returns the history of one listener, by row."""
        return self.histories([listener], weights)[0]

    def histories(self, rows: Iterable[int] | None = None, weights: Weights | None = None) -> list[History]:
        """Returns the histories of some listeners, by row; None = all. Histories can be empty."""
        chosen = np.arange(len(self.listeners)) if rows is None else np.array([*rows], np.int64)
        log = self if rows is None else self.of_listeners(chosen)
        listener, item, weight = log._cells(weights or Weights())
        order = np.argsort(listener, kind="stable")
        bounds = np.searchsorted(listener[order], np.stack([chosen, chosen + 1]))
        return [History(item[order[a:b]].astype(np.int32), weight[order[a:b]]) for a, b in bounds.T.tolist()]

    def _cells(self, weights: Weights) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """Returns listener, item and weight of each cell, in the order of its last event."""
        pair = self.listener.astype(np.int64) * max(1, len(self.items)) + self.item
        cells, weight = _cells(pair, self.kind, self.value, weights)
        return *np.divmod(cells, max(1, len(self.items))), weight


def _cells(
    cell: NDArray[np.int64], kind: NDArray[np.uint8], value: NDArray[np.float32], weights: Weights
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the distinct cells and their weights, in the order of the last event of each.

    Args:
        cell: number of the (listener, item) pair of each event, shape (n_events,), sorted by time.
        kind, value: see `Interactions`, same shape.
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
    rating[index[rated]] = value[rated]  # sorted by time: the latest rating overwrites earlier ones
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
    """Checks and converts the columns kind, value and time of n events; values of likes become NaN."""
    kinds = _column("kind", kind, np.uint8, 0, max(Kind))
    times = _column("time", time, np.int64, 0, LATEST)
    values = np.array(value, dtype=np.float32).reshape(-1)
    if not n == len(kinds) == len(values) == len(times):
        raise InputError(
            f"columns item, kind, value and time have {n}, {len(kinds)}, {len(values)} and {len(times)} entries; "
            "need equal numbers"
        )
    values[kinds == Kind.LIKE] = np.nan
    share = values[(kinds == Kind.PLAY) | (kinds == Kind.SKIP)]
    _check_values("share heard of a play or skip", share[~np.isnan(share)], 0.0, 1.0)
    _check_values("rating", values[kinds == Kind.RATING], 1.0, 5.0)
    return kinds, values, times


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column = np.array(column)  # copy: the caller's array stays writeable
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
