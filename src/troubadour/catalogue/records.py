"""What goes into the store and comes out of it, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.score import Score

KINDS: Final = ("play", "like", "skip", "rating")


@dataclass(frozen=True, slots=True)
class NewPiece:
    """A piece to be added."""

    id: str
    title: str
    score: Score | None
    """Quantised; nothing for what is known by name alone (`medium` is then not `score`)."""
    work: str
    split: str
    fingerprint: str
    grams: NDArray[np.uint32]
    attributes: Mapping[str, float | str]
    vector: NDArray[np.float32] | None = None
    composer: str = ""
    style: str = ""
    collection: str = ""
    source: str = ""
    number: str = ""
    licence: str = ""
    quality: tuple[str, ...] = ()
    generated: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of a generated piece: release, seed, controls, influences, longest match, listener."""
    artist: str = ""
    """Who plays it, of a recording."""
    album: str = ""
    medium: str = "score"
    """`score` where there are notes, `metadata` where there is no more than a name."""
    duration_seconds: float | None = None
    """Of a recording."""
    explicit: bool = False
    identifiers: Mapping[str, str] = field(default_factory=dict[str, str])
    """What others call it, scheme to value: `mbid` (of the recording), `isrc`, `spotify`."""
    exact_score: Score | None = None
    """The score as its file has it, where that is more than `score`."""


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A piece without its notes."""

    row: int
    """Dense number in order of arrival, from 0."""
    id: str
    title: str
    composer: str
    style: str
    collection: str
    source: str
    number: str
    licence: str
    work: str
    split: str
    generated: bool
    attributes: dict[str, Any]
    quality: list[str]
    provenance: dict[str, Any]
    artist: str = ""
    album: str = ""
    medium: str = "score"
    duration_seconds: float | None = None
    explicit: bool = False

    @property
    def display_artist(self) -> str:
        """Performer, else composer; `Troubadour` for a generated piece; empty if unknown."""
        return "Troubadour" if self.generated else self.artist or self.composer


@dataclass(frozen=True, slots=True)
class ListenerRow:
    """A listener."""

    row: int
    """Dense number in order of arrival, from 0; falls when somebody before is forgotten."""
    id: str
    name: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a listener did."""

    event: str
    """Unique id: the same event sent twice is stored once."""
    listener: str
    piece: str
    kind: str
    """One of `KINDS`."""
    time: int
    """Unix seconds."""
    value: float | None = None
    """Play: share heard, 0 to 1. Rating: 1 to 5."""
    release: str | None = None
    rank: int | None = None
    propensity: float | None = None
    flags: int = 0
    """Bits of `listening.suspicion.Flag`; flagged events are kept and not learnt from."""
    source: str = ""
    """The importer that it came through; empty for what was recorded live."""


@dataclass(frozen=True, slots=True)
class Impression:
    """A piece that was shown to a listener, at one place of one list."""

    impression: str
    """Unique id: the same one sent twice is stored once."""
    listener: str
    piece: str
    rank: int
    """From 1."""
    time: int
    """Unix seconds."""
    release: str = ""
    """The release that made the list."""
    slot: str = ""
    """The context: `for-you`, `radio`, `discover` ..."""
    shown_with: str = ""
    """Id of the list, shared by all that was shown together."""
    propensity: float | None = None
    """Probability with which it was shown at that place, above 0 to 1; nothing = not random."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a listener never wants to get again."""

    what: str
    """`piece`, `artist` or `explicit`."""
    value: str
    """Id of the piece, or the artist's name as given; `all` of what is marked as explicit."""
    time: int
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An imported event on something that the catalogue does not hold, or not for certain."""

    event: str
    listener: str
    title: str
    artist: str
    album: str
    identifiers: Mapping[str, str]
    reason: str
    """`unknown`, or `ambiguous`: several pieces answer to the name."""
    kind: str
    time: int
    value: float | None = None
    flags: int = 0
    source: str = ""
