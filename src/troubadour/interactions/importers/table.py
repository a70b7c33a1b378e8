"""Tables of plays: CSV of any dialect and encoding, or Parquet, with a map from columns to roles."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

from troubadour.core.errors import InputError, MissingExtraError, UnreadableFileError
from troubadour.interactions.importers.base import (
    NOW_PLAYING,
    Found,
    Malformed,
    NamedTrack,
    PlayEvent,
    ReadOptions,
    Remark,
)
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

ROLES: Final = (
    "listener", "title", "artist", "album", "time", "kind", "rating", "share", "ms_played", "seconds_played",
    "duration_ms", "duration_seconds", "piece", "mbid", "isrc", "spotify",
)  # fmt: skip
"""Roles of columns. `time` is text or a number (see `unix_seconds`)."""
_KNOWN: Final = {
    "listener": "listener", "user": "listener", "user_id": "listener", "userid": "listener",
    "username": "listener", "title": "title", "track": "title", "track_name": "title", "song": "title",
    "song_name": "title", "track_title": "title", "artists": "artist", "album_name": "album",
    "name": "title", "artist": "artist", "artist_name": "artist", "album": "album", "release": "album",
    "time": "time", "timestamp": "time", "date": "time", "played_at": "time", "listened_at": "time",
    "ts": "time", "uts": "time", "kind": "kind", "event": "kind", "action": "kind", "rating": "rating",
    "stars": "rating", "share": "share", "ms_played": "ms_played", "seconds_played": "seconds_played",
    "duration_ms": "duration_ms", "duration_seconds": "duration_seconds", "duration": "duration_seconds",
    "piece": "piece", "piece_id": "piece", "item": "piece", "item_id": "piece", "mbid": "mbid",
    "recording_mbid": "mbid", "track_mbid": "mbid", "isrc": "isrc", "spotify_track_uri": "spotify",
}  # fmt: skip
_KINDS: Final = {
    "": "play", "play": "play", "played": "play", "listen": "play", "scrobble": "play", "stream": "play",
    "complete": "play", "like": "like", "liked": "like", "love": "like", "loved": "like", "heart": "like",
    "favourite": "like", "favorite": "like", "skip": "skip", "skipped": "skip", "rating": "rating",
    "rate": "rating", "rated": "rating",
}  # fmt: skip
_DELIMITERS: Final = ",;\t|"
_BATCH: Final = 10_000
_MAX_LINE: Final = 2**20
"""Largest length of a line, characters; wide exports have some thousands."""


def looks_like(name: str, head: str) -> bool:
    """Whether a file is a table with at least one known column."""
    header = head.lstrip("\ufeff").splitlines()[0] if head.strip() else ""
    if header.lstrip().startswith(("{", "[", "<")):
        return False  # JSON, XML or HTML
    return bool(set(roles_of(split_row(header), {})) & {"title", "piece", "mbid", "isrc"})


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`.

    Raises:
        InputError: no column names the track, or the map has an unknown column or role.
    """
    if source.name.lower().endswith((".parquet", ".pq")):
        yield from _parquet(source, options)
        return
    with source.text() as stream:
        lines = bounded_lines(stream, source.name)
        first = next(lines, "")
        if not first.strip():
            return
        delimiter = delimiter_of(first)
        header = next(csv.reader([first], delimiter=delimiter))
        roles = _checked(header, options, source.name)
        yield from _unused(header, roles, source.name)
        rows = csv.reader(lines, delimiter=delimiter)
        yield from events(rows, roles, source.name, options)


def events(
    rows: Iterable[Sequence[Any]],
    roles: Mapping[str, int],
    name: str,
    options: ReadOptions,
    first: int = 2,
    *,
    timed: bool = False,
) -> Found:
    """Yields the events of a table's rows.

    Args:
        rows: cells of each row.
        roles: role to column number.
        name: name of the file, for messages.
        options: options of readers.
        first: number of the first row, for messages.
        timed: whether every play has a time; rows without one were then playing at the export.
    """
    number = first - 1
    try:
        for number, row in enumerate(rows, start=first):
            if not any(row):
                continue
            cells = {role: row[i] for role, i in roles.items() if i < len(row)}
            try:
                found = NOW_PLAYING if timed and not _text(cells.get("time")) else _event(cells, options)
            except BadTimeError as error:
                found = str(error)
            yield found if isinstance(found, PlayEvent) else Malformed(f"{name}:{number}", found)
    except csv.Error as error:
        yield Malformed(f"{name}:{number + 1}", f"no CSV: {error}")


def roles_of(header: Sequence[str], chosen: Mapping[str, str]) -> dict[str, int]:
    """Maps roles to column numbers: first the chosen columns, then known names.

    The first column of each role.

    >>> roles_of(["When", "Song", "User"], {"When": "time"})
    {'time': 0, 'title': 1, 'listener': 2}
    """
    names = [h.strip() for h in header]
    roles = {chosen[name]: i for i, name in enumerate(names) if name in chosen}
    for i, name in enumerate(names):
        role = _KNOWN.get(name.lower().replace(" ", "_"))
        if role and name not in chosen:
            roles.setdefault(role, i)
    return roles


