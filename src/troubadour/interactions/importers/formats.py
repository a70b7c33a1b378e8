"""Registry of formats, and their detection."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError
from troubadour.interactions.importers import (
    apple,
    deezer,
    lastfm,
    listenbrainz,
    maloja,
    rockbox,
    spotify,
    table,
    youtube,
)
from troubadour.interactions.importers.base import Found, Reader, ReadOptions, Remark
from troubadour.interactions.importers.sources import Source, sources

READERS: Final[dict[str, Reader]] = {
    "listenbrainz": listenbrainz.read,
    "lastfm": lastfm.read,
    "spotify": spotify.read,
    "maloja": maloja.read,
    "rockbox": rockbox.read,
    "apple": apple.read,
    "youtube": youtube.read,
    "deezer": deezer.read,
    "csv": table.read,
}
_SIGNS: Final = (
    ("listenbrainz", listenbrainz.looks_like),
    ("lastfm", lastfm.looks_like),
    ("spotify", spotify.looks_like),
    ("maloja", maloja.looks_like),
    ("rockbox", rockbox.looks_like),
    ("apple", apple.looks_like),
    ("youtube", youtube.looks_like),
    ("deezer", deezer.looks_like),
)
"""At most one detector accepts a file, in any order; tests check this."""
_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".log", ".parquet", ".pq", "")
"""File name endings of possible logs; other files of an export are skipped."""
_REMEDIES: Final = {
    ".xlsx": "a spreadsheet; save its sheet of plays (of Deezer: 10_listeningHistory) as CSV",
    ".xlsm": "a spreadsheet; save its sheet of plays as CSV",
    ".ods": "a spreadsheet; save its sheet of plays as CSV",
    ".html": "HTML; request the history from Google Takeout as JSON",
    ".zip": "an archive within an archive; unpack it first",
    ".xml": "XML; export as JSON or CSV",
    ".gz": "packed; unpack it first",
}


def format_of(source: Source) -> str:
    """Detects the format of a file by its content; "" = unknown."""
    if source.name.lower().endswith((".parquet", ".pq")):
        return "csv"
    if _suffix(source) not in _ENDINGS:
        return ""
    return _format_of(source.name, source.head())


def _format_of(name: str, head: str) -> str:
    found = next((form for form, sign in _SIGNS if sign(name, head)), "")
    return found or ("csv" if table.looks_like(name, head) else "")


def read_plays(path: Path, form: str, options: ReadOptions) -> Found:
    """Reads all events of a file, folder or zip archive of exports.

    Args:
        path: file, folder or zip archive.
        form: one of `READERS`, or `auto` to detect the format of each file; files of unknown format yield a
            remark.
        options: options of readers.

    Raises:
        InputError: the file or format does not exist, or the columns of a table are unknown.
        UnreadableFileError: a file cannot be read, or exceeds the size limit.
    """
    if form != "auto" and form not in READERS:
        raise InputError(f"format is '{form}'; allowed: auto, {', '.join(READERS)}")
    found = sources(path)
    log = _apple_log(found) if form in ("auto", "apple") and len(found) > 1 else ""
    for source in found:
        chosen = form
        if form == "auto":
            chosen = "csv" if options.columns else format_of(source)
        elif _suffix(source) not in _ENDINGS:
            chosen = ""
        if not chosen:
            remedy = _REMEDIES.get(_suffix(source), "")
            yield Remark(source.name, f"not a log of plays; skipped{': ' if remedy else ''}{remedy}")
            continue
        if log and chosen == "apple" and apple.is_summary(source.head()):
            yield Remark(source.name, f"repeats the plays of {log}; skipped")
            continue
        encoding = "" if source.name.lower().endswith((".parquet", ".pq")) else source.encoding()
        if encoding not in ("", "utf-8", "utf-8-sig", "utf-16", "utf-32"):
            yield Remark(source.name, f"encoding not declared; read as {encoding}")
        yield from READERS[chosen](source, options)


def _suffix(source: Source) -> str:
    name = Path(source.name).name
    return Path(name).suffix.lower() if not name.startswith(".") else Path("x" + name).suffix.lower()


def _apple_log(found: list[Source]) -> str:
    """Returns the name of Apple Music's log of single plays; "" = none."""
    return next((s.name for s in found if _suffix(s) == ".csv" and apple.is_log(s.head())), "")
