"""Imported events without a matching piece, stored apart from the interactions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, select

from troubadour.catalogue.database import Writer
from troubadour.catalogue.records import KINDS, Unmatched
from troubadour.catalogue.rows import Reading, append_new, listed, rows_of
from troubadour.catalogue.schema import listeners, unmatched


class UnmatchedPlays:
    """Table of unmatched events."""

    def __init__(self, reading: Reading, writer: Writer) -> None:
        self._reading, self._writer = reading, writer

    def add(self, events: Sequence[Unmatched]) -> int:
        """Appends events; events with known ids are skipped. Durable on return.

        Returns:
            Number of new events.

        Raises:
            NotFoundError: a listener does not exist.
        """

        def work(connection: Connection) -> int:
            people = rows_of(connection, listeners, {e.listener for e in events}, "listener")
            rows = [
                {
                    "event": e.event, "listener": people[e.listener], "title": e.title, "artist": e.artist,
                    "album": e.album, "identifiers": json.dumps(dict(e.identifiers)), "reason": e.reason,
                    "kind": KINDS.index(e.kind), "value": e.value, "time": e.time, "flags": e.flags,
                    "source": e.source,
                }
                for e in events
            ]  # fmt: skip
            return append_new(connection, unmatched, "event", rows)

        return self._writer.run(work)

    def remove(self, events: Iterable[str]) -> None:
        """Removes events by id, after they were matched."""
        ids = list(events)

        def work(connection: Connection) -> None:
            connection.execute(delete(unmatched).where(unmatched.c.event.in_(listed(ids))))

        if ids:
            self._writer.run(work)

    def all(self, listener: str | None = None) -> list[Unmatched]:
        """Returns unmatched events in order of arrival.

        Args:
            listener: id of a listener; None = all listeners.

        Raises:
            NotFoundError: the listener does not exist.
        """
        query = (
            select(unmatched, listeners.c.id)
            .join(listeners, listeners.c.row == unmatched.c.listener)
            .order_by(unmatched.c.row)
        )
        with self._reading() as connection:
            if listener is not None:
                row = rows_of(connection, listeners, [listener], "listener")[listener]
                query = query.where(unmatched.c.listener == row)
            return [
                Unmatched(
                    r.event, r.id, r.title, r.artist, r.album, json.loads(r.identifiers), r.reason,
                    KINDS[r.kind], r.time, r.value, r.flags, r.source,
                )
                for r in connection.execute(query)
            ]  # fmt: skip

    def top(self, limit: int = 20) -> list[tuple[str, str, str, int]]:
        """Returns the most frequent unmatched tracks as (artist, title, reason, plays)."""
        count = func.count().label("plays")
        query = (
            select(unmatched.c.artist, unmatched.c.title, unmatched.c.reason, count)
            .group_by(unmatched.c.artist, unmatched.c.title, unmatched.c.reason)
            .order_by(count.desc(), unmatched.c.artist, unmatched.c.title)
            .limit(limit)
        )
        with self._reading() as connection:
            return [(r.artist, r.title, r.reason, int(r.plays)) for r in connection.execute(query)]

    def count(self) -> int:
        """Number of unmatched events."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(unmatched)).scalar_one())
