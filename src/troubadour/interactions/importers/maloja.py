"""Maloja: exports (`maloja_export_*.json`, version 3 and later), API responses, and tables of version 2.

`{"maloja": {"export_time": ...}, "scrobbles": [{"time", "track": {"title", "artists", "album", "length"},
"duration", "origin"}]}`; the API has the same scrobbles under `list`. Times are Unix seconds; `length`
(track) and
`duration` (time heard) are seconds. An album is a string or an object with `albumtitle` (or `name`); early
versions store its name under `extra`. Tables have no header; columns, separated by tabs: time, artists
(separated
by U+241F), title, album, seconds heard; `-` = empty. Every scrobble is a play.
Format: Maloja `proccontrol/tasks/export.py`, `database/sqldb.py`, `upgrade.py`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import (
    NOW_PLAYING,
    Found,
    Malformed,
    NamedTrack,
    PlayEvent,
    ReadOptions,
)
from troubadour.interactions.importers.json_events import json_events, object_of, seconds_of, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import bounded_lines
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

_ROW: Final = re.compile(r"\d{9,10}\t[^\t\r\n]+\t[^\t\r\n]+(?:\t[^\t\r\n]*){0,2}\r?(?:\n|$)")


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    if _ROW.match(head.lstrip("\ufeff\r\n")):
        return True
    keys = key_paths(head)
    return {"maloja", "scrobbles"} <= keys or any(
        {f"{at}time", f"{at}track.title", f"{at}track.artists"} <= keys for at in ("scrobbles.", "list.")
    )


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    if _ROW.match(source.head().lstrip("\ufeff\r\n")):
        yield from _rows(source, options)
        return
    yield from json_events(source, partial(_event, options), ("scrobbles", "list"))


def _rows(source: Source, options: ReadOptions) -> Found:
    with source.text() as stream:
        for number, line in enumerate(bounded_lines(stream, source.name), start=1):
            cells = [cell.strip() for cell in line.strip("\ufeff\r\n").split("\t")]
            if not any(cells):
                continue
            time, artists, title, album, seconds = (["" if c == "-" else c for c in cells] + [""] * 5)[:5]
            try:
                track = {"artists": artists.split("␟"), "title": title, "album": album}
                made = _event(options, {"time": time, "track": track, "duration": seconds})
            except BadTimeError as error:
                made = str(error)
            yield made if isinstance(made, PlayEvent) else Malformed(f"{source.name}:{number}", made)


def _event(options: ReadOptions, line: dict[str, Any]) -> PlayEvent | str:
    metadata = object_of(line.get("track"))
    title = text_of(metadata.get("title"))
    if not title:
        return "no title"
    if line.get("time") in (None, ""):
        return NOW_PLAYING
    artists = metadata.get("artists")
    names = [text_of(a) for a in artists] if isinstance(artists, list) else [text_of(artists)]
    album = metadata.get("album")
    held, extra = object_of(album), object_of(line.get("extra"))
    track = NamedTrack(
        title,
        ", ".join(name for name in names if name),
        text_of(album)
        or text_of(held.get("albumtitle"))
        or text_of(held.get("name"))
        or text_of(extra.get("album_name"))
        or text_of(extra.get("album")),
    )
    return PlayEvent(
        track,
        "play",
        unix_seconds(line["time"], options.now),
        played_seconds=seconds_of(line.get("duration")) or None,
        duration_seconds=seconds_of(metadata.get("length")) or None,
    )
