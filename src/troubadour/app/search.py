"""Search by melody, analysis and originality over one home's catalogue; `Studio` and the faces call it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis import draw
from troubadour.analysis.report import Analysis, analyse
from troubadour.analysis.style import StyleModel
from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.core.threads import one_thread
from troubadour.corpora.folder import read_file
from troubadour.export.licensing import rights
from troubadour.generation.originality import Corpus, SharedPassage, voices
from troubadour.music.exact import losses
from troubadour.music.features import FEATURES
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Score
from troubadour.releases.store import Releases, load_state, save_state
from troubadour.similarity.melody_search.index import MelodyIndex, MelodyMatch
from troubadour.similarity.melody_search.lines import Skyline

_RUN: Final = 4
"""Steps that the shortest match has."""
_SAMPLE: Final = 60
"""Pieces whose borrowing is measured to compare with."""
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece in which a melody was found."""

    piece: PieceRow
    match: MelodyMatch

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.piece.id,
            "title": self.piece.title,
            "score": self.match.score,
            "notes": self.match.notes,
            "bars": list(self.match.bars),
            "their_bars": list(self.match.their_bars),
            "semitones": self.match.semitones,
            **rights(self.piece),
        }


@dataclass(frozen=True, slots=True)
class Borrowing:
    """How long the longest passage is that human pieces share with another that is no variant of them."""

    pieces: int
    """How many were measured."""
    median: float
    """Notes."""
    high: float
    """Notes; 95 of 100 pieces share no longer one."""


@dataclass(frozen=True, slots=True)
class OriginalityReport:
    """What a score shares with the catalogue, beside what human pieces share."""

    matches: tuple[tuple[PieceRow, SharedPassage], ...]
    """The longest first, one a piece."""
    human: Borrowing

    @property
    def verdict(self) -> str:
        """One sentence."""
        longest = self.matches[0][1].notes if self.matches else 0
        if longest <= self.human.median:
            return "borrows no more than the middle human piece"
        if longest <= self.human.high:
            return "borrows more than the middle human piece, but no more than 95 of 100 do"
        return "borrows more than 95 of 100 human pieces do: look at the passages"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "verdict": self.verdict,
            "human": {
                "pieces": self.human.pieces,
                "median_notes": self.human.median,
                "notes_of_95_in_100": self.human.high,
            },
            "items": [
                {
                    "id": piece.id,
                    "title": piece.title,
                    "score": match.notes,
                    "notes": match.notes,
                    "bars": list(match.bars),
                    "their_bars": list(match.their_bars),
                    **rights(piece),
                }
                for piece, match in self.matches
            ],
        }


