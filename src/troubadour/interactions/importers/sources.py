"""Text files on disk and in zip archives, with encoding detection and size limits."""

from __future__ import annotations

import codecs
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from troubadour.core.errors import InputError, UnreadableFileError

MAX_BYTES: Final = 4 * 2**30
"""Size limit of one file, or of one archive after decompression, bytes."""
MAX_ENTRIES: Final = 10_000
"""Largest number of files in one archive."""
MAX_RATIO: Final = 200
"""Largest compression ratio of a file in an archive; logs of plays reach 30."""
_SMALL: Final = 10 * 2**20
"""Size below which the ratio is not checked, bytes."""
_BLOCK: Final = 2**20
_SPREADSHEETS: Final = (".xlsx", ".xlsm", ".ods")
"""Zip archives that are documents."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file on disk or in an archive."""

    name: str
    """Name for messages: file name, with the path in the archive."""
    path: Path
    member: str = ""
    """Path in the archive `path`; "" = `path` is the file."""

    @contextmanager
    def binary(self) -> Iterator[IO[bytes]]:
        """Opens the file for bytes.

        Raises:
            UnreadableFileError: the file or archive cannot be read, or exceeds the size limit.
        """
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    yield _Bounded(file, self.name)
                return
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield _Bounded(file, self.name)
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise UnreadableFileError(self.name, str(error)) from error

    @contextmanager
    def text(self) -> Iterator[IO[str]]:
        """Opens the file for text in the detected encoding; line ends are not converted."""
        encoding = self.encoding()
        with self.binary() as file:
            # The encoding was tested on the whole file: only a character truncated at the end is replaced.
            yield io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")

    def encoding(self) -> str:
        """Detects the encoding: by byte order mark, else UTF-8, UTF-16 or Windows-1252.

        Cost: one pass over the file, because its only non-ASCII character can be in the last line.
        """
        with self.binary() as file:
            head = file.read(4)
            marked = next((name for mark, name in _BOMS if head.startswith(mark)), "")
            if marked:
                return marked
            start = head + file.read(4092)
            odd, even = start[1::2].count(0), start[0::2].count(0)
            if max(odd, even) > len(start) // 8:  # in UTF-16, every second byte of Latin letters is 0
                return "utf-16-le" if odd > even else "utf-16-be"
            utf8 = codecs.getincrementaldecoder("utf-8")()
            western = codecs.getincrementaldecoder("cp1252")()
            possible = {"utf-8": utf8, "cp1252": western}
            block = start
            while block:
                for name in tuple(possible):
                    try:
                        possible[name].decode(block)
                    except UnicodeDecodeError:
                        del possible[name]
                block = file.read(_BLOCK)
            if "utf-8" in possible:
                try:
                    utf8.decode(b"", final=True)
                    return "utf-8"
                except UnicodeDecodeError:
                    if len(possible) == 1:  # truncated within a character, and no other encoding fits
                        return "utf-8"
            return "cp1252" if "cp1252" in possible else "latin-1"

    def head(self, n: int = 16_384) -> str:
        """Returns the first n characters, for detection; the widest known header has 4,000."""
        with self.text() as file:
            return file.read(n)


class _Bounded(io.RawIOBase, IO[bytes]):
    """Stream that raises an error beyond `MAX_BYTES`, whatever size the header states."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name, self._left = file, name, MAX_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableFileError(self._name, f"more than {MAX_BYTES >> 30} GiB; split it")
        return data

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


def sources(path: Path) -> list[Source]:
    """Lists the files at a path: one file, the files of a folder, or those of a zip archive.

    Feedback is listed after plays, because it can name tracks by ids that only plays resolve.

    Raises:
        InputError: the path does not exist, or contains no file.
        UnreadableFileError: the archive is damaged or encrypted, or exceeds a limit.
    """
    if path.is_dir():
        found = [
            s
            for p in sorted(path.rglob("*"))
            if p.is_file() and not _hidden(p.name)
            for s in _of_file(p, path)
        ]
    elif path.is_file():
        found = _of_file(path, path.parent)
    else:
        raise InputError(f"no file or folder '{path}'")
    if not found:
        raise InputError(f"'{path}' contains no file")
    return sorted(found, key=lambda s: ("feedback" in s.name.lower(), s.name))


def _of_file(path: Path, root: Path) -> list[Source]:
    name = path.relative_to(root).as_posix()
    if path.suffix.lower() in _SPREADSHEETS or not zipfile.is_zipfile(path):
        return [Source(name, path)]
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableFileError(name, str(error)) from error
    if len(entries) > MAX_ENTRIES:
        raise UnreadableFileError(name, f"{len(entries)} files in it; allowed: {MAX_ENTRIES}")
    total = sum(e.file_size for e in entries)
    if total > MAX_BYTES:
        raise UnreadableFileError(name, f"decompresses to {total >> 20} MiB; allowed: {MAX_BYTES >> 20}")
    for entry in entries:
        if entry.flag_bits & 1:
            raise UnreadableFileError(name, f"{entry.filename} is encrypted; unpack it first")
        if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
            raise UnreadableFileError(
                name,
                f"{entry.filename} has a compression ratio of {MAX_RATIO} or more, which is not a log of plays",
            )
    return [
        Source(f"{name}:{e.filename}", path, e.filename)
        for e in entries
        if not _hidden(Path(e.filename).name) and "__MACOSX" not in e.filename
    ]


def _hidden(name: str) -> bool:
    """Whether a file is hidden; logs of portable players (`.scrobbler.log`) are not."""
    return name.startswith(".") and not name.lower().endswith(".log")
