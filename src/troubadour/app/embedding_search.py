"""Similar pieces by content, by the composer's embedding or by melody, with filters.

The embedding is the composer's mean hidden state in a fixed key and tempo. It is computed once per
piece and stored under the composer's hash: a new composer starts a new file.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import ModelError, StorageError
from troubadour.core.files import replacing
from troubadour.core.threads import one_thread
from troubadour.export.licensing import rights
from troubadour.music.score import Score
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.recommenders.slate.recommendation import SimilarItem
from troubadour.similarity.ivf import IvfIndex, quickest
from troubadour.similarity.spaces import standardised
from troubadour.similarity.vectors import VectorIndex, Where

_BATCH: Final = 512


class Embedder(Protocol):
    """Model that maps scores to vectors."""

    def embed(self, scores: list[Score]) -> NDArray[np.float32]:
        """Unit vectors, shape (n, d), float32."""
        ...


@dataclass(frozen=True, slots=True)
class SimilarPiece:
    """Similar piece."""

    piece: PieceRow
    similarity: float
    """Cosine for the embedding; share of the melody found for melody search."""
    bars: tuple[int, int]
    """First and last bar in the found piece, 1-based, inclusive."""

    def to_dict(self) -> dict[str, Any]:
        """Piece, similarity and bars, for JSON."""
        return {
            "id": self.piece.id, "title": self.piece.title, "score": round(self.similarity, 6),
            "bars": list(self.bars), **rights(self.piece),
        }  # fmt: skip


class EmbeddingSearch:
    """Embeddings of a catalogue, computed at the first search.

    Args:
        store: the catalogue.
        folder: cache folder, one file per composer.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._lock = threading.Lock()
        self._made: tuple[tuple[str, ...], VectorIndex | IvfIndex] | None = None

    def nearest(
        self, piece: str, composer: Embedder, artefact: str, n: int = 10, *, where: Where | None = None
    ) -> list[SimilarPiece]:
        """Pieces with the nearest embeddings, without variants of the piece itself.

        Costs about 20 ms for each piece not embedded yet; a search then takes about 1 ms at 5,000 pieces.

        Args:
            piece: id of the query piece.
            composer: model that embeds scores.
            artefact: name of the composer's artefact, under which embeddings are cached.
            n: number of pieces.
            where: filter on style, key, metre, mode, collection, generated.

        Raises:
            NotFoundError: there is no such piece.
            InputError: n is out of range, or no piece has such a fact.
        """
        work = self._store.piece(piece).work
        index = self.index(composer, artefact)
        with one_thread():
            found = index.nearest(index.vector(piece), n, where=where, without=self._variants(piece, work))
        rows = self._store.pieces_by_id(f.id for f in found).values()
        return [
            SimilarPiece(r, f.similarity, (1, int(float(r.attributes.get("bars", 0)))))
            for r, f in zip(rows, found, strict=True)
        ]

    def allowed(self, where: Where) -> set[str]:
        """Ids of the scores that pass a filter.

        Raises:
            InputError: no piece has such a fact.
        """
        rows = self._store.pieces(medium="score")
        facts = VectorIndex.of([r.id for r in rows], np.zeros((len(rows), 1)), [_facts(r) for r in rows])
        return {rows[i].id for i in facts.rows(where).tolist()}

    def _variants(self, piece: str, work: str) -> list[str]:
        return [piece, *(k[0] for k in self._store.works() if work and k[1] == work)]

    def index(self, composer: Embedder, artefact: str) -> VectorIndex | IvfIndex:
        """Index of all scores in the catalogue."""
        with self._lock:
            rows = self._store.pieces(medium="score")
            state = (artefact, *(r.id for r in rows))
            if self._made is None or self._made[0] != state:
                vectors = self._embedded(composer, artefact, [r.id for r in rows])
                # The hidden states share a large common component; without centring all pieces look alike.
                index = VectorIndex.of([r.id for r in rows], standardised(vectors), [_facts(r) for r in rows])
                self._made = (state, quickest(index))
            return self._made[1]

    def _embedded(self, composer: Embedder, artefact: str, ids: Sequence[str]) -> NDArray[np.float32]:
        path = self._folder / f"{artefact}.npz"
        known = _read(path)
        missing = [i for i in ids if i not in known]
        for start in range(0, len(missing), _BATCH):
            some = missing[start : start + _BATCH]
            known.update(zip(some, composer.embed(list(self._store.scores(some))), strict=True))
        if missing:
            _write(path, {i: known[i] for i in ids})
        width = len(next(iter(known.values()), ()))
        return np.array([known[i] for i in ids], dtype=np.float32).reshape(len(ids), width)


def _facts(row: PieceRow) -> dict[str, str | float | bool]:
    known = row.attributes
    return {
        "style": row.style, "collection": row.collection, "generated": row.generated,
        **{name: known[name] for name in ("key", "metre", "mode") if name in known},
    }  # fmt: skip


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(zip(arrays["ids"].tolist(), arrays["vectors"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: the embeddings cannot be read: {error}; delete the file, it is made again"
        ) from error


def _write(path: Path, vectors: dict[str, NDArray[np.float32]]) -> None:
    """Replace the cache file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez(
                file, allow_pickle=False, ids=np.array(list(vectors), dtype=np.str_),
                vectors=np.array(list(vectors.values()), dtype=np.float32),
            )  # fmt: skip
    except OSError as error:
        raise StorageError(f"{path}: embeddings cannot be written: {error.strerror}") from error


def similar_by_content(
    ranker: Ranker, piece: str, n: int, *, where: Where | None = None
) -> list[SimilarItem]:
    """Pieces most similar by content; with `where` only pieces with these facts.

    Args:
        ranker: recommender with the content model.
        piece: id of the query piece.
        n: number of pieces.
        where: filter on facts.

    Raises:
        InputError: n is out of range, or no piece has such a fact.
    """
    with one_thread():
        if not where:
            return ranker.similar(piece, n)
        facts = [{**info.attributes, "generated": info.generated} for info in ranker.infos]
        content = ranker.blend.content
        units = content.units if content else np.zeros((len(facts), 1), dtype=np.float32)
        others = VectorIndex.of(list(ranker.items), units, facts).rows(where)
        allowed = np.zeros(len(facts), dtype=bool)
        allowed[others] = True
        barred = [ranker.items.id(row) for row in np.flatnonzero(~allowed).tolist()]
        return ranker.similar(piece, n, exclude=barred)
