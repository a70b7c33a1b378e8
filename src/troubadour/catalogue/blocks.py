"""Blocks: pieces, artists or explicit pieces that a listener excludes from recommendations."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.database import Writer
from troubadour.catalogue.records import Block
from troubadour.catalogue.rows import Reading, rows_of
from troubadour.catalogue.schema import blocks, listeners, pieces
from troubadour.core.errors import InputError
from troubadour.interactions.names import artist_key


class Blocks:
    """Table of blocks."""

    def __init__(self, reading: Reading, writer: Writer) -> None:
        self._reading, self._writer = reading, writer

    def add(self, listener: str, block: Block) -> None:
        """Adds a block; an existing block is not changed.

        Raises:
            InputError: `what` or `value` is not allowed, or the artist's name is empty.
            NotFoundError: the listener or piece does not exist.
        """
        value = _value(block)

        def work(connection: Connection) -> None:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            if block.what == "piece":
                rows_of(connection, pieces, [block.value], "piece")
            new = {"listener": row, "what": block.what, "value": value}
            statement = upsert(blocks).values(**new, name=block.value, time=block.time)
            connection.execute(statement.on_conflict_do_nothing())

        self._writer.run(work)

    def remove(self, listener: str, block: Block) -> bool:
        """Removes a block.

        Returns:
            Whether the block existed.

        Raises:
            InputError: `what` or `value` is not allowed.
            NotFoundError: the listener does not exist.
        """
        value = _value(block)

        def work(connection: Connection) -> bool:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            mine = (blocks.c.listener == row) & (blocks.c.what == block.what) & (blocks.c.value == value)
            return connection.execute(delete(blocks).where(mine)).rowcount > 0

        return self._writer.run(work)

    def of(self, listener: str) -> list[Block]:
        """Returns a listener's blocks, oldest first.

        Raises:
            NotFoundError: the listener does not exist.
        """
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            query = select(blocks).where(blocks.c.listener == row).order_by(blocks.c.time, blocks.c.name)
            return [Block(r.what, r.name, r.time) for r in connection.execute(query)]

    def pieces(self, listener: str) -> set[str]:
        """Returns the ids of all pieces covered by a listener's blocks.

        Cost: blocked artists need one pass over the catalogue's names; other blocks are index lookups.

        Raises:
            NotFoundError: the listener does not exist.
        """
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            own = connection.execute(select(blocks.c.what, blocks.c.value).where(blocks.c.listener == row))
            found: dict[str, set[str]] = {"piece": set(), "artist": set(), "explicit": set()}
            for what, value in own:
                found[what].add(value)
            out = found["piece"]
            if found["artist"]:
                by_artist = select(pieces.c.id).where(pieces.c.artist_key.in_(found["artist"]))
                out |= set(connection.execute(by_artist).scalars())
            if found["explicit"]:
                out |= set(connection.execute(select(pieces.c.id).where(pieces.c.explicit == 1)).scalars())
            return out


def _value(block: Block) -> str:
    if block.what == "piece":
        return block.value
    if block.what == "explicit":
        if block.value != "all":
            raise InputError(f"value is '{block.value}'; allowed for explicit pieces: all")
        return block.value
    if block.what != "artist":
        raise InputError(f"what is '{block.what}'; allowed: piece, artist, explicit")
    key = artist_key(block.value)
    if not key:
        raise InputError(
            f"artist is '{block.value}', which is empty or a placeholder; give the name of an artist"
        )
    return key
