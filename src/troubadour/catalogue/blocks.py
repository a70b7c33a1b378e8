"""What listeners never want to get again: a piece, an artist, or all that is marked as explicit."""

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
    """The store's table of blocks."""

    def __init__(self, reading: Reading, writer: Writer) -> None:
        self._reading, self._writer = reading, writer

    def add(self, listener: str, block: Block) -> None:
        """Block; what is blocked already stays so.

        Raises:
            InputError: neither a piece nor an artist nor all explicit ones, or the artist's name is empty.
            NotFoundError: no such listener or piece.
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
        """Lift a block; whether there was one."""
        value = _value(block)

        def work(connection: Connection) -> bool:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            mine = (blocks.c.listener == row) & (blocks.c.what == block.what) & (blocks.c.value == value)
            return connection.execute(delete(blocks).where(mine)).rowcount > 0

        return self._writer.run(work)

    def of(self, listener: str) -> list[Block]:
        """What a listener blocked, oldest first."""
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            query = select(blocks).where(blocks.c.listener == row).order_by(blocks.c.time, blocks.c.name)
            return [Block(r.what, r.name, r.time) for r in connection.execute(query)]

    def pieces(self, listener: str) -> set[str]:
        """Ids of all pieces that a listener's blocks cover: for `exclude` in recommending.

        Who blocked an artist costs a pass over the catalogue's names, the rest nothing.
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
            raise InputError(f"value is '{block.value}'; of what is explicit only 'all' can be blocked")
        return block.value
    if block.what != "artist":
        raise InputError(f"what is '{block.what}'; allowed: piece, artist, explicit")
    key = artist_key(block.value)
    if not key:
        raise InputError(f"artist is '{block.value}', which names nobody; give a name")
    return key
