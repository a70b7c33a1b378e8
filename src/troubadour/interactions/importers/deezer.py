"""Deezer: sheet `10_listeningHistory` of a personal data copy, saved as CSV.

Columns: `Song Title`, `Artist`, `ISRC`, `Album Title`, `Listening Time` (seconds), `Date` (assumed UTC). Rows
of
30 s and more are plays. Shorter rows are rejected, because the file does not distinguish skips.
Format: the header of the sheet as in public readers; Deezer documents none.
"""

from __future__ import annotations

import csv
from typing import Final

from troubadour.interactions.importers.base import Found, Malformed, PlayEvent, ReadOptions
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.table import bounded_lines, delimiter_of, events, split_row

_LEAST_SECONDS: Final = 30.0
_COLUMNS: Final = {
    "song title": "title", "artist": "artist", "isrc": "isrc", "album title": "album",
    "listening time": "seconds_played", "date": "time",
}  # fmt: skip


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    return {"song title", "artist", "listening time", "date"} <= set(_header(head.split("\n", 1)[0]))


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    with source.text() as stream:
        lines = bounded_lines(stream, source.name)
        first = next(lines, "")
        roles = {_COLUMNS[name]: i for i, name in enumerate(_header(first)) if name in _COLUMNS}
        if not {"title", "seconds_played"} <= set(roles):
            yield Malformed(source.name, "not Deezer's listening history")
            return
        rows = csv.reader(lines, delimiter=delimiter_of(first))
        for found in events(rows, roles, source.name, options):
            if isinstance(found, PlayEvent) and (found.played_seconds or 0.0) < _LEAST_SECONDS:
                yield Malformed(source.name, "played for less than 30 s; the file does not distinguish skips")
            else:
                yield found


def _header(line: str) -> list[str]:
    return [cell.strip().lower() for cell in split_row(line.lstrip("\ufeff").rstrip("\r\n"))]
