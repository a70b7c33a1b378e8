"""Matching of named tracks to pieces: by identifiers, then by artist and title."""

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
"""Identifier schemes by reliability: some ISRCs belong to two recordings, MBIDs do not."""


@dataclass(frozen=True, slots=True)
class TrackMatch:
    """Match of a track, or the reason why there is none."""

    piece: str = ""
    reason: str = ""
    """`unknown` or `ambiguous` without a match; else the scheme of the match, or `name`."""


class Matcher:
    """Index of a catalogue's names and identifiers.

    Tracks that match several pieces stay unmatched, and tracks without an artist match only pieces without
    an artist, because wrong matches would be training data.

    Args:
        store: catalogue; all names are read once, about 10 s per million pieces.
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
        """Finds the piece of a track."""
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
