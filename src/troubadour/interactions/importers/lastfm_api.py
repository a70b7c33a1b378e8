"""Last.fm API as JSON: responses of `user.getRecentTracks` and `user.getLovedTracks`, one or many.

`{"recenttracks": {"track": [{"artist": {"#text"}, "name", "mbid", "album": {"#text"}, "date": {"uts"}}],
"@attr": {"user", "page", "totalPages"}}}`. Exporters write lists of such pages, of `{"track": [...]}` or of
tracks; with `extended=1` the artist has `name` instead of `#text`. A scrobble is a play; tracks with
`@attr.nowplaying` have no `date` and are rejected. A loved track is a like.
Format: https://www.last.fm/api/show/user.getRecentTracks, .../user.getLovedTracks.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import NOW_PLAYING, Found, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_events import json_events, object_of, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import unix_seconds

_LISTS: Final = ("recenttracks.track", "lovedtracks.track", "track")


def looks_like(head: str) -> bool:
    """Whether a file has this format."""
    keys = key_paths(head)
    if "recenttracks" in keys or "lovedtracks" in keys:
        return True
    return any(
        f"{at}name" in keys
        and (f"{at}date.uts" in keys or f"{at}@attr.nowplaying" in keys)
        and ({f"{at}artist.#text", f"{at}artist.name"} & keys)
        for at in ("track.", "")
    )


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`. All tracks of a file of loved tracks are likes."""
    keys = key_paths(source.head())
    loved = "lovedtracks" in keys and "recenttracks" not in keys
    yield from json_events(source, partial(_event, options, "like" if loved else "play"), _LISTS)


def _event(options: ReadOptions, kind: str, line: dict[str, Any]) -> PlayEvent | str:
    if "error" in line and "message" in line:
        return f"an error of the API instead of a page: {text_of(line['message'])[:80]}"
    title = text_of(line.get("name"))
    if not title:
        return "no title"
    date = line.get("date")
    time = object_of(date).get("uts") if isinstance(date, dict) else date
    playing = str(object_of(line.get("@attr")).get("nowplaying", "")).lower() == "true"
    if kind == "play" and (playing or time in (None, "")):
        return NOW_PLAYING
    mbid = text_of(line.get("mbid")).lower()
    track = NamedTrack(
        title, _named(line.get("artist")), _named(line.get("album")), (("mbid", mbid),) if mbid else ()
    )
    return PlayEvent(track, kind, unix_seconds(time, options.now))


def _named(value: Any) -> str:
    held = object_of(value)
    return text_of(value) or text_of(held.get("#text")) or text_of(held.get("name"))
