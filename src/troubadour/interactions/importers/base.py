"""What every importer yields: plays as the file tells them, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from troubadour.interactions.importers.sources import Source

FUTURE_SLACK_SECONDS: Final = 86_400
"""Clocks are wrong and zones are forgotten, by a day at most."""
NOW_PLAYING: Final = "now playing, without a time: no play yet"
"""Cause for what a service shows while a track sounds; its play comes later, with a time."""


@dataclass(frozen=True, slots=True)
class NamedTrack:
    """What was heard, as the file names it."""

    title: str = ""
    artist: str = ""
    album: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    """(scheme, value): `piece` (an id of our own catalogue), `mbid`, `isrc`, `spotify`, `msid`."""


@dataclass(frozen=True, slots=True)
class PlayEvent:
    """One event of a file."""

    track: NamedTrack
    kind: str
    """`play`, `like`, `skip` or `rating`."""
    time: int
    """Unix seconds of the beginning; 0 where the file does not tell it."""
    value: float | None = None
    """Play or skip: share heard, 0 to 1, where the file tells it. Rating: 1 to 5."""
    played_seconds: float | None = None
    """How long it was heard; with a length the share follows."""
    duration_seconds: float | None = None
    """Length of the track, where the file tells it."""
    listener: str = ""
    """As the file names them; empty where it does not."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A part of a file that is no event."""

    where: str
    """File and line or number."""
    cause: str
    """The same words for the same kind of fault, so that they can be counted."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a file that its owner should know."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader has to know beside the file."""

    now: int
    """Unix seconds; what lies more than a day later is refused."""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """For tables: column to role, beside the names that are known."""
    rating_max: float = 5.0
    """Best rating of the source, the worst being 1; brought to 1 .. 5."""


Found = Iterator[PlayEvent | Malformed | Remark]
Reader = Callable[[Source, ReadOptions], Found]
"""Reads one source; a fault ends the source or is passed over, and is told either way."""


def played_share(played_seconds: float | None, duration_seconds: float | None) -> float | None:
    """The share of a track that was heard, 0 to 1; nothing where either is unknown."""
    if played_seconds is None or not duration_seconds or duration_seconds <= 0:
        return None
    return min(max(played_seconds / duration_seconds, 0.0), 1.0)