class Understanding:
    """What is derived from a catalogue to search and judge with, made when first asked for."""

    def __init__(self, store: Store, releases: Releases) -> None:
        self._store, self._releases = store, releases
        self._lock = threading.Lock()
        self._melodies = MelodyIndex.of([])
        self._styles: tuple[str, StyleModel | None] | None = None

    def melodies(self) -> MelodyIndex:
        """The melody index of all pieces that are in the catalogue now; .6 s for 4,700 at first."""
        with self._lock:
            there = self._store.piece_ids(medium="score")
            known = set(self._melodies.pieces) - self._melodies.removed
            gone = known - set(there)
            new = [i for i in there if i not in known]
            if gone:
                self._melodies = self._melodies.without(gone)
            if new:
                self._melodies = self._melodies.with_pieces(zip(new, self._store.scores(new), strict=True))
            return self._melodies

    def styles(self) -> StyleModel | None:
        """The live release's model of styles, or one fitted now; nothing without enough labels."""
        with self._lock:
            live = self._releases.live()
            name = live.id if live else ""
            if self._styles is None or self._styles[0] != name:
                if live and "style" in live.parts:
                    found: StyleModel | None = load_styles(self._releases.folder(live.parts["style"]))
                else:
                    found = fit_styles(self._store)
                self._styles = (name, found)
            return self._styles[1]

    def search(self, query: Skyline | Sequence[Skyline], n: int = 10, *, without: str = "") -> list[Hit]:
        """The pieces in which a melody stands, best first.

        Args:
            query: a line, or several readings of one: each piece counts by the best of them.

        Raises:
            InputError: n is out of range, or the catalogue is empty.
        """
        if not 1 <= n <= 1000:
            raise InputError(f"n is {n}; allowed: 1 to 1000")
        index = self.melodies()
        if not len(index):
            raise InputError("the catalogue is empty; import music first")
        best: dict[str, MelodyMatch] = {}
        for line in [query] if isinstance(query, Skyline) else query:
            for match in index.search(line, n, without=without):
                if match.piece not in best or best[match.piece].score < match.score:
                    best[match.piece] = match
        found = sorted(best.values(), key=lambda m: -m.score)[:n]
        return [Hit(self._store.piece(m.piece), m) for m in found]

    def analyse(self, score: Score) -> Analysis:
        """Everything about a quantised score; see `analysis.report.analyse`."""
        return analyse(score, self.styles())

    def draw(self, what: str, score: Score, title: str = "") -> str:
        """A picture of a quantised score as SVG: `roll`, `similarity` or `timeline`.

        Raises:
            InputError: there is nothing to draw, or no such picture.
        """
        if what == "roll":
            return draw.piano_roll(score, title)
        if what == "similarity":
            return draw.similarity_matrix(analyse(score), title)
        if what == "timeline":
            return draw.timeline(score, analyse(score), title)
        raise InputError(f"cannot draw '{what}'; allowed: roll, similarity, timeline")

    def map(self) -> str:
        """The catalogue's pieces on two principal components as SVG; labels of style take no part.

        Raises:
            InputError: the catalogue holds fewer than three pieces.
        """
        vectors, rows = self._store.vectors(), self._store.pieces()
        there = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        vectors, rows = vectors[there], [rows[i] for i in there.tolist()]
        kept = [i for i, name in enumerate(FEATURES) if not name.startswith("style_")]
        if len(vectors) < 3 or vectors.shape[1] != len(FEATURES):
            raise InputError(f"the catalogue holds {len(vectors)} pieces; a map needs three")
        table = vectors[:, kept].astype(np.float64)
        spread = table.std(axis=0)
        table = (table - table.mean(axis=0)) / np.maximum(spread, 0.5 * spread.mean() + 1e-9)
        return draw.feature_map(table, [p.style for p in rows], f"{len(table)} pieces")

    def originality(
        self, score: Score, corpus: Corpus, n: int = 5, *, without: str = ""
    ) -> OriginalityReport:
        """The longest passages that a quantised score shares with the catalogue.

        Args:
            without: id of a piece to leave out, with its variants: the score itself.

        Raises:
            InputError: the score has no melody, or n is out of range.
        """
        if not 1 <= n <= 100:
            raise InputError(f"n is {n}; allowed: 1 to 100")
        if not voices(score):
            raise InputError("the score has no melody of two pitched notes; there is nothing to compare")
        left_out = {without}
        if without:
            work = self._store.piece(without).work
            left_out |= {k[0] for k in self._store.works() if k[1] == work}
        found = longest_matches(corpus, score, n, left_out)
        live = self._releases.live()
        notes = live.notes.get("borrowing") if live else None
        human = Borrowing(**notes) if notes else borrowing(corpus, self._store)
        return OriginalityReport(tuple((self._store.piece(m.piece), m) for m in found), human)


def longest_matches(corpus: Corpus, score: Score, n: int, without: set[str]) -> list[SharedPassage]:
    """Of each piece its longest passage in common with a score, the longest first, n at most.

    Runs of four steps (interval and ratio of durations, as in `Corpus`) are looked up, and those
    that follow one another in both are joined. About 60 ms at half a million notes.
    """
    theirs = _runs(corpus.steps)
    best: dict[int, SharedPassage] = {}
    for steps, bars in voices(score):
        ours = _runs(steps)
        order = np.argsort(ours, kind="stable")
        low = np.searchsorted(ours[order], theirs, side="left")
        count = np.searchsorted(ours[order], theirs, side="right") - low
        hits = np.flatnonzero(count)
        if not len(hits):
            continue
        place = np.repeat(hits, count[hits])
        offset = np.arange(len(place)) - np.repeat(np.cumsum(count[hits]) - count[hits], count[hits])
        note = order[np.repeat(low[hits], count[hits]) + offset]
        rows = np.lexsort((place, place - note))
        place, note = place[rows], note[rows]
        new = np.append(True, (np.diff(place) != 1) | (np.diff(note) != 1))
        first = np.flatnonzero(new)
        length = np.diff(np.append(first, len(place))) + _RUN  # notes
        owner = corpus.owners[np.searchsorted(corpus.starts, place[first], side="right") - 1]
        for i in np.argsort(-length, kind="stable").tolist():
            row, notes = int(owner[i]), int(length[i])
            if corpus.pieces[row] in without or (row in best and best[row].notes >= notes):
                continue
            here, there = int(note[first[i]]), int(place[first[i]])
            last = notes - 1
            best[row] = SharedPassage(
                notes,
                corpus.pieces[row],
                (int(bars[here]), int(bars[here + last])),
                (int(corpus.bars[there]), int(corpus.bars[there + last])),
            )
    return sorted(best.values(), key=lambda m: -m.notes)[:n]


