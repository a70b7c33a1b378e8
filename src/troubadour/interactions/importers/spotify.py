"""Spotify: extended streaming history and short history of the account data.

Files: `Streaming_History_Audio_*.json` and `endsong_*.json` (extended), `StreamingHistory*.json` (short).
`ts` is
the end of the stream, UTC; `ms_played` its duration. Streams that ended with `trackdone` were heard
completely and
give the length of the track. Streams left by the forward button before 30 s (Spotify's threshold of a stream)
are
skips. Podcasts and audiobooks are rejected.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import Found, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_events import json_events, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import unix_seconds

STREAM_SECONDS: Final = 30.0
_FORWARD: Final = frozenset({"fwdbtn", "backbtn", "clickrow", "remote"})
"""End reasons of a change to another track by the listener."""


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    keys = key_paths(head)
    return {"ms_played", "ts"} <= keys or {"msPlayed", "endTime"} <= keys


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    yield from json_events(source, partial(_event, options))


def _event(options: ReadOptions, line: dict[str, Any]) -> PlayEvent | str:
    title = text_of(line.get("master_metadata_track_name") or line.get("trackName"))
    if not title:
        return "not a track: a podcast, an audiobook or a video"
    played = line.get("ms_played", line.get("msPlayed"))
    if isinstance(played, bool) or not isinstance(played, int | float) or not 0 <= played < 8.64e7:
        return "ms_played is missing or invalid"
    seconds = played / 1000.0
    if not seconds:
        return "played for 0 s"
    ended = unix_seconds(line.get("ts") or line.get("endTime"), options.now)
    uri = text_of(line.get("spotify_track_uri"))
    track = NamedTrack(
        title,
        text_of(line.get("master_metadata_album_artist_name") or line.get("artistName")),
        text_of(line.get("master_metadata_album_album_name")),
        (("spotify", uri.rpartition(":")[2]),) if uri else (),
    )
    time = max(ended - round(seconds), 0) if ended else 0
    listener = text_of(line.get("username"))
    reason = text_of(line.get("reason_end"))
    if reason == "trackdone":
        return PlayEvent(track, "play", time, 1.0, seconds, seconds, listener)
    left = line.get("skipped") is True or reason in _FORWARD
    kind = "skip" if left and seconds < STREAM_SECONDS else "play"
    return PlayEvent(track, kind, time, None, seconds, None, listener)
