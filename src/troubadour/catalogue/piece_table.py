"""Tables of pieces and of their external identifiers."""

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
from troubadour.catalogue.rows import identify, listed, piece_values, rows_of
from troubadour.catalogue.schema import identifiers, pieces
from troubadour.core.errors import InputError, NotFoundError
from troubadour.music.exact import on_grid
from troubadour.music.quality import describe, flags_of
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
    """Table of pieces and table of their external identifiers."""

    def add_pieces(self, batch: Sequence[NewPiece]) -> int:
        """Adds pieces in one transaction; pieces with known ids are skipped.

        Returns:
            Number of new pieces.
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
        """Returns a piece by id, without notes.

        Raises:
            NotFoundError: the piece does not exist.
        """
        with self._reading() as connection:
            found = connection.execute(select(*_LIGHT).where(pieces.c.id == piece)).first()
        if found is None:
            raise NotFoundError(f"no piece '{piece}'")
        return _light(found)

    def pieces_by_id(self, ids: Iterable[str]) -> dict[str, PieceRow]:
        """Returns pieces by id, without notes, in one SQL statement.

        Args:
            ids: ids of pieces; repeated ids are read once.

        Returns:
            Pieces by id, in the order of `ids`.

        Raises:
            NotFoundError: a piece does not exist.
        """
        wanted = dict.fromkeys(ids)
        if not wanted:
            return {}
        query = select(*_LIGHT).where(pieces.c.id.in_(listed(wanted)))
        with self._reading() as connection:
            found = {row.id: _light(row) for row in connection.execute(query)}
        missing = next((i for i in wanted if i not in found), None)
        if missing is not None:
            raise NotFoundError(f"no piece '{missing}'")
        return {i: found[i] for i in wanted}

    def mark_explicit(self, piece: str, explicit: bool) -> None:
        """Sets or clears the mark of explicit pieces; blocks of explicit pieces apply at once.

        Raises:
            NotFoundError: the piece does not exist.
        """

        def work(connection: Connection) -> None:
            rows_of(connection, pieces, [piece], "piece")
            connection.execute(update(pieces).where(pieces.c.id == piece).values(explicit=int(explicit)))

        self._writer.run(work)

    def identify(self, named: Iterable[tuple[str, str, str]]) -> None:
        """Adds external identifiers as (piece, scheme, value); known identifiers are skipped.

        Raises:
            NotFoundError: a piece does not exist.
        """
        given = [(piece, scheme, value) for piece, scheme, value in named if value]
        self._writer.run(lambda connection: identify(connection, given))

    def identifiers(self) -> list[tuple[str, str, int]]:
        """Returns all external identifiers as (scheme, value, dense row of the piece)."""
        query = select(identifiers).order_by(identifiers.c.scheme, identifiers.c.value)
        with self._reading() as connection:
            return [(r.scheme, r.value, r.piece - 1) for r in connection.execute(query)]

    def pieces(
        self, *, generated: bool | None = None, split: str | None = None, medium: str | None = None
    ) -> list[PieceRow]:
        """Returns pieces in order of arrival, without notes.

        Args:
            generated: only generated pieces, or only others; None = both.
            split: only pieces of this split: `train`, `valid`, `test`; None = all.
            medium: only pieces of this medium: `score`, `audio`, `metadata`; None = all.
        """
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
        """Finds pieces whose title, composer, artist or style contains each of the words.

        Args:
            words: words separated by spaces, case ignored (ASCII).
            limit: largest number of results, 0 or more.
        """
        query = select(*_LIGHT).order_by(pieces.c.row).limit(limit)
        for word in words.split():
            columns = (pieces.c.title, pieces.c.composer, pieces.c.artist, pieces.c.style)
            query = query.where(or_(*(c.icontains(word, autoescape=True) for c in columns)))
        with self._reading() as connection:
            return [_light(row) for row in connection.execute(query)]

    def score(self, piece: str) -> Score:
        """Returns the score of a piece on the composing grid.

        Raises:
            NotFoundError: the piece does not exist.
            InputError: the piece has no notes.
        """
        return self.scores([piece])[0]

    def exact_score(self, piece: str) -> Score:
        """Returns the exact score of a piece with its marks, at its own resolution.

        Raises:
            NotFoundError: the piece does not exist.
            InputError: the piece has no notes (metadata or recording only).
        """
        (stored,) = self._stored([piece])
        with self._reading() as connection:
            exact = connection.execute(select(pieces.c.exact_score).where(pieces.c.id == piece)).scalar()
        return Score.from_bytes(exact or stored)

    def scores(self, ids: Sequence[str]) -> list[Score]:
        """Returns the scores of pieces on the composing grid, in the order of `ids`.

        Raises:
            NotFoundError: a piece does not exist.
            InputError: a piece has no notes (metadata or recording only).
        """
        return [on_grid(Score.from_bytes(stored)) for stored in self._stored(ids)]

    def _stored(self, ids: Sequence[str]) -> list[bytes]:
        query = select(pieces.c.id, pieces.c.score).where(pieces.c.id.in_(listed(ids)))
        with self._reading() as connection:
            found: dict[str, bytes] = {row.id: row.score for row in connection.execute(query)}
        missing = next((i for i in ids if i not in found), None)
        if missing is not None:
            raise NotFoundError(f"no piece '{missing}'")
        empty = next((i for i in ids if not found[i]), None)
        if empty is not None:
            raise InputError(f"piece '{empty}' has no notes; import its score to work with them")
        return [found[i] for i in ids]

    def piece_ids(self, *, medium: str | None = None) -> list[str]:
        """Returns all ids in row order.

        Args:
            medium: only pieces of this medium; None = all.
        """
        query = select(pieces.c.id).order_by(pieces.c.row)
        if medium is not None:
            query = query.where(pieces.c.medium == medium)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def vectors(self) -> NDArray[np.float32]:
        """Returns content vectors in row order, float32, shape (n_pieces, d); NaN rows = no vector."""
        with self._reading() as connection:
            blobs = list(connection.execute(select(pieces.c.vector).order_by(pieces.c.row)).scalars())
        width = next((len(b) // 4 for b in blobs if b), 0)
        out = np.full((len(blobs), width), np.nan, dtype=np.float32)
        for i, blob in enumerate(blobs):
            if blob and len(blob) == 4 * width:
                out[i] = np.frombuffer(blob, dtype="<f4")
        return out

    def set_vectors(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Stores content vectors by piece id, each of shape (d,)."""

        def work(connection: Connection) -> None:
            for piece, vector in vectors.items():
                blob = vector.astype("<f4").tobytes()
                connection.execute(update(pieces).where(pieces.c.id == piece).values(vector=blob))

        self._writer.run(work)

    def works(self) -> list[tuple[str, str, str, str, NDArray[np.uint32]]]:
        """Returns (id, work, split, fingerprint, grams) of all scores that are not generated."""
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
    quality = json.loads(values["quality"])
    return PieceRow(
        row=values["row"] - 1,
        **{n: values[n] for n in (
            "id", "title", "composer", "style", "collection", "source", "number", "licence", "work", "split",
            "artist", "album", "medium", "duration_seconds",
        )},
        generated=bool(values["generated"]),
        explicit=bool(values["explicit"]),
        attributes=json.loads(values["attributes"]),
        quality=[describe(entry) for entry in quality],
        flags=flags_of(quality),
        provenance=json.loads(values["provenance"]),
    )  # fmt: skip
