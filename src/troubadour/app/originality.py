"""Originality of a score: its longest passages shared with the catalogue, compared with human pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import InputError
from troubadour.export.licensing import rights
from troubadour.generation.originality import Corpus, SharedPassage, voices
from troubadour.music.melody import ngram_hashes
from troubadour.music.score import Score
from troubadour.releases.store import Releases

_RUN: Final = 4
"""Steps in the shortest match."""
_SAMPLE: Final = 60
"""Human pieces whose overlap is measured for comparison."""


@dataclass(frozen=True, slots=True)
class CatalogueOverlap:
    """Statistics of the longest passages that human pieces share with unrelated pieces."""

    pieces: int
    """Number of pieces in the sample."""
    median: float
    """Median length in notes."""
    high: float
    """95th percentile of the length in notes."""


@dataclass(frozen=True, slots=True)
class OriginalityReport:
    """Passages that a score shares with the catalogue, with the statistics of human pieces."""

    matches: tuple[tuple[PieceRow, SharedPassage], ...]
    """Longest passage of each piece, longest first."""
    human: CatalogueOverlap

    @property
    def verdict(self) -> str:
        """Comparison of the longest passage with human pieces, one sentence."""
        longest = self.matches[0][1].notes if self.matches else 0
        if longest <= self.human.median:
            return "the longest shared passage is no longer than the median of human pieces"
        if longest <= self.human.high:
            return "the longest shared passage is longer than the median of human pieces, within their 95th percentile"
        return "the longest shared passage exceeds the 95th percentile of human pieces: check the passages"

    def to_dict(self) -> dict[str, Any]:
        """Verdict, statistics and passages, for JSON."""
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


def originality(
    store: Store, releases: Releases, score: Score, corpus: Corpus, n: int = 5, *, without: str = ""
) -> OriginalityReport:
    """Longest passages that a quantised score shares with the catalogue.

    Args:
        store: the catalogue.
        releases: its releases; the live one may hold the statistics of human pieces.
        score: quantised score.
        corpus: passages of the catalogue.
        n: largest number of pieces, 1 to 100.
        without: id of a piece to exclude with its variants, such as the score itself.

    Raises:
        InputError: the score has no melody, or n is out of range.
    """
    if not 1 <= n <= 100:
        raise InputError(f"n is {n}; allowed: 1 to 100")
    if not voices(score):
        raise InputError("the score has no melody of two pitched notes; there is nothing to compare")
    left_out = {without}
    if without:
        work = store.piece(without).work
        left_out |= {k[0] for k in store.works() if k[1] == work}
    found = shared_passages(corpus, score, n, left_out)
    live = releases.live()
    notes = live.notes.get("borrowing") if live else None
    human = CatalogueOverlap(**notes) if notes else catalogue_overlap(corpus, store)
    rows = store.pieces_by_id(m.piece for m in found)
    return OriginalityReport(tuple((rows[m.piece], m) for m in found), human)


def shared_passages(corpus: Corpus, score: Score, n: int, without: set[str]) -> list[SharedPassage]:
    """Longest passage of each corpus piece shared with a score, longest first.

    Runs of four steps (interval and ratio of durations, as in `Corpus`) are looked up; consecutive runs
    are merged. About 60 ms at half a million notes.

    Args:
        corpus: passages of the catalogue.
        score: quantised score.
        n: largest number of passages.
        without: ids of pieces to exclude.
    """
    theirs = ngram_hashes(corpus.steps, _RUN)
    best: dict[int, SharedPassage] = {}
    for steps, bars in voices(score):
        ours = ngram_hashes(steps, _RUN)
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


def catalogue_overlap(corpus: Corpus, store: Store, sample: int = _SAMPLE, seed: int = 0) -> CatalogueOverlap:
    """Longest passages that a sample of human pieces shares with others; some seconds for 4,700 pieces."""
    works = {k[0]: k[1] for k in store.works()}
    members: dict[str, set[str]] = {}
    for piece, work in works.items():
        members.setdefault(work, set()).add(piece)
    ids = [p for p in corpus.pieces if p in works]
    if not ids:
        return CatalogueOverlap(0, 0.0, 0.0)
    chosen = np.random.default_rng(seed).permutation(len(ids))[:sample]
    names = [ids[i] for i in chosen.tolist()]
    lengths: list[int] = []
    for name, score in zip(names, store.scores(names), strict=True):
        found = shared_passages(corpus, score, 1, members[works[name]])
        lengths.append(found[0].notes if found else 0)
    return CatalogueOverlap(len(names), float(np.median(lengths)), float(np.percentile(lengths, 95)))
