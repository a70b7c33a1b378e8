"""The models of the live release, kept in memory together with a ranker for the catalogue as it is now."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import NewPiece, Store
from troubadour.core.errors import NotFoundError
from troubadour.generation.loading import load_composer
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.originality import Corpus
from troubadour.generation.protocols import Composer
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.artefacts import info_of, load_corpus, load_ranker
from troubadour.releases.store import Release, Releases


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """Models of one release, and the ranker for the catalogue as it was when they were handed out."""

    release: Release
    composer: Composer
    ranker: Ranker
    corpus: Corpus


class ReleaseCache:
    """Loads the live release once, and extends its ranker by each new piece.

    Args:
        home: for messages.
        threads: CPU threads for composing.
        precision: of the composer's weights while it runs.
    """

    def __init__(
        self, home: Path, store: Store, releases: Releases, threads: int = 1, precision: Precision = FULL
    ) -> None:
        self._home, self._store, self._releases = home, store, releases
        self._threads, self._precision = threads, precision
        self._loaded: LoadedRelease | None = None
        self._lock = threading.Lock()

    def get(self) -> LoadedRelease:
        """The live release's models, with all pieces that were added since.

        Raises:
            NotFoundError: there is no release.
            ModelError: a model is damaged.
        """
        with self._lock:
            live = self._releases.live()
            if live is None:
                raise NotFoundError(
                    f"{self._home} holds no models yet; run `troubadour demo` or `troubadour import`"
                )
            if self._loaded is None or self._loaded.release.id != live.id:
                self._loaded = self._load(live)
            return self._loaded

    def extend(self, used: LoadedRelease, piece: NewPiece, ranker: Ranker) -> None:
        """Make a new piece recommendable.

        Args:
            used: the models that it was composed with.
            ranker: `used.ranker`, extended by the piece.
        """
        with self._lock:
            current = self._loaded
            if current is used:
                self._loaded = replace(current, ranker=ranker)
            elif current is not None and piece.id not in current.ranker.items:
                # Another piece or release came in the meantime: its ranker is extended instead.
                assert piece.vector is not None
                info = ranker.infos[ranker.items.row(piece.id)]
                grown = current.ranker.with_items([piece.id], piece.vector[None], [info])
                self._loaded = replace(current, ranker=grown)

    def _load(self, release: Release) -> LoadedRelease:
        folders = {part: self._releases.folder(name) for part, name in release.parts.items()}
        composer = load_composer(folders["composer"], self._threads, self._precision)
        ranker = self._caught_up(load_ranker(folders["recommender"]))
        return LoadedRelease(release, composer, ranker, load_corpus(folders["corpus"]))

    def _caught_up(self, ranker: Ranker) -> Ranker:
        """The ranker with the pieces that were added to the catalogue after it was fitted."""
        rows = [p for p in self._store.pieces() if p.id not in ranker.items]
        if not rows:
            return ranker
        vectors = item_vectors(self._store)[[p.row for p in rows]]
        if ranker.blend.content is not None:  # older releases have no columns for sound
            vectors = vectors[:, : ranker.blend.content.units.shape[1]]
        return ranker.with_items([p.id for p in rows], vectors, [info_of(p) for p in rows])
