"""The formats by name, and which one a file is of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError
from troubadour.interactions.importers import lastfm, listenbrainz, spotify, table
from troubadour.interactions.importers.base import Found, Reader, ReadOptions, Remark
from troubadour.interactions.importers.sources import Source, sources

READERS: Final[dict[str, Reader]] = {
    "listenbrainz": listenbrainz.read,
    "lastfm": lastfm.read,
    "spotify": spotify.read,
    "csv": table.read,
}
_SIGNS: Final = (
    ("listenbrainz", listenbrainz.looks_like),
    ("spotify", spotify.looks_like),
    ("lastfm", lastfm.looks_like),
    ("csv", table.looks_like),
)
_ENDINGS: Final = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".parquet", ".pq", "")
"""What is looked at; pictures, PDFs and the like in an export are passed over."""


def format_of(source: Source) -> str:
    """The format of a file, or nothing where it is of none."""
    if source.name.lower().endswith((".parquet", ".pq")):
        return "csv"
    if Path(source.name).suffix.lower() not in _ENDINGS:
        return ""
    head = source.head()
    return next((name for name, sign in _SIGNS if sign(source.name, head)), "")


def read_plays(path: Path, form: str, options: ReadOptions) -> Found:
    """Everything of a file, folder or zip archive of exports.

    Args:
        form: one of `READERS`, or `auto`: each file's is found out, and files of none are told.

    Raises:
        InputError: there is no such file or format, or a table's columns are not understood.
        UnreadableFileError: a file cannot be read, or is larger than allowed.
    """
    if form != "auto" and form not in READERS:
        raise InputError(f"format is '{form}'; allowed: auto, {', '.join(READERS)}")
    for source in sources(path):
        chosen = form
        if form == "auto":
            chosen = "csv" if options.columns else format_of(source)
        elif len(Path(source.name).suffix) and Path(source.name).suffix.lower() not in _ENDINGS:
            chosen = ""
        if not chosen:
            yield Remark(source.name, "no log of plays; passed over")
            continue
        encoding = "" if source.name.lower().endswith((".parquet", ".pq")) else source.encoding()
        if encoding not in ("", "utf-8", "utf-8-sig", "utf-16", "utf-32"):
            yield Remark(source.name, f"tells no encoding; read as {encoding}")
        yield from READERS[chosen](source, options)
