"""Rockbox and other portable players: `.scrobbler.log`, versions 1.0 and 1.1.

`#AUDIOSCROBBLER/1.1`, `#TZ/UTC` or `#TZ/UNKNOWN`, `#CLIENT/...`, then lines of artist, album, title, track
number,
length in seconds, rating, Unix seconds and, from 1.1 on, the recording's MusicBrainz id, separated by tabs.
Rating
`L` (listened) is a play, `S` a skip. With `#TZ/UTC` times are UTC. With an unknown zone, times are local;
they are
read as UTC, with a remark. Named zones (`#TZ/Europe/London`) and offsets (`#TZ/+0200`) are applied.
Format: audioscrobbler.net wiki, "Portable Player Logging"; Rockbox `apps/plugins/lastfm_scrobbler.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from troubadour.interactions.importers.base import (
    Found,
    Malformed,
    NamedTrack,
    PlayEvent,
    ReadOptions,
    Remark,
)
from troubadour.interactions.importers.json_events import seconds_of
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import bounded_lines
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

_SIGN: Final = "#AUDIOSCROBBLER/"
_VERSIONS: Final = ("1.0", "1.1")
_KINDS: Final = {"L": "play", "S": "skip"}
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?")


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    return head.lstrip("\ufeff").startswith(_SIGN)


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    zone: tzinfo | None = UTC
    with source.text() as stream:
        for number, line in enumerate(bounded_lines(stream, source.name), start=1):
            line = line.lstrip("\ufeff").rstrip("\r\n")
            where = f"{source.name}:{number}"
            if line.startswith(_SIGN) and line[len(_SIGN) :].strip() not in _VERSIONS:
                yield Remark(where, f"version {line[len(_SIGN) :].strip()[:20]}; read as {_VERSIONS[-1]}")
            elif line.startswith("#TZ/"):
                zone = _zone(line[4:].strip())
                if zone is None:
                    yield Remark(where, f"time zone {line[4:].strip()[:40]}; times are read as UTC")
            elif line.strip() and not line.startswith("#"):
                yield from _event(line.split("\t"), zone, where, options)


def _event(
    cells: list[str], zone: tzinfo | None, where: str, options: ReadOptions
) -> Iterator[PlayEvent | Malformed]:
    if len(cells) < 7:
        yield Malformed(where, "fewer than 7 fields separated by tabs")
        return
    artist, album, title, _, length, rating, time = (cell.strip() for cell in cells[:7])
    mbid = cells[7].strip().lower() if len(cells) > 7 else ""
    kind = _KINDS.get(rating.upper(), "")
    if not title or not kind:
        yield Malformed(where, "no title" if not title else f"rating is '{rating[:20]}'; allowed: L, S")
        return
    try:
        begun = unix_seconds(_in_utc(time, zone), options.now)
    except BadTimeError as error:
        yield Malformed(where, str(error))
        return
    track = NamedTrack(title, artist, album, (("mbid", mbid),) if mbid else ())
    yield PlayEvent(track, kind, begun, duration_seconds=seconds_of(length) or None)


def _zone(name: str) -> tzinfo | None:
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if offset := _OFFSET.fullmatch(name.upper()):
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return (
            timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes)) if minutes < 1440 else None
        )
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _in_utc(time: str, zone: tzinfo | None) -> str:
    """Converts seconds of a local clock to Unix seconds; text that is not a number stays unchanged."""
    if zone in (None, UTC) or not time.isdecimal() or not 86_400 < int(time) < 2**36:
        return time
    clock = datetime.fromtimestamp(int(time), UTC).replace(tzinfo=zone)
    return str(int(clock.timestamp()))
