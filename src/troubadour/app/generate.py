"""The use cases of composing: to a brief, to a listener's taste, to a given piece; chosen, compared, labelled.

Nothing is stored here: `studio` stores what was made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.catalogue.importing import piece_id
from troubadour.catalogue.store import NewPiece, PieceRow, Store
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.cadence import cadence_strength
from troubadour.generation.originality import Corpus, SharedPassage
from troubadour.generation.request import Brief
from troubadour.generation.tasks import (
    Accompany,
    Continue,
    Harmonise,
    Infill,
    Reharmonise,
    Task,
    Vary,
    run_task,
)
from troubadour.interactions.events import History
from troubadour.music.exact import at_exact_tempo, at_tempo, kept_exact, on_grid
from troubadour.music.features import attributes, feature_vector
from troubadour.music.fingerprint import fingerprint, grams
from troubadour.music.instruments import NAMES
from troubadour.music.score import Key, Score
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.store import Release

CANDIDATES: Final = 8
"""Pieces that are composed for one that is kept."""
CANDIDATES_TO_GIVEN: Final = 4
"""Likewise where a piece is given: that leaves less to choose."""
BORROWED_NOTES: Final = 16
"""Longest passage, in notes, that a candidate may share with one piece of the catalogue. Of the tunes in
the built-in collections 95 of 100 share no longer one with any tune that is not a variant of them."""
_CLOSE: Final = 0.15
"""Candidates that end less well than the best by more than this are dropped."""
_DONE: Final[dict[type, str]] = {
    Continue: "continuation", Infill: "infilling", Harmonise: "harmonisation", Accompany: "accompaniment",
    Reharmonise: "new harmony", Vary: "variation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """What one request works with."""

    release: Release
    composer: AutoregressiveComposer
    ranker: Ranker
    corpus: Corpus


@dataclass(frozen=True, slots=True)
class Composed:
    """A new piece, stored and ready to be recommended."""

    id: str
    title: str
    score: Score
    """On the composing grid, at the exact tempo; the store has it exactly."""
    brief: Brief
    """What it was composed to, with everything that was left open decided."""
    seed: int
    release: str
    match: SharedPassage
    """Its longest passage in common with the music of the catalogue, the given piece left out."""
    match_title: str
    influences: tuple[str, ...]
    """Titles of the listener's pieces that are nearest to it."""
    seconds: float
    """How long composing took."""
    task: str = ""
    """What was done to a given piece: `continuation`, `infilling` ...; empty for one from nothing."""
    given: str = ""
    """Id of the given piece, or the name of its file."""

    def controls(self) -> dict[str, Any]:
        """The controls it was composed to, for JSON."""
        return controls_of(self.brief)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a piece was composed to."""

    task: str
    given: str
    rights: str
    """Terms of the given piece."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new piece as its maker and as the store see it."""

    composed: Composed
    piece: NewPiece
    info: ItemInfo


