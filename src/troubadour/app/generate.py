"""The use cases of composing: to a brief, to a listener's taste, to a given piece.

Nothing is stored here: `studio` stores the piece that is returned.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.app.loaded_release import LoadedRelease
from troubadour.catalogue.importing import piece_id
from troubadour.catalogue.store import NewPiece, PieceRow, Store
from troubadour.generation.cadence import cadence_strength
from troubadour.generation.originality import SharedPassage
from troubadour.generation.protocols import Streaming, TaskComposer, require
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Accompany, Continue, Harmonise, Infill, Reharmonise, Task, Vary
from troubadour.interactions.events import History
from troubadour.music.exact import at_exact_tempo, at_tempo, kept_exact, on_grid
from troubadour.music.features import attributes, feature_vector
from troubadour.music.fingerprint import fingerprint, grams
from troubadour.music.score import Score
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker

CANDIDATES: Final = 8
"""Pieces composed for each piece that is kept."""
CANDIDATES_TO_GIVEN: Final = 4
"""Likewise for a task, where the given piece leaves less to choose."""
BORROWED_NOTES: Final = 16
"""Longest passage, in notes, that a candidate may share with one piece of the catalogue. Of the tunes in
the built-in collections 95 of 100 share no longer one with any tune that is not a variant of them."""
_CLOSE: Final = 0.15
"""Candidates whose cadence is weaker than the strongest by more than this are dropped."""
_INFLUENCES: Final = 3
_TASKS: Final[dict[type, str]] = {
    Continue: "continuation", Infill: "infilling", Harmonise: "harmonisation", Accompany: "accompaniment",
    Reharmonise: "new harmony", Vary: "variation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a piece was composed."""

    brief: Brief
    """Complete: with the controls that were open decided."""
    seed: int
    release: str
    match: SharedPassage
    """Longest passage in common with the music of the catalogue, the given piece left out."""
    match_title: str
    listener: str | None = None
    influences: tuple[tuple[str, str], ...] = ()
    """Id and title of the listener's pieces that are nearest."""
    task: str = ""
    """`continuation`, `infilling` ...; empty without a given piece."""
    given: str = ""
    """Id of the given piece, or the name of its file."""

    def to_json(self) -> dict[str, Any]:
        """For the catalogue."""
        match = {"notes": self.match.notes, "piece": self.match.piece, "title": self.match_title}
        return {
            "release": self.release,
            "seed": self.seed,
            "controls": self.brief.controls(),
            "listener": self.listener,
            "influences": [{"id": i, "title": title} for i, title in self.influences],
            "longest_match": match,
            **({"task": self.task, "given": self.given} if self.task else {}),
        }


@dataclass(frozen=True, slots=True)
class GeneratedPiece:
    """A composed piece with its provenance, as catalogue, ranker and files take it."""

    piece: NewPiece
    """As it is stored, with the exact score."""
    score: Score
    """On the composing grid, at the exact tempo."""
    provenance: Provenance
    seconds: float
    """Time that composing took."""

    @property
    def id(self) -> str:
        """Id in the catalogue."""
        return self.piece.id

    @property
    def title(self) -> str:
        """Title in the catalogue."""
        return self.piece.title

    def to_json(self, files: Mapping[str, str]) -> dict[str, Any]:
        """For people and programs.

        Args:
            files: paths or addresses by kind: `midi`, `musicxml`, `wav` ...
        """
        made = self.provenance
        return {
            "id": self.id,
            "title": self.title,
            "files": dict(files),
            "seed": made.seed,
            "release": made.release,
            "controls": made.brief.controls(),
            "longest_match": {
                "notes": made.match.notes,
                "piece": made.match.piece,
                "title": made.match_title,
                "bars": list(made.match.bars),
                "their_bars": list(made.match.their_bars),
            },
            "influences": [title for _, title in made.influences],
            "generated": True,
            **({"task": made.task, "given": made.given} if made.task else {}),
            "duration_seconds": round(self.score.seconds, 2),
            "seconds": round(self.seconds, 3),
        }


