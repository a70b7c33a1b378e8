"""Search for pieces by melody."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.corpora.folder import read_file
from troubadour.export.licensing import rights
from troubadour.music.exact import losses
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.similarity.melody_search.index import MelodyIndex, MelodyMatch
from troubadour.similarity.melody_search.lines import Skyline


@dataclass(frozen=True, slots=True)
class Hit:
    """Piece that contains a query melody."""

    piece: PieceRow
    match: MelodyMatch

    def to_dict(self) -> dict[str, Any]:
        """Piece and match, for JSON."""
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


class MelodySearch:
    """Melody index of a catalogue, built at the first search and kept up to date.

    Args:
        store: the catalogue.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._index = MelodyIndex.of([])

    def index(self) -> MelodyIndex:
        """Melody index of all current pieces; the first call takes .6 s for 4,700 pieces."""
        with self._lock:
            there = self._store.piece_ids(medium="score")
            known = set(self._index.pieces) - self._index.removed
            gone = known - set(there)
            new = [i for i in there if i not in known]
            if gone:
                self._index = self._index.without(gone)
            if new:
                self._index = self._index.with_pieces(zip(new, self._store.scores(new), strict=True))
            return self._index

    def search(self, query: Skyline | Sequence[Skyline], n: int = 10, *, without: str = "") -> list[Hit]:
        """Pieces that contain a melody, best first.

        Args:
            query: a skyline, or alternative transcriptions of one; the best match of each piece counts.
            n: largest number of pieces, 1 to 1000.
            without: id of a piece to exclude.

        Raises:
            InputError: n is out of range, or the catalogue is empty.
        """
        if not 1 <= n <= 1000:
            raise InputError(f"n is {n}; allowed: 1 to 1000")
        index = self.index()
        if not len(index):
            raise InputError("the catalogue is empty; import music first (`troubadour import`)")
        best: dict[str, MelodyMatch] = {}
        for line in [query] if isinstance(query, Skyline) else query:
            for match in index.search(line, n, without=without):
                if match.piece not in best or best[match.piece].score < match.score:
                    best[match.piece] = match
        found = sorted(best.values(), key=lambda m: -m.score)[:n]
        rows = self._store.pieces_by_id(m.piece for m in found)
        return [Hit(rows[m.piece], m) for m in found]


def read_music(path: Path) -> Piece:
    """First piece in a music file, quantised; `repairs` lists the losses.

    Raises:
        InputError: there is no such file, or the music cannot be quantised.
        UnreadableFileError: the file cannot be read; the message states the cause.
    """
    piece = _first_of(path)
    score = quantise(piece.score)
    return piece.replace(score=score, repairs=(*piece.repairs, *losses(piece.score, score)))


def read_exact(path: Path) -> Piece:
    """First piece in a music file with all endings, without quantisation.

    Raises:
        InputError: there is no such file.
        UnreadableFileError: the file cannot be read; the message states the cause.
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
