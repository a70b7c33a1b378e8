"""Last.fm: scrobbles as the common exporters write them.

- `uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid` (mainstream.ghan.nl, and the
  archive that Last.fm itself sends), seconds;
- `Artist;Album;AlbumId;Track;Date#user` (lastfmstats.com), milliseconds;
- `artist,album,track,"06 Sep 2026, 14:23"` without a header (benjaminbenben.com), UTC;
- JSON of lastfmstats (`{"username": ..., "scrobbles": [...]}`).

A scrobble is a play that counted (half the track or four minutes); the share heard stays unknown.
"""

from __future__ import annotations

import csv
import itertools
from typing import Any, Final

from troubadour.interactions.importers.base import Found, Malformed, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_stream import BrokenJsonError, objects
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import delimiter_of, events, split_row
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

_HEADERLESS: Final = {"artist": 0, "album": 1, "title": 2, "time": 3}
_COLUMNS: Final = {
    "uts": "time", "artist": "artist", "album": "album", "track": "title", "name": "title",
    "track_mbid": "mbid", "date": "time", "utc_time": "time",
}  # fmt: skip
_USER: Final = "date#"


def looks_like(name: str, head: str) -> bool:
    """Whether a file is of this format."""
    if '"scrobbles"' in head[:4096]:
        return True
    cells = [c.strip().lower() for c in split_row(head.splitlines()[0])] if head.strip() else []
    if "uts" in cells or any(c.startswith(_USER) for c in cells):
        return True
    return _is_headerless(cells)


def read(source: Source, options: ReadOptions) -> Found:
    """See `Reader`."""
    if source.head(1).lstrip("\ufeff") == "{":
        yield from _json(source, options)
        return
    with source.text() as stream:
        first = stream.readline().lstrip("\ufeff")
        delimiter = delimiter_of(first)
        header = split_row(first)
        rows = csv.reader(stream, delimiter=delimiter)
        if _is_headerless(header):
            yield from events(itertools.chain([header], rows), _HEADERLESS, source.name, options, 1)
            return
        roles: dict[str, int] = {}
        listener = ""
        for i, cell in enumerate(header):
            cell = cell.strip()
            if cell.lower().startswith(_USER):
                listener = cell[len(_USER) :]
                roles["time"] = i
            elif cell.lower() in _COLUMNS:
                roles.setdefault(_COLUMNS[cell.lower()], i)
        if not {"artist", "title", "time"} <= set(roles):
            yield Malformed(source.name, "no columns of a Last.fm export")
            return
        for found in events(rows, roles, source.name, options):
            yield _by(found, listener) if isinstance(found, PlayEvent) and listener else found


def _by(found: PlayEvent, listener: str) -> PlayEvent:
    return PlayEvent(found.track, found.kind, found.time, listener=listener)


def _json(source: Source, options: ReadOptions) -> Found:
    with source.text() as stream:
        try:
            for number, line in enumerate(objects(stream, ("scrobbles",)), start=1):
                found = _scrobble(line, options)
                yield found if isinstance(found, PlayEvent) else Malformed(f"{source.name}:{number}", found)
        except BrokenJsonError as error:
            yield Malformed(source.name, str(error))


def _scrobble(line: dict[str, Any], options: ReadOptions) -> PlayEvent | str:
    title = line.get("track")
    if not isinstance(title, str) or not title:
        return "no title"
    track = NamedTrack(title, str(line.get("artist") or ""), str(line.get("album") or ""))
    try:
        return PlayEvent(track, "play", unix_seconds(line.get("date"), options.now))
    except BadTimeError as error:
        return str(error)


def _is_headerless(cells: list[str]) -> bool:
    if len(cells) != 4 or not cells[2]:
        return False
    try:
        return unix_seconds(cells[3], 2**40) > 0
    except BadTimeError:
        return False
