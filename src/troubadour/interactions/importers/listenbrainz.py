"""ListenBrainz: exports of a user's listens and feedback (`listens/2024/1.jsonl`, `feedback.jsonl`).

Times are Unix seconds with fractions; lengths are milliseconds (`duration_ms`) or seconds (`duration`).
Listens
are plays; a listen without `listened_at` was playing at the export and is rejected. Loved recordings are
likes,
hated ones ratings of 1. Responses and submissions of the API (`payload.listens`, `payload`) are also read.
Format: listenbrainz-server `background/export.py`; ListenBrainz documentation, "JSON Documentation".
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import NOW_PLAYING, Found, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_events import json_events, object_of, seconds_of, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import unix_seconds

_HATED: Final = 1.0
_LISTS: Final = ("payload.listens", "payload", "listens", "feedback")


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    keys = key_paths(head)
    for at in ("", *(f"{path}." for path in _LISTS)):
        if f"{at}pinned_until" in keys:
            return False
        if f"{at}track_metadata" in keys:
            return True
        if f"{at}score" in keys and {f"{at}recording_msid", f"{at}recording_mbid"} & keys:
            return True
    return False


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    yield from json_events(source, partial(_event, options), _LISTS)


def _event(options: ReadOptions, line: dict[str, Any]) -> PlayEvent | str:
    if "score" in line:
        return _feedback(line, options)
    if "pinned_until" in line:
        return "a pin, not a play"
    metadata = line.get("track_metadata")
    if not isinstance(metadata, dict):
        return "no track_metadata"
    more = object_of(metadata.get("additional_info"))
    mapping = object_of(metadata.get("mbid_mapping"))
    title = text_of(metadata.get("track_name"))
    if not title:
        return "no title"
    if line.get("playing_now") is True or line.get("listened_at") in (None, ""):
        return NOW_PLAYING
    mbid = text_of(more.get("recording_mbid")) or text_of(mapping.get("recording_mbid"))
    isrc = more.get("isrc")
    named = {
        "mbid": mbid.lower(),
        "isrc": text_of(isrc[0] if isinstance(isrc, list) and isrc else isrc).upper(),
        "spotify": text_of(more.get("spotify_id")).rpartition("/")[2],
        "msid": text_of(metadata.get("recording_msid") or line.get("recording_msid")),
    }
    track = NamedTrack(
        title,
        text_of(metadata.get("artist_name")),
        text_of(metadata.get("release_name")),
        tuple((scheme, value) for scheme, value in named.items() if value),
    )
    return PlayEvent(
        track,
        "play",
        unix_seconds(line.get("listened_at"), options.now),
        duration_seconds=_length(more),
    )


def _feedback(line: dict[str, Any], options: ReadOptions) -> PlayEvent | str:
    named = {"mbid": text_of(line.get("recording_mbid")).lower(), "msid": text_of(line.get("recording_msid"))}
    metadata = object_of(line.get("track_metadata"))
    track = NamedTrack(
        text_of(metadata.get("track_name")),
        text_of(metadata.get("artist_name")),
        identifiers=tuple((scheme, value) for scheme, value in named.items() if value),
    )
    if not track.identifiers and not track.title:
        return "feedback without a recording"
    time = unix_seconds(line.get("created"), options.now)
    if line["score"] == 1:
        return PlayEvent(track, "like", time)
    if line["score"] == -1:
        return PlayEvent(track, "rating", time, _HATED)
    return "feedback taken back"


def _length(more: dict[str, Any]) -> float | None:
    return seconds_of(more.get("duration_ms"), 1000.0) or seconds_of(more.get("duration")) or None
