"""Tables of audio descriptors, and journal of imported audio files."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.database import Writer
from troubadour.catalogue.records import NewPiece
from troubadour.catalogue.rows import Reading, identify, piece_values, rows_of
from troubadour.catalogue.schema import audio_files, pieces, sounds

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SoundRow:
    """Audio descriptors of one piece."""

    piece: str
    version: int
    """Version of the descriptors."""
    origin: str
    """`recording`, or `rendered` for a rendered score."""
    statistics: Floats
    """Summary statistics, float32, shape (d,)."""
    timbre_mean: Floats
    """Mean timbre vector, float32, shape (k,)."""
    timbre_covariance: Floats
    """Covariance of timbre vectors, float32, shape (k, k)."""
    embedding: Floats | None
    encoder: str
    """Name of the encoder of the embedding."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Loudness, tempo, format and other facts for people."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """Journal entry of an imported audio file."""

    sha256: str
    path: str
    piece: str
    """Id of the piece; "" = refused."""
    cause: str
    """Cause of the refusal."""


class Sounds:
    """Tables of audio descriptors; each addition is one transaction."""

    def __init__(self, reading: Reading, writer: Writer) -> None:
        self._reading, self._writer = reading, writer

    def add_recording(self, piece: NewPiece, sound: SoundRow, sha256: str, path: str) -> None:
        """Adds a recording: piece, descriptors and journal entry. Repeated additions change nothing."""
        values = piece_values(piece)
        named = [(piece.id, scheme, value) for scheme, value in piece.identifiers.items() if value]

        def work(connection: Connection) -> None:
            connection.execute(upsert(pieces).on_conflict_do_nothing(index_elements=["id"]), [values])
            identify(connection, named)
            row = rows_of(connection, pieces, [piece.id], "piece")[piece.id]
            _put(connection, row, sound)
            new = {"sha256": sha256, "path": path, "piece": row, "cause": "", "time": time.time()}
            connection.execute(upsert(audio_files).on_conflict_do_nothing(), [new])

        self._writer.run(work)

    def refuse(self, sha256: str, path: str, cause: str) -> None:
        """Records a refused file, so that later imports skip it."""
        new = {"sha256": sha256, "path": path, "piece": None, "cause": cause, "time": time.time()}
        self._writer.run(
            lambda connection: connection.execute(upsert(audio_files).on_conflict_do_nothing(), [new])
        )

    def put(self, sound: SoundRow) -> None:
        """Stores the descriptors of a piece and replaces earlier ones.

        Raises:
            NotFoundError: the piece does not exist.
        """

        def work(connection: Connection) -> None:
            _put(connection, rows_of(connection, pieces, [sound.piece], "piece")[sound.piece], sound)

        self._writer.run(work)

    def files(self) -> dict[str, AudioFile]:
        """Returns the journal by SHA-256."""
        query = select(audio_files, pieces.c.id).join(
            pieces, pieces.c.row == audio_files.c.piece, isouter=True
        )
        with self._reading() as connection:
            return {
                r.sha256: AudioFile(r.sha256, r.path, r.id or "", r.cause) for r in connection.execute(query)
            }

    def all(self, version: int) -> list[SoundRow]:
        """Returns descriptors of one version in row order; about 2 kB per piece."""
        query = (
            select(sounds, pieces.c.id)
            .join(pieces, pieces.c.row == sounds.c.piece)
            .where(sounds.c.version == version)
            .order_by(pieces.c.row)
        )
        with self._reading() as connection:
            return [_row(r) for r in connection.execute(query)]

    def known(self, version: int, encoder: str) -> set[str]:
        """Returns the ids of pieces with descriptors of this version and encoder."""
        query = (
            select(pieces.c.id)
            .join(sounds, pieces.c.row == sounds.c.piece)
            .where(sounds.c.version == version, sounds.c.encoder == encoder)
        )
        with self._reading() as connection:
            return set(connection.execute(query).scalars())

    def counts(self) -> dict[str, int]:
        """Returns counts: `recordings` (pieces from recordings) and `sounds` (pieces with descriptors)."""
        with self._reading() as connection:
            recordings = select(func.count()).select_from(pieces).where(pieces.c.medium == "audio")
            measured = select(func.count()).select_from(sounds)
            return {
                "recordings": int(connection.execute(recordings).scalar_one()),
                "sounds": int(connection.execute(measured).scalar_one()),
            }


def _put(connection: Connection, row: int, sound: SoundRow) -> None:
    timbre = np.concatenate([sound.timbre_mean, sound.timbre_covariance.ravel()])
    values = {
        "piece": row,
        "version": sound.version,
        "origin": sound.origin,
        "statistics": _bytes(sound.statistics),
        "timbre": _bytes(timbre),
        "embedding": None if sound.embedding is None else _bytes(sound.embedding),
        "encoder": sound.encoder,
        "facts": json.dumps(dict(sound.facts)),
    }
    statement = upsert(sounds).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["piece"], set_=values))


def _bytes(values: Floats) -> bytes:
    return values.astype("<f4").tobytes()


def _floats(blob: bytes) -> Floats:
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def _row(row: Any) -> SoundRow:
    timbre = _floats(row.timbre)
    k = int((np.sqrt(4 * len(timbre) + 1) - 1) / 2)  # k + k * k numbers
    return SoundRow(
        row.id,
        row.version,
        row.origin,
        _floats(row.statistics),
        timbre[:k],
        timbre[k:].reshape(k, k),
        _floats(row.embedding) if row.embedding else None,
        row.encoder,
        json.loads(row.facts),
    )


def matrix(rows: Sequence[SoundRow], ids: Sequence[str], what: str) -> Floats:
    """Stacks one vector per piece, float32, shape (len(ids), d); NaN rows = no vector.

    Args:
        rows: descriptors of pieces.
        ids: ids of pieces in the order of the result.
        what: `embedding` or `statistics`.
    """
    found = {r.piece: getattr(r, what) for r in rows if getattr(r, what) is not None}
    width = len(next(iter(found.values()))) if found else 0
    out = np.full((len(ids), width), np.nan, dtype=np.float32)
    for i, one in enumerate(ids):
        if one in found and len(found[one]) == width:
            out[i] = found[one]
    return out
