"""Common types of importers: events, named tracks, malformed parts and remarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from troubadour.interactions.importers.sources import Source

FUTURE_SLACK_SECONDS: Final = 86_400
"""Tolerance for wrong clocks and missing time zones, seconds."""
NOW_PLAYING: Final = "playing at the export, without a time"
"""Cause for tracks that were playing at the export; the play follows later with a time."""


@dataclass(frozen=True, slots=True)
class NamedTrack:
    """Track as named by the file."""

    title: str = ""
    artist: str = ""
    album: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    """(scheme, value): `piece` (id of the catalogue), `mbid`, `isrc`, `spotify`, `msid`."""


@dataclass(frozen=True, slots=True)
class PlayEvent:
    """Event of a file."""

    track: NamedTrack
    kind: str
    """`play`, `like`, `skip` or `rating`."""
    time: int
    """Start, Unix seconds; 0 = unknown."""
    value: float | None = None
    """Play, skip: share heard, 0 to 1, None = unknown. Rating: 1 to 5."""
    played_seconds: float | None = None
    """Time heard, seconds; None = unknown."""
    duration_seconds: float | None = None
    """Length of the track, seconds; None = unknown."""
    listener: str = ""
    """Listener as named by the file; "" = not named."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Part of a file that is not an event."""

    where: str
    """File with line or number."""
    cause: str
    """Cause; equal for equal faults, for counting."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Information on a file for its owner."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of readers."""

    now: int
    """Unix seconds; times more than a day later are rejected."""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """For tables: column to role, in addition to known names."""
    rating_max: float = 5.0
    """Best rating of the source; ratings from 1 to this value are mapped to 1 .. 5."""


Found = Iterator[PlayEvent | Malformed | Remark]
Reader = Callable[[Source, ReadOptions], Found]
"""Reads one source; yields faults as `Malformed` and continues where possible."""


def played_share(played_seconds: float | None, duration_seconds: float | None) -> float | None:
    """Computes the share heard of a track, 0 to 1; None if a duration is unknown.

    Args:
        played_seconds: time heard, seconds.
        duration_seconds: length of the track, seconds.
    """
    if played_seconds is None or not duration_seconds or duration_seconds <= 0:
        return None
    return min(max(played_seconds / duration_seconds, 0.0), 1.0)
