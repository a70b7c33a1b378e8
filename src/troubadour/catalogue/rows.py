"""Row lookups by id, and conversion of records to table values."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Select, func, select, text
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.records import NewPiece
from troubadour.catalogue.schema import identifiers, pieces
from troubadour.core.errors import NotFoundError
from troubadour.interactions.names import artist_key, title_key

Reading = Callable[[], AbstractContextManager[Connection]]
"""Context manager of a read connection."""


def listed(values: Iterable[str | int]) -> Select[Any]:
    """Subquery of values for `IN`, passed as one bound variable; the number of values is not limited."""
    return select(func.json_each(json.dumps([*values])).table_valued("value").c.value)


def rows_of(connection: Connection, table: Any, ids: Iterable[str], what: str) -> dict[str, int]:
    """Returns database rows by id, in one SQL statement.

    Args:
        connection: open connection.
        table: table of pieces or listeners.
        ids: ids to find; repeated ids are allowed.
        what: name of the table's entries, for the message.

    Raises:
        NotFoundError: an id does not exist.
    """
    wanted = sorted(set(ids))
    query = select(table.c.id, table.c.row).where(table.c.id.in_(listed(wanted)))
    found = {r.id: r.row for r in connection.execute(query)}
    missing = next((i for i in wanted if i not in found), None)
    if missing is not None:
        raise NotFoundError(f"no {what} '{missing}'; add it first")
    return found


def piece_values(piece: NewPiece) -> dict[str, Any]:
    """Converts a new piece to column values."""
    return {
        "id": piece.id, "title": piece.title, "composer": piece.composer, "style": piece.style,
        "collection": piece.collection, "source": piece.source, "number": piece.number,
        "licence": piece.licence, "work": piece.work, "split": piece.split,
        "generated": int(piece.generated), "fingerprint": piece.fingerprint,
        "grams": piece.grams.astype("<u4").tobytes(), "attributes": json.dumps(dict(piece.attributes)),
        "quality": json.dumps(list(piece.quality)), "provenance": json.dumps(dict(piece.provenance)),
        "score": b"" if piece.score is None else piece.score.to_bytes(),
        "exact_score": None if piece.exact_score is None else piece.exact_score.to_bytes(),
        "vector": None if piece.vector is None else piece.vector.astype("<f4").tobytes(),
        "added": time.time(), "artist": piece.artist, "album": piece.album, "medium": piece.medium,
        "duration_seconds": piece.duration_seconds, "explicit": int(piece.explicit),
        "title_key": "" if piece.generated else title_key(piece.title),
        "artist_key": "" if piece.generated else artist_key(piece.artist or piece.composer),
    }  # fmt: skip


def identify(connection: Connection, named: Sequence[tuple[str, str, str]]) -> None:
    """Adds external identifiers as (piece, scheme, value); known ones are skipped.

    Raises:
        NotFoundError: a piece does not exist.
    """
    rows = rows_of(connection, pieces, {piece for piece, _, _ in named}, "piece")
    values = [{"scheme": scheme, "value": value, "piece": rows[piece]} for piece, scheme, value in named]
    if values:
        connection.execute(upsert(identifiers).on_conflict_do_nothing(), values)


def append_new(connection: Connection, table: Any, key: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Appends rows; rows with known keys are skipped. Returns the number of new rows."""
    changes = text("SELECT total_changes()")
    before = connection.execute(changes).scalar_one()
    if rows:
        connection.execute(upsert(table).on_conflict_do_nothing(index_elements=[key]), rows)
    return int(connection.execute(changes).scalar_one() - before)
