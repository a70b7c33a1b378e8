"""Erasure of a listener: all rows that refer to them, and the deleted bytes in the file."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, update

from troubadour.catalogue.rows import rows_of
from troubadour.catalogue.schema import listeners, metadata, pieces
from troubadour.core.errors import StorageError

FORGOTTEN: Final = "forgotten"
"""Replaces the listener's id in the provenance of generated pieces."""
_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.25


def personal_tables() -> list[tuple[Any, Any]]:
    """Returns each table that refers to listeners with the referring column, from the schema's foreign
    keys."""
    return [
        (table, column)
        for table in metadata.sorted_tables
        for column in table.columns
        if any(key.column.table is listeners for key in column.foreign_keys)
    ]


def erase(connection: Connection, listener: str) -> dict[str, int]:
    """Deletes a listener's rows and pseudonymises provenance.

    Returns:
        Number of deleted rows by table name; key `provenance`: number of changed pieces.

    Raises:
        NotFoundError: the listener does not exist.
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
    """Removes listener and influences from the provenance of pieces generated for a listener."""
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
    """Rewrites the file without deleted rows (VACUUM) and truncates the write-ahead log.

    Cost: one copy of the file. Readers continue; writers of other processes are waited for.

    Raises:
        StorageError: another process keeps the log in use. The rows are deleted, but the log may still
            contain their bytes.
    """
    connection = engine.raw_connection()  # VACUUM is not allowed inside SQLAlchemy's transaction
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        for _ in range(_ATTEMPTS):
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer = cursor.fetchone()
            if answer is not None and not answer[0]:  # busy flag, pages in the log, pages checkpointed
                return
            time.sleep(_PAUSE_SECONDS)
        cursor.close()
    finally:
        connection.close()
    raise StorageError(
        "another process is reading the store, so deleted bytes are still in its log; "
        "stop it and run the command again"
    )
