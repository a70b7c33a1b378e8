"""Which piece of the catalogue a named track is: by identifiers, then by artist and title, or none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from troubadour.catalogue.store import Store
from troubadour.interactions.importers.base import NamedTrack
from troubadour.interactions.names import artist_key, title_key

UNKNOWN: Final = "unknown"
AMBIGUOUS: Final = "ambiguous"
_SCHEMES: Final = ("mbid", "isrc", "spotify")
"""In the order of trust: an ISRC is sometimes given to two recordings, an MBID is not."""


@dataclass(frozen=True, slots=True)
class TrackMatch:
    """A track's piece, or why there is none."""

    piece: str = ""
    reason: str = ""
    """`unknown` or `ambiguous` where there is no piece; else what it was found by."""


class Matcher:
    """The names of a catalogue, looked up by tracks.

    A track that answers to two pieces is matched to neither, and what names no artist is matched
    only to pieces that name none: a guess would be learnt from like a fact.

    Args:
        store: whose pieces; reads all names once, about 10 s for a million.
    """

    def __init__(self, store: Store) -> None:
        rows = store.pieces()
        self._ids = {p.id for p in rows}
        self._named: dict[tuple[str, str], set[str]] = defaultdict(set)
        for piece in rows:
            if not piece.generated:
                for name in {piece.artist or piece.composer, piece.composer or piece.artist}:
                    self._named[title_key(piece.title), artist_key(name)].add(piece.id)
        self._identified: dict[tuple[str, str], set[str]] = defaultdict(set)
        for scheme, value, row in store.identifiers():
            self._identified[scheme, value].add(rows[row].id)

    def match(self, track: NamedTrack) -> TrackMatch:
        """The piece of a track."""
        given = dict(track.identifiers)
        if given.get("piece") in self._ids:
            return TrackMatch(given["piece"], "piece")
        for scheme in _SCHEMES:
            found = self._identified.get((scheme, given.get(scheme, "")), set())
            if len(found) == 1:
                return TrackMatch(next(iter(found)), scheme)
            if found:
                return TrackMatch(reason=AMBIGUOUS)
        if not track.title:
            return TrackMatch(reason=UNKNOWN)
        found = self._named.get((title_key(track.title), artist_key(track.artist)), set())
        if len(found) == 1:
            return TrackMatch(next(iter(found)), "name")
        return TrackMatch(reason=AMBIGUOUS if found else UNKNOWN)
