"""Table of listeners."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, true
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.database import Database
from troubadour.catalogue.records import ListenerRow
from troubadour.catalogue.schema import listeners
from troubadour.core.errors import InputError, NotFoundError


class ListenerTable(Database):
    """Table of listeners."""

    def add_listeners(self, people: Iterable[tuple[str, str, bool]]) -> None:
        """Adds listeners as (id, name, simulated); existing listeners are not changed."""
        now = time.time()
        rows = [{"id": i, "name": n, "simulated": int(s), "created": now} for i, n, s in people]

        def work(connection: Connection) -> None:
            if rows:
                connection.execute(upsert(listeners).on_conflict_do_nothing(index_elements=["id"]), rows)

        self._writer.run(work)

    def listeners(self, words: str = "", *, limit: int | None = None, offset: int = 0) -> list[ListenerRow]:
        """Listeners in order of arrival.

        Args:
            words: text that occurs in `id name`, case ignored; empty = every listener.
            limit: largest number of listeners, 0 or more; None = all.
            offset: number of matching listeners to skip, 0 or more.

        Raises:
            InputError: `limit` or `offset` is below 0.
        """
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit is {limit} and offset {offset}; allowed: 0 and above")
        query = select(listeners).order_by(listeners.c.row).limit(limit).offset(offset)
        if words:
            place = (func.row_number().over(order_by=listeners.c.row) - 1).label("place")
            numbered = select(listeners, place).subquery()
            query = select(numbered).where(_matches(numbered.c, words))
            query = query.order_by(numbered.c.row).limit(limit).offset(offset)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [
            ListenerRow(r.place if words else i, r.id, r.name, bool(r.simulated))
            for i, r in enumerate(rows, start=offset)
        ]

    def count_listeners(self, words: str = "") -> int:
        """Number of listeners whose `id name` contains some text, case ignored."""
        query = select(func.count()).select_from(listeners)
        with self._reading() as connection:
            return int(connection.execute(query.where(_matches(listeners.c, words))).scalar_one())

    def listener(self, listener: str) -> ListenerRow:
        """Returns a listener by id.

        Raises:
            NotFoundError: the listener does not exist; the message names some who do.
        """
        with self._reading() as connection:
            row = _found(connection, listener)
            before = select(func.count()).select_from(listeners).where(listeners.c.row < row.row)
            return ListenerRow(connection.execute(before).scalar_one(), row.id, row.name, bool(row.simulated))

    def created(self, listener: str) -> float:
        """Returns the time when a listener was added, Unix seconds.

        Raises:
            NotFoundError: the listener does not exist.
        """
        with self._reading() as connection:
            return float(_found(connection, listener).created)

    @staticmethod
    def _row_of(connection: Connection, listener: str) -> int:
        """Returns the database row of a listener.

        Raises:
            NotFoundError: the listener does not exist; the message names some who do.
        """
        return int(_found(connection, listener).row)


def _found(connection: Connection, listener: str) -> Row[Any]:
    row = connection.execute(select(listeners).where(listeners.c.id == listener)).first()
    if row is None:
        some = list(connection.execute(select(listeners.c.id).order_by(listeners.c.row).limit(3)).scalars())
        known = f"there are {', '.join(some)} ..." if some else "there are none yet"
        raise NotFoundError(f"no listener '{listener}'; {known}")
    return row


def _matches(columns: Any, words: str) -> ColumnElement[bool]:
    """Whether `id name` contains some text. `unicode_lower` is `str.lower`, see `database.open_engine`."""
    text = func.unicode_lower(columns.id + " " + columns.name)
    return func.instr(text, words.lower()) > 0 if words else true()
