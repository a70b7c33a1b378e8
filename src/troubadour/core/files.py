"""Atomic replacement of files: a reader sees the old content or the new one, never a part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context manager that replaces a file in one step.

    Yields a temporary path in the same folder. The caller writes the whole file there. On leaving,
    the file is synced, renamed to `path`, and the folder is synced; after an exception `path` stays
    as it was. Costs two fsync calls.

    Args:
        path: the file to replace; its folder must exist.

    Raises:
        OSError: the file cannot be written; callers add the remedy.
    """
    # The process id keeps two writers apart. The ending is kept: some writers append their own otherwise.
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_file(path: Path, data: bytes | str) -> None:
    """Replace a file with `data` in one step; text is written as UTF-8.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def sync(path: Path) -> None:
    """Flush a file or folder from the system's cache to the disk.

    Raises:
        OSError: the path does not exist or the disk fails.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
