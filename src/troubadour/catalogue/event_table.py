"""Table of interactions: append-only log of plays, likes, skips and ratings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from troubadour.catalogue.listener_table import ListenerTable
from troubadour.catalogue.records import KINDS, Event
from troubadour.catalogue.rows import append_new, listed, rows_of
from troubadour.catalogue.schema import interactions, listeners, pieces
from troubadour.core.errors import InputError
from troubadour.interactions.events import ListenerEvents

_BLOCK: Final = 20_000
"""Number of rows per fetch."""


class EventTable(ListenerTable):
    """Table of interactions and table of listeners."""

    def record(self, events: Sequence[Event]) -> int:
        """Appends events; events with known ids are skipped. Durable on return.

        Returns:
            Number of new events.

        Raises:
            InputError: a kind, value or time is out of range, or an id belongs to another event.
            NotFoundError: a listener or piece does not exist.
            StorageError: the commit failed; nothing is stored.
        """
        for one in events:
            _check_event(one)

        def work(connection: Connection) -> int:
            people = rows_of(connection, listeners, {e.listener for e in events}, "listener")
            items = rows_of(connection, pieces, {e.piece for e in events}, "piece")
            rows = [
                {
                    "event": e.event, "listener": people[e.listener], "piece": items[e.piece],
                    "kind": KINDS.index(e.kind), "value": e.value, "time": e.time, "release": e.release,
                    "rank": e.rank, "propensity": e.propensity, "flags": e.flags, "source": e.source,
                }
                for e in events
            ]  # fmt: skip
            new = append_new(connection, interactions, "event", rows)
            if new < len(rows):
                _check_sent_before(connection, rows)
            return new

        return self._writer.run(work)

    def last_event(self) -> int:
        """Returns the number of the latest event, 0 for an empty log; it identifies a state of the log."""
        with self._reading() as connection:
            return int(connection.execute(select(func.max(interactions.c.row))).scalar() or 0)

    def interaction_columns(
        self, *, flagged: bool = False, until: int | None = None, without: str | None = None
    ) -> dict[str, NDArray[Any]]:
        """Returns events as columns, sorted by time; events of the same second are in order of arrival.

        Cost: about 2 s per million events.

        Args:
            flagged: whether to include flagged events (bots, duplicates).
            until: result of `last_event`; later arrivals are left out. None = all.
            without: id of a listener to leave out.

        Returns:
            `listener` and `item` (dense rows, int32), `kind` (uint8), `value` (float32, NaN = none) and
            `time`
            (int64, Unix seconds, 0 = unknown); each has shape (n_events,).

        Raises:
            NotFoundError: the listener `without` does not exist.
        """
        query = select(
            interactions.c.listener, interactions.c.piece - 1, interactions.c.kind, interactions.c.value,
            interactions.c.time,
        ).order_by(interactions.c.row)  # fmt: skip
        if not flagged:
            query = query.where(interactions.c.flags == 0)
        if until is not None:
            query = query.where(interactions.c.row <= until)
        parts = [np.zeros((0, 5))]
        with self._reading() as connection:
            people = np.array(
                connection.execute(select(listeners.c.row).order_by(listeners.c.row)).scalars().all()
            )
            if without is not None:
                left_out = rows_of(connection, listeners, [without], "listener")[without]
                query = query.where(interactions.c.listener != left_out)
            # Bypass SQLAlchemy's slow row objects, and fetch in blocks: a million rows as Python objects
            # take 400
            # MB. None becomes NaN.
            compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
            result = connection.exec_driver_sql(str(compiled))
            while rows := result.cursor.fetchmany(_BLOCK):
                parts.append(np.array(rows, dtype=np.float64))
        table = np.concatenate(parts)
        table = table[np.argsort(table[:, 4], kind="stable")]
        return {
            # Database rows have gaps after erasure; dense rows do not.
            "listener": np.searchsorted(people, table[:, 0]).astype(np.int32),
            "item": table[:, 1].astype(np.int32),
            "kind": table[:, 2].astype(np.uint8),
            "value": table[:, 3].astype(np.float32),
            "time": table[:, 4].astype(np.int64),
        }

    def events_of(self, people: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Returns all events of some listeners, flagged ones included, as columns in order of arrival.

        Args:
            people: ids of listeners; unknown ids are ignored.

        Returns:
            `event`, `listener` and `piece` (ids, dtype object), `kind` and `time` (int64).
        """
        parts: list[Any] = []
        with self._reading() as connection:
            for person in sorted(set(people)):
                query = (
                    select(
                        interactions.c.event, listeners.c.id, pieces.c.id, interactions.c.kind,
                        interactions.c.time,
                    )
                    .join(listeners, listeners.c.row == interactions.c.listener)
                    .join(pieces, pieces.c.row == interactions.c.piece)
                    .where(listeners.c.id == person)
                    .order_by(interactions.c.row)
                )  # fmt: skip
                parts += connection.execute(query).all()
        names = ("event", "listener", "piece", "kind", "time")
        columns = zip(*parts, strict=True) if parts else ([] for _ in names)
        return {
            name: np.array(column, dtype=np.int64 if name in ("kind", "time") else object)
            for name, column in zip(names, columns, strict=True)
        }

    def event_rows(self, listener: str, until: int | None = None) -> list[dict[str, Any]]:
        """Returns all stored fields of a listener's events, flagged ones included, in order of arrival.

        Args:
            listener: id of the listener.
            until: result of `last_event`; later arrivals are left out. None = all.

        Raises:
            NotFoundError: the listener does not exist.
        """
        columns = ("event", "value", "time", "release", "rank", "propensity", "flags", "source")
        query = (
            select(pieces.c.id, interactions.c.kind, *(interactions.c[name] for name in columns))
            .join(pieces, pieces.c.row == interactions.c.piece)
            .order_by(interactions.c.row)
        )
        if until is not None:
            query = query.where(interactions.c.row <= until)
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            return [
                {
                    "event": r.event, "piece": r.id, "kind": KINDS[r.kind], **{n: getattr(r, n) for n in columns[1:]}
                }
                for r in connection.execute(query.where(interactions.c.listener == row))
            ]  # fmt: skip

    def listener_events(
        self, listener: str, limit: int | None = None, *, until: int | None = None
    ) -> ListenerEvents:
        """Returns a listener's events as columns, oldest first, without flagged ones. Three SQL statements.

        Args:
            listener: id of the listener.
            limit: number of newest events; None = all.
            until: result of `last_event`; later arrivals are left out. None = all.

        Raises:
            NotFoundError: the listener does not exist.
        """
        columns = interactions.c
        query = (
            select(columns.piece, columns.kind, columns.value, columns.time)
            .order_by(columns.time.desc(), columns.row.desc())
            .limit(limit)
        )
        if until is not None:
            query = query.where(columns.row <= until)
        with self._reading() as connection:
            row = self._row_of(connection, listener)
            query = query.where(columns.listener == row, columns.flags == 0)
            compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
            result = connection.exec_driver_sql(str(compiled)).cursor.fetchall()
            table = np.array(result, dtype=np.float64).reshape(-1, 4)[::-1]  # None becomes NaN
            rows, item = np.unique(table[:, 0].astype(np.int64), return_inverse=True)
            named = select(pieces.c.id).where(pieces.c.row.in_(listed(rows.tolist()))).order_by(pieces.c.row)
            ids = tuple(connection.execute(named).scalars())
        return ListenerEvents(
            ids,
            item.astype(np.int32),
            table[:, 1].astype(np.uint8),
            table[:, 2].astype(np.float32),
            table[:, 3].astype(np.int64),
        )

    def history(self, listener: str, limit: int = 1000) -> list[tuple[str, str, float | None, int]]:
        """Returns a listener's events as (piece, kind, value, time), newest first, without flagged ones.

        Args:
            listener: id of the listener.
            limit: largest number of events, 0 or more.

        Raises:
            NotFoundError: the listener does not exist.
        """
        query = (
            select(pieces.c.id, interactions.c.kind, interactions.c.value, interactions.c.time)
            .join(pieces, pieces.c.row == interactions.c.piece)
            .order_by(interactions.c.time.desc(), interactions.c.row.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            row = self._row_of(connection, listener)
            query = query.where(interactions.c.listener == row, interactions.c.flags == 0)
            return [(r.id, KINDS[r.kind], r.value, r.time) for r in connection.execute(query)]

    def known_pieces(self, listener: str, beyond: int) -> set[str]:
        """Returns the ids of all pieces in the events of a listener with more than `beyond` events.

        Else none.

        Complements histories that are limited to the newest `beyond` events. Cost: about 0.5 s for a million
        events.

        Raises:
            NotFoundError: the listener does not exist.
        """
        with self._reading() as connection:
            row = rows_of(connection, listeners, {listener}, "listener")[listener]
            mine = interactions.c.listener == row
            more = select(interactions.c.row).where(mine).limit(1).offset(beyond)
            if connection.execute(more).first() is None:
                return set()
            query = select(interactions.c.piece).where(mine, interactions.c.flags == 0).distinct()
            return set(connection.execute(select(pieces.c.id).where(pieces.c.row.in_(query))).scalars())


def _check_sent_before(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks that events with known ids equal the stored ones; else an event would be lost silently.

    Raises:
        InputError: an id belongs to another event.
    """
    names = ("listener", "piece", "kind")  # not the time, which the server may set at arrival
    columns = [interactions.c[name] for name in ("event", *names)]
    query = select(*columns).where(interactions.c.event.in_(listed(row["event"] for row in rows)))
    stored = {found.event: found[1:] for found in connection.execute(query)}
    for row in rows:
        if tuple(row[name] for name in names) != tuple(stored[row["event"]]):
            raise InputError(
                f"event id '{row['event']}' was given to another event before; give each an id of its own"
            )


def _check_event(event: Event) -> None:
    if event.kind not in KINDS:
        raise InputError(f"kind is '{event.kind}'; allowed: {', '.join(KINDS)}")
    if not 0 <= event.time < 2**40:
        raise InputError(f"time is {event.time}; allowed: Unix seconds from 0 to 2^40")
    value = event.value
    if event.kind == "rating" and (value is None or not 1 <= value <= 5):
        raise InputError(f"rating is {value}; allowed: 1 to 5")
    if event.kind in ("play", "skip") and value is not None and not 0 <= value <= 1:
        raise InputError(f"share heard is {value}; allowed: 0 to 1")
    if not event.event:
        raise InputError("event id is empty; give each event an id of its own")