def bounded_lines(stream: IO[str], name: str) -> Iterator[str]:
    """Yields the lines of a text with their ends.

    Raises:
        UnreadableFileError: a line is longer than 1 Mi characters.
    """
    while line := stream.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise UnreadableFileError(
                name,
                f"a line of more than {_MAX_LINE:,} characters, which is not a table of plays; export it again as CSV",
            )
        yield line


def delimiter_of(line: str) -> str:
    """Detects the delimiter: the one that gives the most cells."""
    return max(_DELIMITERS, key=line.count)


def split_row(line: str) -> list[str]:
    """Splits one line into cells."""
    try:
        return next(csv.reader([line], delimiter=delimiter_of(line)), [])
    except csv.Error:
        return []


def _checked(header: Sequence[str], options: ReadOptions, name: str) -> dict[str, int]:
    names = [h.strip() for h in header]
    for column, role in options.columns.items():
        if role not in ROLES:
            raise InputError(f"role is '{role}'; allowed: {', '.join(ROLES)}")
        if column not in names:
            raise InputError(f"{name} has no column '{column}'; it has {', '.join(names)}")
    roles = roles_of(header, options.columns)
    if not {"title", "piece", "mbid", "isrc", "spotify"} & set(roles):
        raise InputError(
            f"{name}: no column names the track; it has {', '.join(names)}. "
            "Map one with --map COLUMN=title (or piece, mbid, isrc)"
        )
    return roles


def _unused(header: Sequence[str], roles: Mapping[str, int], name: str) -> Found:
    """Yields a remark on unused columns, because misspelt names are easily missed."""
    unused = [cell.strip() for i, cell in enumerate(header) if i not in roles.values() and cell.strip()]
    if unused:
        yield Remark(name, f"unused columns: {', '.join(unused)}")


def _event(cells: Mapping[str, Any], options: ReadOptions) -> PlayEvent | str:
    named = {scheme: _text(cells.get(scheme)) for scheme in ("piece", "mbid", "isrc", "spotify")}
    named["mbid"], named["isrc"] = named["mbid"].lower(), named["isrc"].upper().replace("-", "")
    named["spotify"] = named["spotify"].rpartition(":")[2]
    track = NamedTrack(
        _text(cells.get("title")),
        _text(cells.get("artist")),
        _text(cells.get("album")),
        tuple((scheme, value) for scheme, value in named.items() if value),
    )
    if not track.title and not track.identifiers:
        return "no title"
    word = _text(cells.get("kind")).lower()
    rated = _number(cells.get("rating"))
    if word not in _KINDS:
        return f"kind is '{word[:20]}'; allowed: play, like, skip, rating"
    kind = "rating" if not word and rated is not None else _KINDS[word]
    value = _number(cells.get("share"))
    if kind == "rating":
        value = None if rated is None else 1 + 4 * (rated - 1) / max(options.rating_max - 1, 1e-9)
        if value is None or not 1 <= value <= 5:
            return f"rating outside 1 to {options.rating_max:g}"
    elif kind == "like":
        value = None
    elif value is not None and not 0 <= value <= 1:
        return "share heard outside 0 to 1"
    return PlayEvent(
        track,
        kind,
        unix_seconds(cells.get("time"), options.now),
        value,
        _seconds(cells, "ms_played", "seconds_played"),
        _seconds(cells, "duration_ms", "duration_seconds"),
        _text(cells.get("listener")),
    )


def _seconds(cells: Mapping[str, Any], milliseconds: str, seconds: str) -> float | None:
    found = _number(cells.get(milliseconds))
    found = _number(cells.get(seconds)) if found is None else found / 1000.0
    return found if found is not None and 0 <= found < 86_400 else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e18 else None  # excludes NaN and infinity


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _parquet(source: Source, options: ReadOptions) -> Found:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow: pip install 'troubadour[parquet]'") from error
    if source.member:
        raise InputError(f"{source.name}: Parquet cannot be read from an archive; unpack it first")
    try:
        with ParquetFile(source.path) as file:
            header = list(file.schema_arrow.names)
            roles = _checked(header, options, source.name)
            yield from _unused(header, roles, source.name)
            number = 1
            for batch in file.iter_batches(_BATCH, columns=[header[i] for i in roles.values()]):
                columns = [batch.column(header[i]).to_pylist() for i in roles.values()]
                places = {role: place for place, role in enumerate(roles)}
                yield from events(zip(*columns, strict=True), places, source.name, options, number)
                number += len(batch)
    except ArrowException as error:
        yield Malformed(source.name, f"no Parquet: {error}")
