"""The use cases: compose, recommend, find similar pieces, record, status. Every face calls these.

A request takes one set of models and keeps it to its end; a new release or a new piece makes a
new set, which later requests take.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from troubadour.analysis.report import Analysis
from troubadour.app.analysis import AnalysisService
from troubadour.app.audio_library.audio_search import AudioSearch
from troubadour.app.audio_library.humming import HummedQuery
from troubadour.app.embedding_search import EmbeddingSearch, SimilarPiece, similar_by_content
from troubadour.app.generate import (
    CANDIDATES,
    CANDIDATES_TO_GIVEN,
    Composed,
    Composition,
    LoadedRelease,
    Made,
)
from troubadour.app.originality import OriginalityReport, originality
from troubadour.app.search import Hit, MelodySearch
from troubadour.catalogue.impressions import ShownItem
from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import KINDS, Event, PieceRow, Store
from troubadour.core.errors import InputError, NotFoundError
from troubadour.core.threads import one_thread
from troubadour.export.files import DEFAULT_FORMATS, as_midi, as_musicxml, write_files
from troubadour.export.licensing import check_terms
from troubadour.export.notebook import NotebookPiece
from troubadour.formats.render import MidiRenderer, Renderer
from troubadour.generation.autoregressive import load_composer
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Task
from troubadour.interactions.events import History
from troubadour.music.score import Score
from troubadour.recommenders.slate.filters import Filters
from troubadour.recommenders.slate.ranker import Ranker, Recommendation, SimilarItem
from troubadour.releases.artefacts import info_of, load_corpus, load_ranker
from troubadour.releases.store import Release, Releases
from troubadour.similarity.melody_search.lines import Skyline, query_skyline
from troubadour.similarity.vectors import Where

_REMEMBERED: Final = 10_000
"""Events of one listener that a list is made from."""


def _seed(seed: int | None) -> int:
    return secrets.randbelow(2**31) if seed is None else seed


class Studio:
    """All use cases on one home folder.

    Args:
        home: where the store and the models live; made if it is not there.
        threads: CPU threads for composing.
        precision: of the composer's weights while it runs.
    """

    def __init__(
        self,
        home: Path,
        threads: int = 1,
        renderer: Renderer | None = None,
        precision: Precision = FULL,
    ) -> None:
        self.home, self.threads, self.precision = home, threads, precision
        self.renderer = renderer or MidiRenderer()
        self.store = Store.open(home)
        self.releases = Releases(home)
        self.melodies = MelodySearch(self.store)
        self.analysis = AnalysisService(self.store, self.releases)
        self.embeddings = EmbeddingSearch(self.store, home / "models" / "embeddings")
        self.audio = AudioSearch(self.store)
        self._models: LoadedRelease | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Models -----------------------------------------------------------------------------------

    def models(self) -> LoadedRelease:
        """The live release's models, loaded once, with all pieces that came since.

        Raises:
            NotFoundError: nothing was set up yet.
            ModelError: a model is damaged.
        """
        with self._lock:
            live = self.releases.live()
            if live is None:
                raise NotFoundError(
                    f"{self.home} holds no models yet; run `troubadour demo` or `troubadour import`"
                )
            if self._models is None or self._models.release.id != live.id:
                self._models = self._load(live)
            return self._models

    def _load(self, release: Release) -> LoadedRelease:
        composer = load_composer(
            self.releases.folder(release.parts["composer"]), self.threads, self.precision
        )
        ranker = load_ranker(self.releases.folder(release.parts["recommender"]))
        corpus = load_corpus(self.releases.folder(release.parts["corpus"]))
        return LoadedRelease(release, composer, self._caught_up(ranker), corpus)

    def _caught_up(self, ranker: Ranker) -> Ranker:
        """The ranker with pieces that came into the catalogue after it was fitted."""
        rows = [p for p in self.store.pieces() if p.id not in ranker.items]
        if not rows:
            return ranker
        vectors = item_vectors(self.store)[[p.row for p in rows]]
        if ranker.blend.content is not None:  # a release of an earlier version knows notes alone
            vectors = vectors[:, : ranker.blend.content.units.shape[1]]
        return ranker.with_items([p.id for p in rows], vectors, [info_of(p) for p in rows])

    # Composing --------------------------------------------------------------------------------

    def compose(
        self,
        brief: Brief,
        *,
        seed: int | None = None,
        listener: str | None = None,
        candidates: int = CANDIDATES,
    ) -> Composed:
        """Compose a piece, store it labelled as generated, and make it recommendable at once.

        For a listener, their taste fills what the brief leaves open, and of several candidates the
        one is kept that the recommender ranks first for them; without one, the one that is most
        typical of its style.

        Raises:
            InputError: the brief cannot be met.
            NotFoundError: no such listener, or no models yet.
        """
        models = self.models()
        history = self.history(listener, models) if listener else History.empty()
        composition = Composition(self.store, models, history, listener)
        return self._publish(composition.compose(brief, _seed(seed), candidates))

    def stream(
        self, brief: Brief, *, seed: int | None = None, listener: str | None = None
    ) -> Generator[Score | Composed, None, None]:
        """Compose one piece and show it as it grows: at each barline the score so far, at last the stored piece.

        There is one candidate, of which nothing is thrown away. Closing the iterator stops the
        composing within a token, and nothing is stored.

        Raises:
            InputError: the brief cannot be met; before the first bar.
            NotFoundError: no such listener, or no models yet.
        """
        models = self.models()
        history = self.history(listener, models) if listener else History.empty()
        for grown in Composition(self.store, models, history, listener).stream(brief, _seed(seed)):
            yield self._publish(grown) if isinstance(grown, Made) else grown

    def compose_to(
        self,
        task: Task,
        brief: Brief,
        *,
        given: str = "",
        seed: int | None = None,
        candidates: int = CANDIDATES_TO_GIVEN,
        accept_terms: bool = False,
    ) -> Composed:
        """Continue, infill, harmonise, accompany or vary a piece; stored like one that was composed.

        Args:
            task: with the given piece in it.
            brief: controls; style is the given piece's where it is in the catalogue and none is asked for.
            given: id of the given piece, or the name of its file.

        Raises:
            InputError: the given piece does not allow the task, is under terms that were not accepted, or two
                demands clash.
            NotFoundError: no models yet.
        """
        models = self.models()
        try:
            row = self.store.piece(given)
        except NotFoundError:
            row = None  # the name of a file
        if row is not None:
            # What is composed holds the given piece's notes, and may leave the house.
            check_terms([row], accept_terms)
        composition = Composition(self.store, models, History.empty(), None)
        return self._publish(composition.compose_to(task, brief, row or given, _seed(seed), candidates))

    def _publish(self, made: Made) -> Composed:
        self.store.add_pieces([made.piece])
        with self._lock:
            current = self._models
            if current is not None and made.piece.id not in current.ranker.items:
                assert made.piece.vector is not None
                ranker = current.ranker.with_items([made.piece.id], made.piece.vector[None], [made.info])
                self._models = replace(current, ranker=ranker)
        return made.composed

    # Recommending -----------------------------------------------------------------------------

    def history(self, listener: str, models: LoadedRelease) -> History:
        """What a listener did up to now, of more than ten thousand events the newest.

        Raises:
            NotFoundError: no such listener.
        """
        found = self.store.history(listener, _REMEMBERED)
        events = [e for e in reversed(found) if e[0] in models.ranker.items]
        return models.ranker.history(
            [e[0] for e in events],
            [KINDS.index(e[1]) for e in events],
            [np.nan if e[2] is None else e[2] for e in events],
            [e[3] for e in events],
        )

    def unwanted(self, listener: str) -> set[str]:
        """What is in no list of a listener beside what their `history` holds: blocked, or met long ago.

        Raises:
            NotFoundError: no such listener.
        """
        return self.store.blocks.pieces(listener) | self.store.met_by(listener, _REMEMBERED)

    def recommend(self, listener: str, n: int = 10) -> tuple[list[Recommendation], str]:
        """A list for a listener, and the release that made it. A play a second ago counts.

        The places that are kept for new pieces are left to chance, which stays the same until the
        listener does something or the release changes. What they blocked is never in the list.
        Whoever shows the list should say so with `shown`.

        Raises:
            NotFoundError: no such listener.
            InputError: n is out of range.
        """
        models = self.models()
        history = self.history(listener, models)
        state = f"{models.release.id} {listener} {history.items.tolist()} {history.weights.tolist()}"
        digest = hashlib.sha256(state.encode()).digest()
        filters = Filters(pieces=frozenset(self.unwanted(listener)))
        with one_thread():
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            return models.ranker.recommend(history, n, filters=filters, rng=rng), models.release.id

    def shown(self, listener: str, items: Sequence[ShownItem], release: str, *, slot: str = "for-you") -> str:
        """Store that a list was shown: rank, release and propensity of each piece. Its id.

        Raises:
            NotFoundError: no such listener.
        """
        return self.store.impressions.add_list(listener, items, release, slot)

    def similar(self, piece: str, n: int = 10, *, where: Where | None = None) -> list[SimilarItem]:
        """The pieces nearest to one by their content.

        Args:
            where: only pieces with these facts: style, metre, key, mode, generated.

        Raises:
            NotFoundError: no such piece.
            InputError: n is out of range, or no piece has such a fact.
        """
        self.store.piece(piece)
        return similar_by_content(self.models().ranker, piece, n, where=where)

    def similar_by(
        self, by: str, piece: str, n: int = 10, *, where: Where | None = None
    ) -> list[SimilarPiece]:
        """The pieces nearest to one by `embedding` (the composer's hidden states) or by `melody`.

        Raises:
            NotFoundError: no such piece, or no models yet.
            InputError: there is no such way, n is out of range, or no piece has such a fact.
        """
        if by == "embedding":
            models = self.models()
            return self.embeddings.nearest(
                piece, models.composer, models.release.parts["composer"], n, where=where
            )
        if by != "melody":
            raise InputError(f"cannot compare by '{by}'; allowed: content, embedding, melody")
        line = query_skyline(self.store.score(piece))
        fits = self.embeddings.allowed(where) if where else None
        hits = self.melodies.search(line, min(1000, n if fits is None else 20 * n), without=piece)
        kept = [h for h in hits if fits is None or h.piece.id in fits][:n]
        return [SimilarPiece(h.piece, h.match.score, h.match.their_bars) for h in kept]

    # Search and analysis ---------------------------------------------------------------------

    def search(self, query: Skyline | Sequence[Skyline], n: int = 10, *, without: str = "") -> list[Hit]:
        """The pieces in which a melody stands, in any key, octave and tempo; see `MelodySearch.search`."""
        return self.melodies.search(query, n, without=without)

    def search_recording(self, path: Path, n: int = 10) -> tuple[HummedQuery, list[Hit]]:
        """What was heard of a tune that was hummed, whistled or played, and the pieces in which it stands.

        Raises:
            UnreadableFileError: the recording cannot be read.
            InputError: fewer than four notes are heard in it, or n is out of range.
        """
        heard = self.audio.melody(path)
        return heard, self.search(heard.queries(), n)

    def analyse(self, score: Score) -> Analysis:
        """Key, metre, chords, form, style, mood and difficulty of a quantised score, with evidence."""
        return self.analysis.analyse(score)

    def originality(self, score: Score, n: int = 5, *, without: str = "") -> OriginalityReport:
        """The longest passages that a quantised score shares with the catalogue's human pieces."""
        live = self.releases.live()
        if live is None:
            raise NotFoundError(f"{self.home} holds no models yet; run `troubadour import`")
        corpus = load_corpus(self.releases.folder(live.parts["corpus"]))
        return originality(self.store, self.releases, score, corpus, n, without=without)

    def record(self, events: Sequence[Event]) -> int:
        """Store what listeners did; the next list takes it into account."""
        return self.store.record(events)

    # Looking ----------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Counts and the live release."""
        live = self.releases.live()
        return {
            **self.store.counts(),
            **self.store.sounds.counts(),
            "release": live.id if live else None,
            "home": str(self.home),
        }

    def liked_styles(self, listener: str) -> list[tuple[str, int]]:
        """How often a listener played each style, most first."""
        rows = {p.id: p for p in self.store.pieces()}
        counts = Counter(
            rows[piece].style or "other"
            for piece, kind, _, _ in self.store.history(listener)
            if kind != "skip"
        )
        return counts.most_common()

    def piece(self, piece: str) -> NotebookPiece:
        """A piece with its notes and facts; a notebook shows its score, a player and its rights.

        Raises:
            NotFoundError: no such piece.
        """
        return NotebookPiece(self.store.piece(piece), self.store.score(piece), self.renderer)

    def musicxml(self, piece: str, *, accept_terms: bool = False) -> str:
        """A piece as MusicXML, with its rights, its source and whether a machine composed it.

        Raises:
            NotFoundError: no such piece.
            InputError: it is under terms that were not accepted.
        """
        return as_musicxml(self._leaving(piece, accept_terms), self.store.exact_score(piece))

    def midi(self, piece: str, *, accept_terms: bool = False) -> bytes:
        """A piece as MIDI, with its rights, its source and whether a machine composed it.

        Raises:
            NotFoundError: no such piece.
            InputError: it is under terms that were not accepted.
        """
        return as_midi(self._leaving(piece, accept_terms), self.store.exact_score(piece))

    def write_files(
        self,
        piece: str,
        folder: Path,
        *,
        accept_terms: bool = False,
        formats: Sequence[str] = DEFAULT_FORMATS,
        parts: bool = False,
    ) -> dict[str, str]:
        """Write a piece in some formats, MIDI, MusicXML and WAV unless told otherwise; their paths.

        Args:
            formats: among `files.FORMATS`.
            parts: whether the musicians' parts are written too.

        Raises:
            NotFoundError: no such piece.
            InputError: it is under terms that were not accepted, or a format is unknown.
            MissingExtraError: PDF without typst, PNG without resvg.
            TroubadourError: the folder cannot be written.
        """
        row = self._leaving(piece, accept_terms)
        score = self.store.exact_score(piece)
        return write_files(row, score, self.renderer, folder, formats=formats, parts=parts)

    def _leaving(self, piece: str, accept_terms: bool) -> PieceRow:
        """A piece that may leave the house."""
        row = self.store.piece(piece)
        check_terms([row], accept_terms)
        return row
