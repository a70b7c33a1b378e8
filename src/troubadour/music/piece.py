"""Pieces: a score with the metadata of its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from troubadour.music.score import Score


@dataclass(frozen=True, slots=True)
class Piece:
    """A score and its metadata, as a reader of files returns them."""

    score: Score
    title: str
    composer: str = ""
    style: str = ""
    """One of `styles.STYLES` (`jig`, `reel`, `chorale` ...); empty where the source names none."""
    source: str = ""
    """Origin as text: `O'Neill's Music of Ireland, no. 12`, or the name of a file."""
    licence: str = ""
    """Terms of use as stated by the source; empty = unknown."""
    number: str = ""
    """Number of the piece within its file or book (ABC `X:`)."""
    repairs: tuple[str, ...] = ()
    """Content that the reader dropped or repaired, one short sentence each."""
    irregular_share: float = 0.0
    """Share of the written bars whose length does not fit their metre, 0 to 1."""
    page: Score | None = None
    """Score with all endings in the order of the page; `None` if `score` has them all."""

    @property
    def exact(self) -> Score:
        """Score with all endings of the source."""
        return self.score if self.page is None else self.page

    def replace(self, **changes: Any) -> Piece:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a tune of a book, that cannot be read."""

    name: str
    """Name of the file, with the number of the tune within it."""
    cause: str
    """Reason, for people."""