def _runs(steps: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for each run of `_RUN` steps, shape (n - _RUN + 1,)."""
    n = max(len(steps) - _RUN + 1, 0)
    out = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i in range(_RUN):
            out = (out + steps[i : i + n].astype(np.uint64)) * _MIX
            out ^= out >> np.uint64(29)
    return out


def borrowing(corpus: Corpus, store: Store, sample: int = _SAMPLE, seed: int = 0) -> Borrowing:
    """What human pieces of the catalogue share with others, on a sample; some seconds for 4,700."""
    works = {k[0]: k[1] for k in store.works()}
    members: dict[str, set[str]] = {}
    for piece, work in works.items():
        members.setdefault(work, set()).add(piece)
    ids = [p for p in corpus.pieces if p in works]
    if not ids:
        return Borrowing(0, 0.0, 0.0)
    chosen = np.random.default_rng(seed).permutation(len(ids))[:sample]
    names = [ids[i] for i in chosen.tolist()]
    lengths: list[int] = []
    for name, score in zip(names, store.scores(names), strict=True):
        found = longest_matches(corpus, score, 1, members[works[name]])
        lengths.append(found[0].notes if found else 0)
    return Borrowing(len(names), float(np.median(lengths)), float(np.percentile(lengths, 95)))


def fit_styles(store: Store, seed: int = 0) -> StyleModel | None:
    """Learn styles from the catalogue's own labels; nothing where they do not suffice."""
    rows = [p for p in store.pieces(generated=False, medium="score") if p.style and p.split != "test"]
    try:
        with one_thread():
            return StyleModel.fit(
                store.scores([p.id for p in rows]),
                [p.style for p in rows],
                [p.work for p in rows],
                np.random.default_rng(seed),
            )
    except InputError:
        return None  # `analyse` says why there is no style


def save_styles(folder: Path, model: StyleModel) -> None:
    """Write a model of styles as JSON and arrays."""
    save_state(folder, "style", model.state())


def load_styles(folder: Path) -> StyleModel:
    """Read what `save_styles` wrote.

    Raises:
        ModelError: it is damaged or of another version.
    """
    return load_state(folder, "style", StyleModel.from_state, "model of styles")


def read_music(path: Path) -> Piece:
    """The music in a file, quantised; of a book of tunes the first. `repairs` says what that cost.

    Raises:
        InputError: there is no such file, or it holds no music that the grid can take.
        UnreadableFileError: it cannot be read; the message says why.
    """
    piece = _first_of(path)
    score = quantise(piece.score)
    return piece.replace(score=score, repairs=(*piece.repairs, *losses(piece.score, score)))


def read_exact(path: Path) -> Piece:
    """The music in a file as it stands there, with every ending; of a book of tunes the first.

    Raises:
        InputError: there is no such file.
        UnreadableFileError: it cannot be read; the message says why.
    """
    piece = _first_of(path)
    return piece.replace(score=piece.exact, page=None)


def _first_of(path: Path) -> Piece:
    if not path.is_file():
        raise InputError(f"no file or piece '{path}'")
    piece = next(iter(read_file(path)), None)
    if isinstance(piece, Piece):
        return piece
    if piece is None:
        raise UnreadableFileError(str(path), "no music in it")
    raise UnreadableFileError(piece.name, piece.cause)


__all__ = [
    "Borrowing", "Hit", "OriginalityReport", "Understanding", "borrowing", "fit_styles", "load_styles",
    "longest_matches", "read_music", "save_styles",
]  # fmt: skip
