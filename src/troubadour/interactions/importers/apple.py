"""Apple Music: tables of a personal data copy (privacy.apple.com, "Apple Music Activity").

- `Apple Music Play Activity.csv`: one row per event, times in UTC, durations in milliseconds. `PLAY_END` is a
  play, or a skip if the track was left by the forward or back button, or for another track, before 30 s.
  Other
  events, videos, radio stations and tracks that failed to load are rejected.
- `Apple Music - Play History Daily Tracks.csv`: one row per track and day, with counts of plays and skips.
- `Apple Music - Track Play History.csv`: one row per track, with the time of its last play.
- `Apple Music - Favorites.csv`: liked songs become likes, disliked songs ratings of 1.

Newer tables have no artist of the song; the container's artist is used if it is an album or an artist. The
second and third table repeat the plays of the first and are skipped if a folder has both.
Format: the headers of the tables; Apple documents them in the copy.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from troubadour.interactions.importers.base import Found, Malformed, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_events import seconds_of
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import bounded_lines, delimiter_of, split_row
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

SKIP_SECONDS: Final = 30.0
_DISLIKED: Final = 1.0
_MOST_A_DAY: Final = 1000
"""Largest plausible number of plays of one track in one row."""
_LEFT: Final = frozenset(
    {"TRACK_SKIPPED_FORWARDS", "TRACK_SKIPPED_BACKWARDS", "MANUALLY_SELECTED_PLAYBACK_OF_A_DIFF_ITEM"}
)
_NO_SONG: Final = frozenset({"STREAM", "NON_SONG_CLIP", "ARTIST_UPLOADED_CONTENT", "TIMED_METADATA_PING"})
_SIGNS: Final[dict[str, frozenset[str]]] = {
    "daily": frozenset({"date played", "track description"}),
    "last": frozenset({"track name", "last played date"}),
    "favourites": frozenset({"favorite type", "item description", "preference"}),
}
_SONG: Final = ("song name", "content name")
_TIMES: Final = ("event end timestamp", "event timestamp", "event received timestamp")
_ACTIVITY: Final = frozenset({*_TIMES, "event start timestamp", "event type", "end reason type"})

Cells = Mapping[str, str]


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    return bool(_table(_header(head)))


def is_log(head: str) -> bool:
    """Whether a file of this format is the log of single plays."""
    return _table(_header(head)) == "activity"


def is_summary(head: str) -> bool:
    """Whether a file of this format aggregates plays that the log also contains."""
    return _table(_header(head)) in ("daily", "last")


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    events: dict[str, Callable[[Cells, ReadOptions], Iterable[PlayEvent | str]]] = {
        "activity": _activity,
        "daily": _day,
        "last": _last,
        "favourites": _favourite,
    }
    number = 1
    with source.text() as stream:
        lines = bounded_lines(stream, source.name)
        first = next(lines, "")
        header = _header(first)
        table = _table(header)
        if not table:
            yield Malformed(source.name, "not a table of Apple Music")
            return
        try:
            for number, row in enumerate(csv.reader(lines, delimiter=delimiter_of(first)), start=2):
                # Short rows end with empty cells.
                cells = dict.fromkeys(header, "") | {n: c.strip() for n, c in zip(header, row, strict=False)}
                if not any(cells.values()):
                    continue
                try:
                    made = list(events[table](cells, options))
                except BadTimeError as error:
                    made = [str(error)]
                for one in made:
                    yield one if isinstance(one, PlayEvent) else Malformed(f"{source.name}:{number}", one)
        except csv.Error as error:
            yield Malformed(f"{source.name}:{number + 1}", f"no CSV: {error}")


def _header(head: str) -> list[str]:
    first = head.lstrip("\ufeff").split("\n", 1)[0]
    return [cell.strip().lower() for cell in split_row(first.rstrip("\r"))]


def _table(header: Iterable[str]) -> str:
    names = frozenset(header)
    if names & frozenset(_SONG) and names & _ACTIVITY:
        return "activity"
    return next((table for table, signs in _SIGNS.items() if signs <= names), "")


def _activity(cells: Cells, options: ReadOptions) -> Iterable[PlayEvent | str]:
    event = cells.get("event type", "")
    reason = cells.get("end reason type", "") or cells.get("event end reason type", "")
    if event not in ("", "PLAY_END"):
        yield "not the end of a play"
        return
    if cells.get("media type", "") == "VIDEO" or cells.get("item type", "") in _NO_SONG:
        yield "a video or a radio station"
        return
    if reason == "FAILED_TO_LOAD":
        yield "failed to load"
        return
    title = next((cells[name] for name in _SONG if cells.get(name)), "")
    if not title:
        yield "no title"
        return
    played = seconds_of(cells.get("play duration milliseconds"), 1000.0)
    length = seconds_of(cells.get("media duration in milliseconds"), 1000.0) or None
    time = unix_seconds(cells.get("event start timestamp"), options.now)
    ended = unix_seconds(next((cells[name] for name in _TIMES if cells.get(name)), ""), options.now)
    if not time and ended:
        time = max(ended - round(played or 0.0), 0)
    whole = reason == "NATURAL_END_OF_TRACK"
    track = NamedTrack(
        title, _artist(cells), cells.get("album name") or cells.get("container album name", "")
    )
    if not whole and played is not None and played < SKIP_SECONDS:
        if reason not in _LEFT:
            yield "played for less than 30 s, and not a skip"
            return
        yield PlayEvent(track, "skip", time, None, played, length)
        return
    if not whole and played is None and cells.get("play duration milliseconds"):
        yield "play duration is invalid"
        return
    share_known = played if played and length else None
    yield PlayEvent(
        track, "play", time, 1.0 if whole and share_known is None else None, played or None, length
    )


def _artist(cells: Cells) -> str:
    if cells.get("artist name"):
        return cells["artist name"]
    if cells.get("container type", "") in ("", "ALBUM", "ARTIST"):
        return cells.get("container artist name", "")
    return ""


def _day(cells: Cells, options: ReadOptions) -> Iterable[PlayEvent | str]:
    track = _described(cells["track description"])
    if track is None:
        yield "no title"
        return
    if cells.get("media type", "") == "VIDEO":
        yield "a video or a radio station"
        return
    time = _hour_of(cells["date played"], cells.get("hours", ""), options.now)
    counts = {kind: cells.get(f"{kind} count", "") or "0" for kind in ("play", "skip")}
    if not all(count.isdecimal() and int(count) <= _MOST_A_DAY for count in counts.values()):
        yield f"play or skip count is not a number up to {_MOST_A_DAY}"
        return
    plays, skips = int(counts["play"]), int(counts["skip"])
    played = seconds_of(cells.get("play duration milliseconds"), 1000.0)
    if not plays and not skips:
        yield "played for 0 s"
    for i in range(plays):
        # The duration is that of the row: it belongs to a play only if the row has exactly one.
        yield PlayEvent(
            track, "play", time + i if time else 0, None, played if plays == 1 and not skips else None
        )
    for i in range(skips):
        yield PlayEvent(track, "skip", time + plays + i if time else 0)


def _hour_of(day: str, hours: str, now: int) -> int:
    """Returns the start of the first named hour, Unix seconds.

    Args:
        day: `20240401`.
        hours: `14` or `14, 15`.
    """
    if not day:
        return 0
    first = hours.split(",")[0].strip()
    hour = int(first) if first.isdecimal() and int(first) < 24 else 12
    try:
        moment = datetime.strptime(day.replace("-", ""), "%Y%m%d").replace(hour=hour, tzinfo=UTC)
    except ValueError:
        raise BadTimeError("invalid time") from None
    return unix_seconds(moment, now)


def _last(cells: Cells, options: ReadOptions) -> Iterable[PlayEvent | str]:
    track = _described(cells["track name"])
    if track is None:
        yield "no title"
        return
    yield PlayEvent(track, "play", unix_seconds(cells["last played date"], options.now))


def _favourite(cells: Cells, options: ReadOptions) -> Iterable[PlayEvent | str]:
    if cells["favorite type"].upper() != "SONG":
        yield "a favourite other than a song"
        return
    track = _described(cells["item description"])
    if track is None:
        yield "no title"
        return
    preference = cells["preference"].upper()
    time = unix_seconds(cells.get("last modified"), options.now)
    if preference in ("LIKE", "LOVE", "FAVORITE"):
        yield PlayEvent(track, "like", time)
    elif preference == "DISLIKE":
        yield PlayEvent(track, "rating", time, _DISLIKED)
    else:
        yield f"preference is '{preference[:20]}'; known: LIKE, FAVORITE, DISLIKE"


def _described(text: str) -> NamedTrack | None:
    """Parses `Artist - Title` at the first dash; titles contain dashes more often than artists."""
    artist, dash, title = text.partition(" - ")
    if not dash:
        artist, title = "", text
    return NamedTrack(title.strip(), artist.strip()) if title.strip() else None
