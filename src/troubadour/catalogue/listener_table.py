"""The listeners of a store."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.database import Database
from troubadour.catalogue.records import ListenerRow
from troubadour.catalogue.schema import listeners
from troubadour.core.errors import NotFoundError


class ListenerTable(Database):
    """The store's table of listeners."""

    def add_listeners(self, people: Iterable[tuple[str, str, bool]]) -> None:
        """Add (id, name, simulated); those who are there already stay as they are."""
        now = time.time()
        rows = [{"id": i, "name": n, "simulated": int(s), "created": now} for i, n, s in people]

        def work(connection: Connection) -> None:
            if rows:
                connection.execute(upsert(listeners).on_conflict_do_nothing(index_elements=["id"]), rows)

        self._writer.run(work)

    def listeners(self) -> list[ListenerRow]:
        """Everybody, in order of arrival."""
        with self._reading() as connection:
            rows = connection.execute(select(listeners).order_by(listeners.c.row))
            return [ListenerRow(i, r.id, r.name, bool(r.simulated)) for i, r in enumerate(rows)]

    def listener(self, listener: str) -> ListenerRow:
        """A listener by id.

        Raises:
            NotFoundError: there is none; the message names some who exist.
        """
        with self._reading() as connection:
            row = connection.execute(select(listeners).where(listeners.c.id == listener)).first()
            if row is None:
                some = list(
                    connection.execute(select(listeners.c.id).order_by(listeners.c.row).limit(3)).scalars()
                )
                known = f"there are {', '.join(some)} ..." if some else "there are none yet"
                raise NotFoundError(f"no listener '{listener}'; {known}")
            before = select(func.count()).select_from(listeners).where(listeners.c.row < row.row)
            return ListenerRow(connection.execute(before).scalar_one(), row.id, row.name, bool(row.simulated))

    def created(self, listener: str) -> float:
        """When a listener was added, Unix seconds.

        Raises:
            NotFoundError: there is no such listener.
        """
        self.listener(listener)
        with self._reading() as connection:
            query = select(listeners.c.created).where(listeners.c.id == listener)
            return float(connection.execute(query).scalar_one())
