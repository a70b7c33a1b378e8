"""Store: typed access to all durable data of a home folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.blocks import Blocks
from troubadour.catalogue.database import as_storage_errors
from troubadour.catalogue.erasure import compact, erase
from troubadour.catalogue.event_table import EventTable
from troubadour.catalogue.impressions import Impressions
from troubadour.catalogue.piece_table import PieceTable
from troubadour.catalogue.records import KINDS, Event, ListenerRow, NewPiece, PieceRow
from troubadour.catalogue.schema import interactions, listeners, meta, pieces
from troubadour.catalogue.sounds import Sounds
from troubadour.catalogue.unmatched import UnmatchedPlays
from troubadour.interactions.events import Interactions
from troubadour.interactions.id_map import IdMap


class Store(PieceTable, EventTable):
    """Store of one home folder. Reads use their own connections, writes one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.impressions = Impressions(self._reading, self._writer)
        """Impressions: items shown to listeners."""
        self.blocks = Blocks(self._reading, self._writer)
        """Blocks: exclusions of listeners."""
        self.unmatched = UnmatchedPlays(self._reading, self._writer)
        """Imported plays without a matching piece."""
        self.sounds = Sounds(self._reading, self._writer)
        """Audio descriptors and imported audio files."""

    @classmethod
    def open(cls, home: Path) -> Self:
        """Opens the store of a home folder; creates it if it does not exist.

        Raises:
            StorageError: the file cannot be opened; the message names cause and remedy.
        """
        return cls(home / "catalogue.sqlite")

    # Erasure ----------------------------------------------------------------------------------

    def erase(self, listener: str) -> dict[str, int]:
        """Deletes a listener with all their rows; see `erasure.erase`.

        `compact` then removes the deleted bytes from the file.

        Returns:
            Number of deleted rows by table name.

        Raises:
            NotFoundError: the listener does not exist.
        """
        return self._writer.run(lambda connection: erase(connection, listener))

    def compact(self) -> None:
        """Rewrites the file without deleted rows; see `erasure.compact`."""
        with as_storage_errors(self.path):
            compact(self._engine)

    def interactions(self, *, until: int | None = None, without: str | None = None) -> Interactions:
        """Returns all unflagged events over the whole catalogue.

        Args:
            until: result of `last_event`; later arrivals are left out. None = all.
            without: id of a listener to leave out.

        Raises:
            NotFoundError: the listener `without` does not exist.
        """
        columns: dict[str, Any] = self.interaction_columns(until=until, without=without)
        return Interactions(
            columns["listener"],
            columns["item"],
            columns["kind"],
            columns["value"],
            columns["time"],
            IdMap(one.id for one in self.listeners()),
            IdMap(self.piece_ids()),
        )

    # Counts and settings ----------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Returns counts: `pieces` (not generated), `generated`, `listeners`, `interactions`."""
        with self._reading() as connection:
            query = select(pieces.c.generated, func.count()).group_by(pieces.c.generated)
            by_kind: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
            return {
                "pieces": int(by_kind.get(0, 0)),
                "generated": int(by_kind.get(1, 0)),
                "listeners": int(
                    connection.execute(select(func.count()).select_from(listeners)).scalar_one()
                ),
                "interactions": int(
                    connection.execute(select(func.count()).select_from(interactions)).scalar_one()
                ),
            }

    def get(self, key: str) -> Any:
        """Returns a setting; None = not set."""
        with self._reading() as connection:
            value = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
        return None if value is None else json.loads(value)

    def set(self, key: str, value: Any) -> None:
        """Stores a setting; `value` must be JSON-compatible."""
        stored = json.dumps(value)

        def work(connection: Connection) -> None:
            statement = upsert(meta).values(key=key, value=stored)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["key"], set_={"value": stored})
            )

        self._writer.run(work)


__all__ = ["KINDS", "Event", "ListenerRow", "NewPiece", "PieceRow", "Store"]
