"""Take a person out of the store: every row that names them, and the bytes they stood in."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, update

from troubadour.catalogue.rows import rows_of
from troubadour.catalogue.schema import listeners, metadata, pieces
from troubadour.core.errors import StorageError

FORGOTTEN: Final = "forgotten"
"""Stands where a generated piece's provenance named its listener."""
_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.25


def personal_tables() -> list[tuple[Any, Any]]:
    """Every table that refers to a listener, with the column that does: new ones are found by themselves."""
    return [
        (table, column)
        for table in metadata.sorted_tables
        for column in table.columns
        if any(key.column.table is listeners for key in column.foreign_keys)
    ]


def erase(connection: Connection, listener: str) -> dict[str, int]:
    """Delete a person's rows; how many of each table, and how many pieces no longer name them.

    Raises:
        NotFoundError: there is no such listener.
    """
    row = rows_of(connection, listeners, [listener], "listener")[listener]
    counts: dict[str, int] = {}
    for table, column in personal_tables():
        mine = column == row
        found = connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
        connection.execute(delete(table).where(mine))
        counts[table.name] = counts.get(table.name, 0) + int(found)
    counts["provenance"] = _pseudonymise(connection, listener)
    connection.execute(delete(listeners).where(listeners.c.row == row))
    return counts


def _pseudonymise(connection: Connection, listener: str) -> int:
    """Pieces composed for a person stay; that it was for them, and from which of their pieces, does not."""
    query = select(pieces.c.row, pieces.c.provenance).where(pieces.c.generated == 1)
    changed = 0
    for row, text in connection.execute(query).all():
        provenance = json.loads(text)
        if provenance.get("listener") != listener:
            continue
        provenance |= {"listener": FORGOTTEN, "influences": []}
        new = json.dumps(provenance)
        connection.execute(update(pieces).where(pieces.c.row == row).values(provenance=new))
        changed += 1
    return changed


def compact(engine: Engine) -> None:
    """Rewrite the file without what was deleted, and empty the write-ahead log.

    Takes as long as copying the file. Readers go on; a process that writes is waited for.

    Raises:
        StorageError: another process kept the log in use; the rows are gone, their bytes may not be.
    """
    connection = engine.raw_connection()  # SQLAlchemy would begin a transaction, which VACUUM refuses
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        for _ in range(_ATTEMPTS):
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer = cursor.fetchone()
            if answer is not None and not answer[0]:  # busy, pages in the log, pages moved
                return
            time.sleep(_PAUSE_SECONDS)
        cursor.close()
    finally:
        connection.close()
    raise StorageError(
        "another process is reading the store, so deleted bytes are still in its log; "
        "stop it and run the command again"
    )
