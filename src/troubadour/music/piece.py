"""A score together with what its source says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from troubadour.music.score import Score


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece as a reader found it."""

    score: Score
    title: str
    composer: str = ""
    style: str = ""
    """Normalised style (`jig`, `reel`, `chorale` ...), empty where the source says nothing."""
    source: str = ""
    """Where it comes from, for people: `O'Neill's Music of Ireland, no. 12`, or a file's name."""
    licence: str = ""
    """Terms as stated by the source; empty = unknown."""
    number: str = ""
    """The piece's own number within its file or book (ABC `X:`)."""
    repairs: tuple[str, ...] = ()
    """What the reader dropped or repaired, one short sentence each."""
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
    """A file, or one tune of a book, that could not be read."""

    name: str
    """File, and the tune's number within it."""
    cause: str
