"""From ids to rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Connection, select

from troubadour.errors import NotFoundError

CHUNK: Final = 500
"""Bound variables in one statement."""
Reading = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection to read on."""


def rows_of(connection: Connection, table: Any, ids: Iterable[str], what: str) -> dict[str, int]:
    """The row of each id in a table of pieces or listeners.

    Raises:
        NotFoundError: one is missing.
    """
    wanted, found = sorted(set(ids)), dict[str, int]()
    for start in range(0, len(wanted), CHUNK):
        query = select(table.c.id, table.c.row).where(table.c.id.in_(wanted[start : start + CHUNK]))
        found |= {r.id: r.row for r in connection.execute(query)}
    missing = next((i for i in wanted if i not in found), None)
    if missing is not None:
        raise NotFoundError(f"no {what} '{missing}'; add it first")
    return found