@dataclass(frozen=True, slots=True)
class Composition:
    """All ways to compose, with one set of models and for one listener or none."""

    store: Store
    models: LoadedRelease
    history: History
    listener: str | None

    def compose(self, brief: Brief, seed: int, candidates: int) -> Made:
        """A piece from nothing; see `Studio.compose`."""
        started, models = time.monotonic(), self.models
        rng = np.random.default_rng(seed)
        if self.listener:
            brief = self.taste(brief, rng)
        brief = models.composer.complete(brief, rng)
        scores = models.composer.compose(brief, rng, candidates, models.corpus)
        matches = [models.corpus.longest_match(s) for s in scores]
        kept = [i for i, m in enumerate(matches) if m.notes <= BORROWED_NOTES]
        kept = kept or [min(range(len(scores)), key=lambda i: matches[i].notes)]
        # Candidates come with the likeliest first; the unlikelier half is where mistakes are.
        kept = kept[: (len(kept) + 1) // 2]
        closes = [cadence_strength(scores[i]) for i in kept]
        kept = [i for i, close in zip(kept, closes, strict=True) if close >= max(closes) - _CLOSE]
        best = kept[self._best([scores[i] for i in kept], brief)]
        score = at_tempo(scores[best], brief.tempo_bpm)
        title = f"{(brief.style or 'piece').capitalize()} in {score.keys[0].name}"
        return self._made(score, title, brief, seed, matches[best], started)

    def stream(self, brief: Brief, seed: int) -> Iterator[Score | Made]:
        """One piece as it grows; see `Studio.stream`."""
        started, models = time.monotonic(), self.models
        rng = np.random.default_rng(seed)
        if self.listener:
            brief = self.taste(brief, rng)
        brief = models.composer.complete(brief, rng)
        score = None
        for score in models.composer.stream(brief, rng, models.corpus):
            yield score
        assert score is not None
        score = at_tempo(score, brief.tempo_bpm)
        title = f"{(brief.style or 'piece').capitalize()} in {score.keys[0].name}"
        yield self._made(score, title, brief, seed, models.corpus.longest_match(score), started)

    def compose_to(self, task: Task, brief: Brief, given: PieceRow | str, seed: int, candidates: int) -> Made:
        """Something to a given piece of the catalogue, or to a file by its name; see `Studio.compose_to`."""
        started, models = time.monotonic(), self.models
        if isinstance(given, str):
            name, title, rights = given, given.rsplit(".", 1)[0] or "a given piece", "unknown"
        else:
            name, title, rights = given.id, given.title, given.licence or "unknown"
            if brief.style is None and given.style in models.composer.styles and _keeps_style(task):
                brief = replace(brief, style=given.style)
        rng = np.random.default_rng(seed)
        score = run_task(models.composer, task, brief, rng, candidates, models.corpus)[0]
        match = models.corpus.longest_match(on_grid(score), without=name)
        origin = Origin(_DONE.get(type(task), "work"), name, rights)
        return self._made(score, f"{title}: {origin.task}", brief, seed, match, started, origin)

    def taste(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """Fill what a brief leaves open from what the listener likes.

        One of the pieces they like is drawn, in proportion to how much they like it and to how
        recent it is, among those that the composer has a style for and that agree with the brief:
        its style, metre, key and tempo are things that go together.
        """
        history, models = self.history, self.models
        weight = (
            np.clip(history.weights, 0.0, None) * np.linspace(0.5, 1.0, max(len(history), 1))[: len(history)]
        )
        styles = models.composer.styles
        for i, row in enumerate(history.items.tolist()):
            known = models.ranker.infos[row].attributes
            fits = str(known.get("style", "")) in styles and not models.ranker.infos[row].generated
            fits &= "metre" in known  # what has no notes has none
            fits &= brief.style is None or known.get("style") == brief.style
            fits &= brief.metre is None or known.get("metre") == f"{brief.metre[0]}/{brief.metre[1]}"
            weight[i] *= float(fits)
        if not weight.sum():
            return brief
        row = int(rng.choice(history.items, p=weight / weight.sum()))
        known = models.ranker.infos[row].attributes
        score = self.store.score(models.ranker.items.id(row))
        metre, key = score.metres[0], score.keys[0]
        usual = (metre.numerator, metre.denominator)
        return replace(
            brief,
            style=brief.style or str(known["style"]),
            metre=brief.metre or usual,
            key=brief.key or (key.fifths, key.mode),
            tempo_bpm=brief.tempo_bpm or score.tempos[0].bpm,
        )

    def _best(self, scores: list[Score], brief: Brief) -> int:
        """Which candidate the recommender would show first; without a history the most typical."""
        style = brief.style or ""
        vectors = np.stack([feature_vector(s, style) for s in scores])
        names = [f"candidate-{i}" for i in range(len(scores))]
        infos = [ItemInfo(generated=True) for _ in scores]
        ranker = self.models.ranker.with_items(names, vectors, infos)
        rows = ranker.items.rows(names)
        if len(self.history):
            return int(np.argmax(ranker.score([self.history], rows)[0]))
        content = ranker.blend.content
        if content is None:
            return 0
        same = [i for i, info in enumerate(ranker.infos) if info.attributes.get("style", "") == style]
        centre = content.units[same or slice(None)].mean(axis=0)
        return int(np.argmax(content.units[rows] @ centre))

    def _made(
        self,
        exact: Score,
        title: str,
        brief: Brief,
        seed: int,
        match: SharedPassage,
        started: float,
        origin: Origin | None = None,
    ) -> Made:
        exact = kept_exact(exact)
        score = on_grid(exact)
        release, composer = self.models.release.id, self.models.composer
        found = attributes(score)
        vector = feature_vector(score, brief.style or "")
        identity = "g" + piece_id(exact, "", release, str(seed))[:11]
        title = f"{title} ({identity[1:5]})"
        described = {**found, "style": brief.style or ""}
        info = ItemInfo(title, identity, "Troubadour", described, generated=True, artist="Troubadour")
        influences = self._influences(vector, info)
        match_title = self.store.piece(match.piece).title if match.piece else ""
        provenance = {
            "release": release,
            "seed": seed,
            "controls": controls_of(brief),
            "listener": self.listener,
            "influences": influences,
            "longest_match": {"notes": match.notes, "piece": match.piece, "title": match_title},
            **({"task": origin.task, "given": origin.given} if origin else {}),
        }
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
            composer=f"Troubadour ({composer.name}, release {release})",
            style=brief.style or "",
            collection="generated",
            source=f"composed by Troubadour, seed {seed}" + (f", to {origin.given}" if origin else ""),
            licence="generated; no rights claimed"
            + (f"; rights in the given piece remain ({origin.rights})" if origin else ""),
            generated=True,
            provenance=provenance,
        )
        composed = Composed(
            identity,
            title,
            at_exact_tempo(score, exact),
            brief,
            seed,
            release,
            match,
            match_title,
            tuple(i["title"] for i in influences),
            time.monotonic() - started,
            origin.task if origin else "",
            origin.given if origin else "",
        )
        return Made(composed, piece, info)

    def _influences(self, vector: NDArray[np.float32], info: ItemInfo) -> list[dict[str, str]]:
        """The pieces that the listener likes to which the new one is nearest."""
        history, models = self.history, self.models
        if not len(history) or models.ranker.blend.content is None:
            return []
        ranker = models.ranker.with_items(["new"], vector[None], [info])
        content = ranker.blend.content
        assert content is not None
        liked = history.items[history.weights > 0]
        if not len(liked):
            return []
        near = content.units[liked] @ content.units[-1]
        rows = liked[np.argsort(-near)[:3]].tolist()
        return [{"id": ranker.items.id(r), "title": ranker.infos[r].title} for r in rows]


def controls_of(brief: Brief) -> dict[str, Any]:
    """A brief for JSON: only what was said or decided."""
    out: dict[str, Any] = {}
    for field in fields(brief):
        value = getattr(brief, field.name)
        if value == field.default and field.name not in ("temperature", "top_p"):
            continue
        out[field.name] = _readable(field.name, value)
    return out


def _readable(name: str, value: Any) -> Any:
    if name == "metre":
        return f"{value[0]}/{value[1]}"
    if name == "key":
        return Key(0, *value).name
    if name == "instruments":
        return [NAMES[program] for program in value]
    if name in ("notes", "ranges"):
        return [list(one) for one in value]
    return value


def _keeps_style(task: Task) -> bool:
    """Whether what is composed is of the given piece's style; harmony has a style of its own."""
    return not isinstance(task, Harmonise | Accompany | Reharmonise)


__all__ = [
    "BORROWED_NOTES",
    "CANDIDATES",
    "CANDIDATES_TO_GIVEN",
    "Composed",
    "Composition",
    "LoadedRelease",
    "Made",
    "controls_of",
]  # fmt: skip
