"""The pieces of a store: what is known of them, their notes, what others call them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.database import Database
from troubadour.catalogue.records import NewPiece, PieceRow
from troubadour.catalogue.rows import CHUNK, identify, piece_values, rows_of
from troubadour.catalogue.schema import identifiers, pieces
from troubadour.core.errors import InputError, NotFoundError
from troubadour.music.exact import on_grid
from troubadour.music.score import Score

_LIGHT: Final = [
    pieces.c[name]
    for name in (
        "row", "id", "title", "composer", "style", "collection", "source", "number", "licence", "work",
        "split", "generated", "attributes", "quality", "provenance", "artist", "album", "medium",
        "duration_seconds", "explicit",
    )
]  # fmt: skip


class PieceTable(Database):
    """The store's table of pieces, and that of their identifiers."""

    def add_pieces(self, batch: Sequence[NewPiece]) -> int:
        """Add pieces in one transaction; those whose id is there already stay as they are.

        Returns:
            How many were new.
        """
        rows = [piece_values(p) for p in batch]
        named = [(p.id, scheme, value) for p in batch for scheme, value in p.identifiers.items() if value]

        def work(connection: Connection) -> int:
            before = connection.execute(select(func.count()).select_from(pieces)).scalar_one()
            if rows:
                connection.execute(upsert(pieces).on_conflict_do_nothing(index_elements=["id"]), rows)
            identify(connection, named)
            return int(connection.execute(select(func.count()).select_from(pieces)).scalar_one() - before)

        return self._writer.run(work)

    def piece(self, piece: str) -> PieceRow:
        """A piece by id.

        Raises:
            NotFoundError: there is none.
        """
        with self._reading() as connection:
            found = connection.execute(select(*_LIGHT).where(pieces.c.id == piece)).first()
        if found is None:
            raise NotFoundError(f"no piece '{piece}'")
        return _light(found)

    def mark_explicit(self, piece: str, explicit: bool) -> None:
        """Say whether a piece is explicit, for listeners who block such pieces; at once.

        Raises:
            NotFoundError: no such piece.
        """

        def work(connection: Connection) -> None:
            rows_of(connection, pieces, [piece], "piece")
            connection.execute(update(pieces).where(pieces.c.id == piece).values(explicit=int(explicit)))

        self._writer.run(work)

    def identify(self, named: Iterable[tuple[str, str, str]]) -> None:
        """Tell what others call pieces: (piece, scheme, value); what is known already stays.

        Raises:
            NotFoundError: a piece does not exist.
        """
        given = [(piece, scheme, value) for piece, scheme, value in named if value]
        self._writer.run(lambda connection: identify(connection, given))

    def identifiers(self) -> list[tuple[str, str, int]]:
        """All that others call pieces: (scheme, value, dense row of the piece)."""
        query = select(identifiers).order_by(identifiers.c.scheme, identifiers.c.value)
        with self._reading() as connection:
            return [(r.scheme, r.value, r.piece - 1) for r in connection.execute(query)]

    def pieces(
        self, *, generated: bool | None = None, split: str | None = None, medium: str | None = None
    ) -> list[PieceRow]:
        """All pieces in order of arrival, without notes; of `medium` "score" those that have some."""
        query = select(*_LIGHT).order_by(pieces.c.row)
        if generated is not None:
            query = query.where(pieces.c.generated == int(generated))
        if split is not None:
            query = query.where(pieces.c.split == split)
        if medium is not None:
            query = query.where(pieces.c.medium == medium)
        with self._reading() as connection:
            return [_light(row) for row in connection.execute(query)]

    def find(self, words: str, limit: int = 20) -> list[PieceRow]:
        """Pieces whose title, composer, artist or style holds all of the words."""
        query = select(*_LIGHT).order_by(pieces.c.row).limit(limit)
        for word in words.split():
            columns = (pieces.c.title, pieces.c.composer, pieces.c.artist, pieces.c.style)
            query = query.where(or_(*(c.icontains(word, autoescape=True) for c in columns)))
        with self._reading() as connection:
            return [_light(row) for row in connection.execute(query)]

    def score(self, piece: str) -> Score:
        """The notes of one piece, on the composing grid.

        Raises:
            NotFoundError: there is no such piece.
        """
        return self.scores([piece])[0]

    def exact_score(self, piece: str) -> Score:
        """The notes and marks of one piece as its file has them, at whatever resolution.

        Raises:
            NotFoundError: there is no such piece.
            InputError: the piece has no notes, it is known by name or sound alone.
        """
        (stored,) = self._stored([piece])
        with self._reading() as connection:
            exact = connection.execute(select(pieces.c.exact_score).where(pieces.c.id == piece)).scalar()
        return Score.from_bytes(exact or stored)

    def scores(self, ids: Sequence[str]) -> list[Score]:
        """The notes of pieces on the composing grid, in the order asked for.

        Raises:
            NotFoundError: a piece does not exist.
            InputError: a piece has no notes, it is known by name or sound alone.
        """
        return [on_grid(Score.from_bytes(stored)) for stored in self._stored(ids)]

    def _stored(self, ids: Sequence[str]) -> list[bytes]:
        found: dict[str, bytes] = {}
        with self._reading() as connection:
            for start in range(0, len(ids), CHUNK):
                query = select(pieces.c.id, pieces.c.score).where(pieces.c.id.in_(ids[start : start + CHUNK]))
                found |= {row.id: row.score for row in connection.execute(query)}
        missing = next((i for i in ids if i not in found), None)
        if missing is not None:
            raise NotFoundError(f"no piece '{missing}'")
        empty = next((i for i in ids if not found[i]), None)
        if empty is not None:
            raise InputError(f"piece '{empty}' has no notes; import its score to work with them")
        return [found[i] for i in ids]

    def piece_ids(self, *, medium: str | None = None) -> list[str]:
        """Ids in row order: the item vocabulary; of `medium` "score" those that have notes."""
        query = select(pieces.c.id).order_by(pieces.c.row)
        if medium is not None:
            query = query.where(pieces.c.medium == medium)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def vectors(self) -> NDArray[np.float32]:
        """Content vectors in row order, shape (n_pieces, d); NaN where a piece has none."""
        with self._reading() as connection:
            blobs = list(connection.execute(select(pieces.c.vector).order_by(pieces.c.row)).scalars())
        width = next((len(b) // 4 for b in blobs if b), 0)
        out = np.full((len(blobs), width), np.nan, dtype=np.float32)
        for i, blob in enumerate(blobs):
            if blob and len(blob) == 4 * width:
                out[i] = np.frombuffer(blob, dtype="<f4")
        return out

    def set_vectors(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Store content vectors of pieces."""

        def work(connection: Connection) -> None:
            for piece, vector in vectors.items():
                blob = vector.astype("<f4").tobytes()
                connection.execute(update(pieces).where(pieces.c.id == piece).values(vector=blob))

        self._writer.run(work)

    def works(self) -> list[tuple[str, str, str, str, NDArray[np.uint32]]]:
        """(id, work, split, fingerprint, grams) of every piece with notes that was not generated."""
        query = (
            select(pieces.c.id, pieces.c.work, pieces.c.split, pieces.c.fingerprint, pieces.c.grams)
            .where(pieces.c.generated == 0, pieces.c.medium == "score")
            .order_by(pieces.c.row)
        )
        with self._reading() as connection:
            return [
                (r.id, r.work, r.split, r.fingerprint, np.frombuffer(r.grams, dtype="<u4").astype(np.uint32))
                for r in connection.execute(query)
            ]


def _light(row: Any) -> PieceRow:
    values = row._mapping
    return PieceRow(
        row=values["row"] - 1,
        **{n: values[n] for n in (
            "id", "title", "composer", "style", "collection", "source", "number", "licence", "work", "split",
            "artist", "album", "medium", "duration_seconds",
        )},
        generated=bool(values["generated"]),
        explicit=bool(values["explicit"]),
        attributes=json.loads(values["attributes"]),
        quality=json.loads(values["quality"]),
        provenance=json.loads(values["provenance"]),
    )  # fmt: skip
