"""One object with all use cases, for the command line, REST and Python; each is carried out elsewhere.

A request uses one `LoadedRelease` from beginning to end; a new release or piece makes a new one for later requests.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Generator, Sequence
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
    GeneratedPiece,
    Generation,
    Result,
)
from troubadour.app.loaded_release import LoadedRelease, ReleaseCache
from troubadour.app.originality import OriginalityReport, originality
from troubadour.app.search import Hit, MelodySearch
from troubadour.catalogue.impressions import ShownItem
from troubadour.catalogue.store import Event, NewPiece, PieceRow, Store
from troubadour.core.errors import InputError, NotFoundError
from troubadour.core.threads import one_thread
from troubadour.export.files import DEFAULT_FORMATS, as_midi, as_musicxml, write_files
from troubadour.export.licensing import check_terms
from troubadour.export.notebook import NotebookPiece
from troubadour.formats.render import MidiRenderer, Renderer
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.protocols import Encoder, require
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Task
from troubadour.interactions.events import History
from troubadour.music.score import Score
from troubadour.recommenders.slate.filters import Filters
from troubadour.recommenders.slate.recommendation import Recommendation, SimilarItem
from troubadour.releases.artefacts import load_corpus
from troubadour.releases.store import Releases
from troubadour.similarity.melody_search.lines import Skyline, query_skyline
from troubadour.similarity.vectors import Where

_REMEMBERED: Final = 10_000
"""Latest events of a listener that a list is made from."""


def _seed(seed: int | None) -> int:
    return secrets.randbelow(2**31) if seed is None else seed


class Studio:
    """All use cases on one home folder.

    Args:
        home: folder of the catalogue and the models; created if missing.
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
        self._loaded = ReleaseCache(home, self.store, self.releases, threads, precision)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Models -----------------------------------------------------------------------------------

    def models(self) -> LoadedRelease:
        """The live release's models, loaded once, with all pieces that were added since.

        Raises:
            NotFoundError: there is no release.
            ModelError: a model is damaged.
        """
        return self._loaded.get()

    # Composing --------------------------------------------------------------------------------

    def compose(
        self,
        brief: Brief,
        *,
        seed: int | None = None,
        listener: str | None = None,
        candidates: int = CANDIDATES,
    ) -> GeneratedPiece:
        """Compose a piece, store it labelled as generated, and make it recommendable at once.

        With a listener, open controls follow their history, and the candidate that the recommender ranks first
        for them is kept. Without one, the candidate that is most typical of its style is kept.

        Raises:
            InputError: the brief cannot be met.
            NotFoundError: no such listener, or no models yet.
        """
        generation = self._generation(listener)
        return self._publish(generation.compose(brief, _seed(seed), candidates), generation.models)

    def stream(
        self, brief: Brief, *, seed: int | None = None, listener: str | None = None
    ) -> Generator[Score | GeneratedPiece, None, None]:
        """Compose one piece bar by bar: at each barline the score so far, at last the stored piece.

        There is one candidate. Closing the iterator stops the composing within a token, and nothing is stored.

        Raises:
            InputError: the brief cannot be met, or the composer cannot stream; before the first bar.
            NotFoundError: no such listener, or no models yet.
        """
        generation = self._generation(listener)
        for part in generation.stream(brief, _seed(seed)):
            yield part if isinstance(part, Score) else self._publish(part, generation.models)

    def compose_to(
        self,
        task: Task,
        brief: Brief,
        *,
        given: str = "",
        seed: int | None = None,
        candidates: int = CANDIDATES_TO_GIVEN,
        accept_terms: bool = False,
    ) -> GeneratedPiece:
        """Continue, infill, harmonise, accompany or vary a piece, and store the result like any composed piece.

        Args:
            task: holds the given piece.
            brief: controls; without a style, that of the given piece if it is in the catalogue.
            given: id of the given piece, or the name of its file.

        Raises:
            InputError: the given piece does not allow the task or is under terms that were not accepted, two
                controls conflict, or the composer cannot do tasks.
            NotFoundError: no models yet.
        """
        generation = self._generation(None)
        try:
            row = self.store.piece(given)
        except NotFoundError:
            row = None  # the name of a file
        if row is not None:
            # The result holds the given piece's notes, and may be exported.
            check_terms([row], accept_terms)
        result = generation.compose_to(task, brief, row or given, _seed(seed), candidates)
        return self._publish(result, generation.models)

    def _generation(self, listener: str | None) -> Generation:
        models = self.models()
        history = self.history(listener, models) if listener else History.empty()
        return Generation(self.store, models, history, listener)

    def _publish(self, result: Result, used: LoadedRelease) -> GeneratedPiece:
        """Store a piece and make it recommendable."""
        made, ranker = result
        self.store.add_pieces([made.piece])
        self._loaded.extend(used, made.piece, ranker)
        return made

    # Recommending -----------------------------------------------------------------------------

    def history(self, listener: str, models: LoadedRelease) -> History:
        """A listener's history: the latest ten thousand events.

        Raises:
            NotFoundError: no such listener.
        """
        return models.ranker.history(self.store.listener_events(listener, _REMEMBERED))

    def unwanted(self, listener: str) -> set[str]:
        """Pieces that no list of a listener may hold, besides those of `history`: blocked, or heard before it.

        Raises:
            NotFoundError: no such listener.
        """
        return self.store.blocks.pieces(listener) | self.store.known_pieces(listener, _REMEMBERED)

    def recommend(self, listener: str, n: int = 10) -> tuple[list[Recommendation], str]:
        """A list for a listener, and the id of the release that made it. All recorded events count.

        Places reserved for new pieces are drawn at random; the draw is the same until the listener's history or the
        release changes. Blocked pieces are never listed. A caller that displays the list records that with
        `shown`.

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
        """Store that a list was shown (rank, release and propensity of each piece); the list's id.

        Raises:
            NotFoundError: no such listener.
        """
        return self.store.impressions.add_list(listener, items, release, slot)

    def similar(self, piece: str, n: int = 10, *, where: Where | None = None) -> list[SimilarItem]:
        """The pieces nearest to one by their content.

        Args:
            where: filter by style, metre, key, mode or generated.

        Raises:
            NotFoundError: no such piece.
            InputError: n is out of range, or no piece passes the filter.
        """
        self.store.piece(piece)
        return similar_by_content(self.models().ranker, piece, n, where=where)

    def similar_by(
        self, by: str, piece: str, n: int = 10, *, where: Where | None = None
    ) -> list[SimilarPiece]:
        """The pieces nearest to one by `embedding` (the composer's hidden states) or by `melody`.

        Raises:
            NotFoundError: no such piece, or no models yet.
            InputError: no such method, n is out of range, no piece passes the filter, or the composer cannot embed.
        """
        if by == "embedding":
            models = self.models()
            encoder = require(models.composer, Encoder, "embed pieces")
            return self.embeddings.nearest(piece, encoder, models.release.parts["composer"], n, where=where)
        if by != "melody":
            raise InputError(f"cannot compare by '{by}'; allowed: content, embedding, melody")
        line = query_skyline(self.store.score(piece))
        fits = self.embeddings.allowed(where) if where else None
        hits = self.melodies.search(line, min(1000, n if fits is None else 20 * n), without=piece)
        kept = [h for h in hits if fits is None or h.piece.id in fits][:n]
        return [SimilarPiece(h.piece, h.match.score, h.match.their_bars) for h in kept]

    # Search and analysis ---------------------------------------------------------------------

    def search(self, query: Skyline | Sequence[Skyline], n: int = 10, *, without: str = "") -> list[Hit]:
        """Pieces that contain a melody, in any key, octave and tempo; see `MelodySearch.search`."""
        return self.melodies.search(query, n, without=without)

    def search_recording(self, path: Path, n: int = 10) -> tuple[HummedQuery, list[Hit]]:
        """The notes of a hummed, whistled or played tune, and the pieces that contain it.

        Raises:
            UnreadableFileError: the recording cannot be read.
            InputError: fewer than four notes are found in it, or n is out of range.
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
        """Store events of listeners; the next list takes them into account."""
        return self.store.record(events)

    # Catalogue and files ---------------------------------------------------------------------

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
        events = self.store.history(listener)
        rows = self.store.pieces_by_id(piece for piece, *_ in events)
        counts = Counter(rows[piece].style or "other" for piece, kind, *_ in events if kind != "skip")
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
        return as_musicxml(self._exportable(piece, accept_terms), self.store.exact_score(piece))

    def midi(self, piece: str, *, accept_terms: bool = False) -> bytes:
        """A piece as MIDI, with its rights, its source and whether a machine composed it.

        Raises:
            NotFoundError: no such piece.
            InputError: it is under terms that were not accepted.
        """
        return as_midi(self._exportable(piece, accept_terms), self.store.exact_score(piece))

    def write_files(
        self,
        piece: str | GeneratedPiece,
        folder: Path,
        *,
        accept_terms: bool = False,
        formats: Sequence[str] = DEFAULT_FORMATS,
        parts: bool = False,
    ) -> dict[str, str]:
        """Write a piece in some formats, MIDI, MusicXML and WAV unless told otherwise; their paths.

        Args:
            piece: an id, or a piece that was just composed, which is written from memory.
            formats: among `files.FORMATS`.
            parts: whether the musicians' parts are written too.

        Raises:
            NotFoundError: no such piece.
            InputError: it is under terms that were not accepted, or a format is unknown.
            MissingExtraError: PDF without typst, PNG without resvg.
            TroubadourError: the folder cannot be written.
        """
        if isinstance(piece, GeneratedPiece):
            row: PieceRow | NewPiece = piece.piece
            score = piece.piece.score
            assert score is not None
        else:
            row, score = self._exportable(piece, accept_terms), self.store.exact_score(piece)
        return write_files(row, score, self.renderer, folder, formats=formats, parts=parts)

    def _exportable(self, piece: str, accept_terms: bool) -> PieceRow:
        """The row of a piece that may be exported."""
        row = self.store.piece(piece)
        check_terms([row], accept_terms)
        return row
