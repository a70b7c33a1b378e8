"""ListenBrainz: exports of a user's listens and feedback (`listens/2024/1.jsonl`, `feedback.jsonl`).

Times are Unix seconds with fractions; lengths milliseconds (`duration_ms`) or seconds (`duration`).
Loved recordings are likes; hated ones ratings of 1. Answers of the API (`payload.listens`) are read too.
Format: listenbrainz-server `background/export.py`; ListenBrainz documentation, "JSON Documentation".
"""

from __future__ import annotations

from typing import Any, Final

from troubadour.interactions.importers.base import Found, Malformed, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_stream import BrokenJsonError, objects
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

_HATED: Final = 1.0


def looks_like(name: str, head: str) -> bool:
    """Whether a file is of this format."""
    return '"track_metadata"' in head or ('"recording_msid"' in head and '"score"' in head)


def read(source: Source, options: ReadOptions) -> Found:
    """See `Reader`."""
    with source.text() as stream:
        try:
            for number, line in enumerate(objects(stream, ("listens", "payload")), start=1):
                where = f"{source.name}:{number}"
                try:
                    found = _event(line, options)
                except BadTimeError as error:
                    yield Malformed(where, str(error))
                    continue
                yield found if isinstance(found, PlayEvent) else Malformed(where, found)
        except BrokenJsonError as error:
            yield Malformed(source.name, str(error))


def _event(line: dict[str, Any], options: ReadOptions) -> PlayEvent | str:
    if "score" in line:
        return _feedback(line, options)
    told = line.get("track_metadata")
    if not isinstance(told, dict):
        return "no track_metadata"
    more = _dict(told.get("additional_info"))
    mapping = _dict(told.get("mbid_mapping"))
    title = _text(told.get("track_name"))
    if not title:
        return "no title"
    mbid = _text(more.get("recording_mbid")) or _text(mapping.get("recording_mbid"))
    isrc = more.get("isrc")
    named = {
        "mbid": mbid.lower(),
        "isrc": _text(isrc[0] if isinstance(isrc, list) and isrc else isrc).upper(),
        "spotify": _text(more.get("spotify_id")).rpartition("/")[2],
        "msid": _text(told.get("recording_msid") or line.get("recording_msid")),
    }
    track = NamedTrack(
        title,
        _text(told.get("artist_name")),
        _text(told.get("release_name")),
        tuple((scheme, value) for scheme, value in named.items() if value),
    )
    return PlayEvent(
        track,
        "play",
        unix_seconds(line.get("listened_at"), options.now),
        duration_seconds=_length(more),
    )


def _feedback(line: dict[str, Any], options: ReadOptions) -> PlayEvent | str:
    named = {"mbid": _text(line.get("recording_mbid")).lower(), "msid": _text(line.get("recording_msid"))}
    told = _dict(line.get("track_metadata"))
    track = NamedTrack(
        _text(told.get("track_name")),
        _text(told.get("artist_name")),
        identifiers=tuple((scheme, value) for scheme, value in named.items() if value),
    )
    if not track.identifiers and not track.title:
        return "feedback names no recording"
    time = unix_seconds(line.get("created"), options.now)
    if line["score"] == 1:
        return PlayEvent(track, "like", time)
    if line["score"] == -1:
        return PlayEvent(track, "rating", time, _HATED)
    return "feedback taken back"


def _length(more: dict[str, Any]) -> float | None:
    for name, unit in (("duration_ms", 1000.0), ("duration", 1.0)):
        value = more.get(name)
        if isinstance(value, int | float | str):
            try:
                seconds = float(value) / unit
            except ValueError:
                continue
            if 0 < seconds < 86_400:
                return seconds
    return None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
