"""Last.fm: scrobbles in the formats of common exporters.

- `uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid` (mainstream.ghan.nl, and the
  archive of Last.fm itself), seconds;
- `Artist;Album;AlbumId;Track;Date#user` (lastfmstats.com), milliseconds;
- `artist,album,track,"06 Sep 2026, 14:23"` without a header (benjaminbenben.com), UTC;
- JSON of lastfmstats (`{"username": ..., "scrobbles": [...]}`), and of the API (see `lastfm_api`).

A scrobble is a play of at least half the track or four minutes; the share heard stays unknown. Rows without a
time were playing at the export and are rejected. Time 0 is a play with unknown time.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from troubadour.interactions.importers import lastfm_api
from troubadour.interactions.importers.base import (
    NOW_PLAYING,
    Found,
    Malformed,
    NamedTrack,
    PlayEvent,
    ReadOptions,
)
from troubadour.interactions.importers.json_events import json_events, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import bounded_lines, delimiter_of, events, split_row
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

_HEADERLESS: Final = {"artist": 0, "album": 1, "title": 2, "time": 3}
_COLUMNS: Final = {
    "uts": "time", "artist": "artist", "album": "album", "track": "title", "name": "title",
    "track_mbid": "mbid", "date": "time", "utc_time": "time",
}  # fmt: skip
_USER: Final = "date#"
_NUMBER_OF_SOMETHING: Final = 10**8
"""Numbers up to this are years or counts, not times."""


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    if head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        keys = key_paths(head)
        stats = "scrobbles" in keys and "maloja" not in keys and "scrobbles.track.title" not in keys
        return (stats and ("username" in keys or "scrobbles.track" in keys)) or lastfm_api.looks_like(head)
    lines = head.lstrip("\ufeff").splitlines()
    cells = [c.strip().lower() for c in split_row(lines[0])] if lines else []
    if any(c.startswith(_USER) for c in cells) or ("uts" in cells and {"track", "name"} & set(cells)):
        return True
    return _is_headerless(cells)


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    head = source.head().lstrip("\ufeff \t\r\n")
    if head.startswith(("{", "[")):
        if "scrobbles" in key_paths(head):
            yield from json_events(source, partial(_scrobble, options), ("scrobbles",))
        else:
            yield from lastfm_api.read(source, options)
        return
    with source.text() as stream:
        lines = bounded_lines(stream, source.name)
        first = next(lines, "").lstrip("\ufeff")
        header = split_row(first)
        rows = csv.reader(lines, delimiter=delimiter_of(first))
        if _is_headerless(header):
            yield from events(
                itertools.chain([header], rows), _HEADERLESS, source.name, options, 1, timed=True
            )
            return
        roles: dict[str, int] = {}
        times: list[int] = []
        listener = ""
        for i, cell in enumerate(header):
            cell = cell.strip()
            role = "time" if cell.lower().startswith(_USER) else _COLUMNS.get(cell.lower(), "")
            if cell.lower().startswith(_USER):
                listener = cell[len(_USER) :]
            if role == "time":
                times.append(i)
            if role:
                roles.setdefault(role, i)
        if not {"artist", "title", "time"} <= set(roles):
            yield Malformed(source.name, "not a Last.fm export")
            return
        for found in events(_timed(rows, times), roles, source.name, options, timed=True):
            yield _by(found, listener) if isinstance(found, PlayEvent) and listener else found


def _timed(rows: Iterable[list[str]], times: Sequence[int]) -> Iterator[list[str]]:
    """Yields the rows with their first non-empty time copied to the first time column."""
    for row in rows:
        given = [row[i] for i in times if i < len(row) and row[i].strip()]
        if given and times[0] < len(row):
            row[times[0]] = given[0]
        yield row


def _by(found: PlayEvent, listener: str) -> PlayEvent:
    return PlayEvent(found.track, found.kind, found.time, listener=listener)


def _scrobble(options: ReadOptions, line: dict[str, Any]) -> PlayEvent | str:
    title = text_of(line.get("track"))
    if not title:
        return "no title"
    if line.get("date") in (None, ""):
        return NOW_PLAYING
    track = NamedTrack(title, text_of(line.get("artist")), text_of(line.get("album")))
    return PlayEvent(track, "play", unix_seconds(line["date"], options.now))


def _is_headerless(cells: list[str]) -> bool:
    if len(cells) != 4 or not cells[2]:
        return False
    try:
        return unix_seconds(cells[3], 2**40) > _NUMBER_OF_SOMETHING
    except BadTimeError:
        return False
