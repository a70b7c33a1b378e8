"""Music from files and folders; a file's format is detected from its content, not from its name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.abc.read import read_abc_file
from troubadour.formats.midi import is_midi, read_midi_file
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.formats.musicxml.archive import looks_like_xml
from troubadour.music.piece import Piece, Unreadable

_MIDI: Final = (".mid", ".midi", ".kar", ".rmi", ".smf")
SUFFIXES: Final = (*_MIDI, ".abc", ".xml", ".musicxml", ".mxl")
MAX_FILES: Final = 1_000_000


def files_in(path: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files at or below a path with one of the suffixes, sorted; symbolic links are not followed.

    Raises:
        InputError: there is no such file or folder, or it holds more than `MAX_FILES` files.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"no file or folder '{path}'")
    found: list[Path] = []
    for folder, folders, names in os.walk(path, followlinks=False):
        folders.sort()
        found += [
            Path(folder, name)
            for name in sorted(names)
            if Path(name).suffix.lower() in suffixes and not Path(folder, name).is_symlink()
        ]
        if len(found) > MAX_FILES:
            raise InputError(f"more than {MAX_FILES} files in '{path}'; import its folders one by one")
    return found


def read_path(path: Path) -> Iterator[Piece | Unreadable]:
    """All pieces in a file or folder; unreadable files are yielded as `Unreadable` and do not stop the rest.

    Raises:
        InputError: there is no such file or folder.
    """
    for file in files_in(path):
        yield from read_file(file)


def read_file(path: Path) -> Iterator[Piece | Unreadable]:
    """Pieces in one file; the format is detected from its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
        if not start:
            yield Unreadable(str(path), "empty file")
        elif is_midi(start) or (path.suffix.lower() in _MIDI and b"MThd" in start):
            yield _named(read_midi_file(path), path)
        elif start[:2] == b"PK" or looks_like_xml(start):
            yield _named(read_musicxml_file(path), path)
        elif path.suffix.lower() == ".abc" or start.lstrip().startswith((b"X:", b"%abc")):
            for item in read_abc_file(path):
                yield item if isinstance(item, Unreadable) else _named(item, path)
        else:
            yield Unreadable(str(path), f"not MIDI, MusicXML or ABC, although its name ends in {path.suffix}")
    except UnreadableFileError as error:
        yield Unreadable(str(path), error.cause)
    except OSError as error:
        yield Unreadable(str(path), error.strerror or str(error))


def _named(piece: Piece, path: Path) -> Piece:
    return piece.replace(source=path.name)


__all__ = ["SUFFIXES", "files_in", "read_file", "read_path"]