Result = tuple[GeneratedPiece, Ranker]
"""A composed piece, and the ranker that it was composed with extended by it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """All ways to compose, with one set of models and for one listener or none."""

    store: Store
    models: LoadedRelease
    history: History
    listener: str | None

    def compose(self, brief: Brief, seed: int, candidates: int) -> Result:
        """A piece from nothing; see `Studio.compose`."""
        started, models = time.monotonic(), self.models
        rng = np.random.default_rng(seed)
        brief = self._complete(brief, rng)
        scores = models.composer.compose(brief, rng, candidates, models.corpus)
        matches = [models.corpus.longest_match(s) for s in scores]
        kept = [i for i, m in enumerate(matches) if m.notes <= BORROWED_NOTES]
        kept = kept or [min(range(len(scores)), key=lambda i: matches[i].notes)]
        # Candidates are ordered by likelihood; the unlikelier half holds most of the mistakes.
        kept = kept[: (len(kept) + 1) // 2]
        closes = [cadence_strength(scores[i]) for i in kept]
        kept = [i for i, close in zip(kept, closes, strict=True) if close >= max(closes) - _CLOSE]
        best = kept[self._best([scores[i] for i in kept], brief)]
        score = at_tempo(scores[best], brief.tempo_bpm)
        return self._generated(score, _title(score, brief), brief, seed, matches[best], started)

    def stream(self, brief: Brief, seed: int) -> Iterator[Score | Result]:
        """One piece as it grows; see `Studio.stream`."""
        started, models = time.monotonic(), self.models
        composer = require(models.composer, Streaming, "stream bar by bar")
        rng = np.random.default_rng(seed)
        brief = self._complete(brief, rng)
        score = None
        for score in composer.stream(brief, rng, models.corpus):
            yield score
        assert score is not None
        score = at_tempo(score, brief.tempo_bpm)
        match = models.corpus.longest_match(score)
        yield self._generated(score, _title(score, brief), brief, seed, match, started)

    def compose_to(
        self, task: Task, brief: Brief, given: PieceRow | str, seed: int, candidates: int
    ) -> Result:
        """A task on a piece of the catalogue, or on a file by its name; see `Studio.compose_to`."""
        started, models = time.monotonic(), self.models
        composer = require(models.composer, TaskComposer, "compose to a given piece")
        if isinstance(given, str):
            name, title, rights = given, given.rsplit(".", 1)[0] or "a given piece", "unknown"
        else:
            name, title, rights = given.id, given.title, given.licence or "unknown"
            if brief.style is None and given.style in models.composer.styles and _keeps_style(task):
                brief = replace(brief, style=given.style)
        rng = np.random.default_rng(seed)
        score = composer.run_task(task, brief, rng, candidates, models.corpus)[0]
        match = models.corpus.longest_match(on_grid(score), without=name)
        done = _TASKS.get(type(task), "work")
        return self._generated(
            score, f"{title}: {done}", brief, seed, match, started, task=done, given=name, rights=rights
        )

    def taste(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """Fill the open controls of a brief from the listener's history.

        One of the liked pieces is drawn, with a probability that grows with weight and recency, among those of a
        style that the composer knows and that agree with the brief. Style, metre, key and tempo are taken from
        the same piece because they depend on each other.
        """
        history, models = self.history, self.models
        weight = (
            np.clip(history.weights, 0.0, None) * np.linspace(0.5, 1.0, max(len(history), 1))[: len(history)]
        )
        styles = models.composer.styles
        for i, row in enumerate(history.items.tolist()):
            known = models.ranker.infos[row].attributes
            fits = str(known.get("style", "")) in styles and not models.ranker.infos[row].generated
            fits &= "metre" in known  # a recording has no notes to read it from
            fits &= brief.style is None or known.get("style") == brief.style
            fits &= brief.metre is None or known.get("metre") == f"{brief.metre[0]}/{brief.metre[1]}"
            weight[i] *= float(fits)
        if not weight.sum():
            return brief
        row = int(rng.choice(history.items, p=weight / weight.sum()))
        known = models.ranker.infos[row].attributes
        score = self.store.score(models.ranker.items.id(row))
        metre, key = score.metres[0], score.keys[0]
        return replace(
            brief,
            style=brief.style or str(known["style"]),
            metre=brief.metre or (metre.numerator, metre.denominator),
            key=brief.key or (key.fifths, key.mode),
            tempo_bpm=brief.tempo_bpm or score.tempos[0].bpm,
        )

    def _complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        if self.listener:
            brief = self.taste(brief, rng)
        return self.models.composer.complete(brief, rng)

    def _best(self, scores: list[Score], brief: Brief) -> int:
        """Index of the candidate that the recommender ranks first; without a history the most typical one."""
        content = self.models.ranker.blend.content
        if len(scores) == 1:
            return 0
        style = brief.style or ""
        vectors = np.stack([feature_vector(s, style) for s in scores])
        if len(self.history):
            names = [f"candidate-{i}" for i in range(len(scores))]
            ranker = self.models.ranker.with_items(names, vectors, [ItemInfo(generated=True) for _ in scores])
            return int(np.argmax(ranker.score([self.history], ranker.items.rows(names))[0]))
        if content is None:
            return 0
        infos = self.models.ranker.infos
        units = content.extended(vectors).units
        same = [i for i, info in enumerate(infos) if info.attributes.get("style", "") == style]
        if not style:
            same += range(len(infos), len(units))
        # A style without pieces is compared with the whole catalogue.
        centre = units[same or slice(None)].mean(axis=0)
        return int(np.argmax(units[-len(scores) :] @ centre))

    def _generated(
        self,
        exact: Score,
        title: str,
        brief: Brief,
        seed: int,
        match: SharedPassage,
        started: float,
        *,
        task: str = "",
        given: str = "",
        rights: str = "",
    ) -> Result:
        exact = kept_exact(exact)
        score = on_grid(exact)
        release = self.models.release.id
        found = attributes(score)
        vector = feature_vector(score, brief.style or "")
        identity = "g" + piece_id(exact, "", release, str(seed))[:11]
        title = f"{title} ({identity[1:5]})"
        described = {**found, "style": brief.style or ""}
        info = ItemInfo(title, identity, "Troubadour", described, generated=True, artist="Troubadour")
        ranker = self.models.ranker
        if identity not in ranker.items:
            ranker = ranker.with_items([identity], vector[None], [info])
        provenance = Provenance(
            brief,
            seed,
            release,
            match,
            self.store.piece(match.piece).title if match.piece else "",
            self.listener,
            self._influences(ranker, identity),
            task,
            given,
        )
        piece = NewPiece(
            id=identity,
            title=title,
            score=exact,
            work=identity,
            split="none",
            fingerprint=fingerprint(score),
            grams=grams(score),
            attributes=found,
            vector=vector,
            composer=f"Troubadour ({self.models.composer.name}, release {release})",
            style=brief.style or "",
            collection="generated",
            source=f"composed by Troubadour, seed {seed}" + (f", to {given}" if given else ""),
            licence="generated; no rights claimed"
            + (f"; rights in the given piece remain ({rights})" if task else ""),
            generated=True,
            provenance=provenance.to_json(),
        )
        shown = at_exact_tempo(score, exact)
        return GeneratedPiece(piece, shown, provenance, time.monotonic() - started), ranker

    def _influences(self, ranker: Ranker, identity: str) -> tuple[tuple[str, str], ...]:
        """Id and title of the liked pieces that are nearest to the new one."""
        history, content = self.history, ranker.blend.content
        liked = history.items[history.weights > 0]
        if not len(liked) or content is None:
            return ()
        units: NDArray[np.float32] = content.units
        near = units[liked] @ units[ranker.items.row(identity)]
        rows = liked[np.argsort(-near)[:_INFLUENCES]].tolist()
        return tuple((ranker.items.id(r), ranker.infos[r].title) for r in rows)


def _title(score: Score, brief: Brief) -> str:
    return f"{(brief.style or 'piece').capitalize()} in {score.keys[0].name}"


def _keeps_style(task: Task) -> bool:
    """Whether the result is of the given piece's style; a harmony has a style of its own."""
    return not isinstance(task, Harmonise | Accompany | Reharmonise)


__all__ = [
    "BORROWED_NOTES",
    "CANDIDATES",
    "CANDIDATES_TO_GIVEN",
    "GeneratedPiece",
    "Generation",
    "Provenance",
    "Result",
]
