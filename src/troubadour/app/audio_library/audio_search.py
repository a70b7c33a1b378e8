"""Search for pieces with similar sound, by timbre or by embedding, among all measured pieces."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.app.audio_library.encoders import encoder_folder
from troubadour.app.audio_library.humming import HummedQuery
from troubadour.app.audio_library.importing import sound_row
from troubadour.app.audio_library.pool import Workers
from troubadour.audio.describe import VERSION
from troubadour.audio.dsp.sung_notes import SungNotes
from troubadour.audio.read import looks_like_audio
from troubadour.catalogue.sounds import SoundRow, matrix
from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import InputError, NotFoundError, UnreadableFileError
from troubadour.core.threads import one_thread
from troubadour.similarity.timbre import Gaussians, mutual, reference_statistics
from troubadour.similarity.vectors import VectorIndex

WAYS: Final = ("timbre", "sound")
"""`timbre`: Gaussians over MFCCs with mutual proximity. `sound`: the audio embedding, or statistics of
many features if the installation has no encoder.
"""


@dataclass(frozen=True, slots=True)
class SimilarSound:
    """Piece with similar sound."""

    piece: PieceRow
    similarity: float
    """For `timbre`: 1 minus the mutual proximity, 0 to 1. For `sound`: cosine, -1 to 1."""
    origin: str
    """`recording`, or `rendered` for a score played by the synthesiser."""
    facts: dict[str, Any]


class AudioSearch:
    """Audio features of all pieces of a home, loaded at the first search.

    Args:
        store: the catalogue.
        workers: processes that measure files. Default: one.
    """

    def __init__(self, store: Store, workers: Workers | None = None) -> None:
        self._store, self._workers = store, workers or Workers()
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def measure(self, path: Path) -> tuple[SoundRow, dict[str, Any]]:
        """Measure an audio file in a separate process; nothing is stored.

        Returns:
            Features, and the worker's answer: tags, warnings, seconds, attributes.

        Raises:
            UnreadableFileError: the file cannot be measured; the message states the cause.
        """
        found = self._request("path", path)
        return sound_row("", "recording", found), found

    def melody(self, path: Path) -> HummedQuery:
        """Notes of a monophonic recording; nothing is stored.

        Raises:
            UnreadableFileError: the file cannot be read; the message states the cause.
        """
        found = self._request("melody", path)
        notes = SungNotes(**{k: np.array(v, dtype=np.float64) for k, v in found["notes"].items()})
        return HummedQuery(notes, float(found["seconds"]), tuple(found["warnings"]))

    def _request(self, what: str, path: Path) -> dict[str, Any]:
        """Answer of a worker in a separate process."""
        alone = Workers(1, self._workers.seconds, encoder=encoder_folder(self._store))
        ((_, found),) = list(alone.run([path], lambda p: {what: str(p)}))
        if "cause" in found:
            raise UnreadableFileError(str(path), found["cause"].removeprefix(f"{path}: "))
        return found

    def similar(self, query: str | SoundRow, n: int = 10, by: str = "timbre") -> list[SimilarSound]:
        """Pieces with the most similar sound, nearest first, without the query itself and its variants.

        Args:
            query: id of a piece, or a result of `measure`.
            n: 1 to 1000.
            by: one of `WAYS`.

        Raises:
            InputError: n or `by` is out of range.
            NotFoundError: there is no such piece, or its sound is not measured yet.
        """
        if by not in WAYS:
            raise InputError(f"by is '{by}'; allowed: {', '.join(WAYS)}")
        if not 1 <= n <= 1000:
            raise InputError(f"n is {n}; allowed: 1 to 1000")
        loaded = self._load()
        work = ""
        if isinstance(query, str):
            work = self._store.piece(query).work
            if query not in loaded.row_of:
                raise NotFoundError(
                    f"the sound of '{query}' is not measured yet; run `troubadour features` to measure pieces"
                )
            query = loaded.rows[loaded.row_of[query]]
        if not loaded.rows:
            raise NotFoundError("no sound is measured yet; run `troubadour features`, or import recordings")
        with one_thread():
            near = loaded.timbre(query) if by == "timbre" else loaded.sound(query)
        found: list[SimilarSound] = []
        for i in np.argsort(-near, kind="stable").tolist():
            row = loaded.rows[i]
            piece = self._store.piece(row.piece)
            if row.piece != query.piece and not (work and piece.work == work) and np.isfinite(near[i]):
                found.append(SimilarSound(piece, float(near[i]), row.origin, dict(row.facts)))
            if len(found) == n:
                break
        return found

    def _load(self) -> _Loaded:
        with self._lock:
            there = self._store.sounds.counts()["sounds"]
            if self._loaded is None or len(self._loaded.rows) != there:
                self._loaded = _Loaded(self._store.sounds.all(VERSION))
            return self._loaded


class _Loaded:
    def __init__(self, rows: list[SoundRow]) -> None:
        self.rows = rows
        self.row_of = {r.piece: i for i, r in enumerate(rows)}
        self._gaussians: Gaussians | None = None
        self._reference: NDArray[np.float64] | None = None

    def timbre(self, query: SoundRow) -> NDArray[np.float64]:
        if self._gaussians is None or self._reference is None:
            means, covariances = (
                [getattr(r, f"timbre_{w}") for r in self.rows] for w in ("mean", "covariance")
            )
            self._gaussians = Gaussians.of(means, covariances)
            self._reference = reference_statistics(self._gaussians, np.random.default_rng(0))
        vector = Gaussians.of([query.timbre_mean], [query.timbre_covariance])
        distances = self._gaussians.distances_from(vector)
        others = distances[[r.piece != query.piece for r in self.rows]]
        own = np.array([others.mean(), max(others.std(), 1e-9)]) if len(others) else np.array([0.0, 1.0])
        return np.asarray(1 - mutual(distances, own, self._reference))

    def sound(self, query: SoundRow) -> NDArray[np.float64]:
        ids = [r.piece for r in self.rows]
        comparable = query.embedding is not None and all(r.encoder == query.encoder for r in self.rows)
        what = "embedding" if comparable else "statistics"
        table = matrix(self.rows, ids, what)
        vector = query.embedding if query.embedding is not None and comparable else query.statistics
        if not comparable:  # standardise, because the features have different units
            mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-6
            table, vector = (table - mean) / spread, (vector - mean) / spread
        near = {f.id: f.similarity for f in VectorIndex.of(ids, table).nearest(vector, max(len(ids), 1))}
        return np.array([near.get(i, np.nan) for i in ids])


def is_recording(path: Path) -> bool:
    """Whether a file's first bytes are those of an audio file; False if the file does not exist."""
    try:
        with path.open("rb") as file:
            return looks_like_audio(file.read(64))
    except OSError:
        return False
