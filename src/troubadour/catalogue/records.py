"""Records of the store, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.quality import QualityFlag
from troubadour.music.score import Score

KINDS: Final = ("play", "like", "skip", "rating")


@dataclass(frozen=True, slots=True)
class NewPiece:
    """A piece to add to the catalogue."""

    id: str
    title: str
    score: Score | None
    """Quantised score; None for recordings and metadata-only pieces."""
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
    """Quality entries from `music.quality.check`."""
    generated: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of generated pieces: release, seed, controls, influences, longest match, listener."""
    artist: str = ""
    """Performer of a recording."""
    album: str = ""
    medium: str = "score"
    """`score`, `audio`, or `metadata` for pieces known by name only."""
    duration_seconds: float | None = None
    """Duration of a recording, seconds."""
    explicit: bool = False
    identifiers: Mapping[str, str] = field(default_factory=dict[str, str])
    """External identifiers, scheme to value: `mbid` (recording), `isrc`, `spotify`."""
    exact_score: Score | None = None
    """Score of the file at its own resolution; None = equal to `score`."""


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A piece of the catalogue, without notes."""

    row: int
    """Dense row in order of arrival, from 0."""
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
    """Repairs and quality flags as text for people."""
    provenance: dict[str, Any]
    artist: str = ""
    album: str = ""
    medium: str = "score"
    duration_seconds: float | None = None
    explicit: bool = False
    flags: frozenset[QualityFlag] = frozenset()
    """Quality flags, for use in programs."""

    @property
    def display_artist(self) -> str:
        """Performer, else composer; `Troubadour` for generated pieces; "" = unknown."""
        return "Troubadour" if self.generated else self.artist or self.composer


@dataclass(frozen=True, slots=True)
class ListenerRow:
    """A listener."""

    row: int
    """Dense row in order of arrival, from 0; decreases after erasure of earlier listeners."""
    id: str
    name: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An interaction of a listener with a piece."""

    event: str
    """Unique id; repeated events are stored once."""
    listener: str
    piece: str
    kind: str
    """One of `KINDS`."""
    time: int
    """Unix seconds."""
    value: float | None = None
    """Play, skip: share heard, 0 to 1. Rating: 1 to 5."""
    release: str | None = None
    rank: int | None = None
    propensity: float | None = None
    flags: int = 0
    """Bits of `interactions.bot_filter.Flag`; flagged events are excluded from training."""
    source: str = ""
    """Name of the importer; "" = recorded live."""


@dataclass(frozen=True, slots=True)
class Impression:
    """A piece at one rank of a list shown to a listener."""

    impression: str
    """Unique id; repeated impressions are stored once."""
    listener: str
    piece: str
    rank: int
    """Rank, 1 = first."""
    time: int
    """Unix seconds."""
    release: str = ""
    """Id of the release that produced the list."""
    slot: str = ""
    """Surface of the list: `for-you`, `radio`, `discover` ..."""
    shown_with: str = ""
    """Id of the list, common to its impressions."""
    propensity: float | None = None
    """Probability of this choice, above 0 to 1; None = not recorded."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a listener."""

    what: str
    """`piece`, `artist` or `explicit`."""
    value: str
    """Id of the piece, name of the artist, or `all` for explicit pieces."""
    time: int
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An imported event without a matching piece."""

    event: str
    listener: str
    title: str
    artist: str
    album: str
    identifiers: Mapping[str, str]
    reason: str
    """`unknown` = no such piece; `ambiguous` = several pieces."""
    kind: str
    time: int
    value: float | None = None
    flags: int = 0
    source: str = ""
