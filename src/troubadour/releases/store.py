"""Immutable artefacts and the releases that name matching sets of them.

An artefact is a folder of files named after the SHA-256 of its content. A release is a manifest
that names one artefact for each part (composer, recommender, ...). One pointer says which release
is live and which was before it. Everything is staged, synced and renamed: a reader sees the old
release or the new one, never half of one, and a flipped byte is found before a model is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from troubadour.core.errors import InputError, ModelError, NotFoundError, StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POINTER: Final = "pointer.json"
Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Release:
    """A matching set of models."""

    id: str
    """Rises with time: `r0001`, `r0002`, ..."""
    parts: Mapping[str, str]
    """Artefact of each part: `composer` -> `composer-3f2a...`."""
    created: float
    """Unix seconds."""
    notes: Mapping[str, Any]
    """What it was made from and how it was measured, JSON-able."""


class Releases:
    """All releases under one home folder.

    Args:
        home: where everything of one installation lives; its `models` folder is used.
    """

    def __init__(self, home: Path) -> None:
        self._root = home / "models"
        self._artefacts = self._root / "artefacts"
        self._manifests = self._root / "releases"

    # Artefacts --------------------------------------------------------------------------------

    def add(self, part: str, write: Callable[[Path], None]) -> str:
        """Publish an artefact: `write` fills an empty folder; its name is returned.

        Raises:
            StorageError: the disk is full or not writable; nothing is published.
        """
        try:
            self._artefacts.mkdir(parents=True, exist_ok=True)
            stage = Path(tempfile.mkdtemp(prefix=".stage-", dir=self._artefacts))
            try:
                write(stage)
                files = {p.name: _sha256(p) for p in sorted(stage.iterdir())}
                (stage / "files.json").write_text(json.dumps(files, indent=1, sort_keys=True))
                name = f"{part}-{_digest(files)}"
                target = self._artefacts / name
                if target.exists() and _intact(target):
                    return name
                shutil.rmtree(target, ignore_errors=True)
                for path in stage.iterdir():
                    _sync(path)
                _sync(stage)
                stage.chmod(0o755)
                stage.replace(target)
                _sync(self._artefacts)
                return name
            finally:
                shutil.rmtree(stage, ignore_errors=True)
        except OSError as error:
            raise StorageError(f"{self._artefacts}: cannot publish {part}: {error}") from error

    def folder(self, artefact: str) -> Path:
        """Folder of an artefact, its hashes checked.

        Raises:
            NotFoundError: there is no such artefact.
            ModelError: a file is missing or does not have the content that its name promises.
        """
        folder = self._artefacts / artefact
        if not folder.is_dir():
            raise NotFoundError(f"no artefact '{artefact}' in {self._artefacts}")
        if not _intact(folder):
            raise ModelError(f"{folder} is damaged (a file does not match its SHA-256)")
        return folder

    # Releases ---------------------------------------------------------------------------------

    def publish(self, parts: Mapping[str, str], notes: Mapping[str, Any]) -> Release:
        """Write the manifest of a release; it is not live yet."""
        self._manifests.mkdir(parents=True, exist_ok=True)
        numbers = [int(p.stem[1:]) for p in self._manifests.glob("r[0-9]*.json")]
        release = Release(f"r{max(numbers, default=0) + 1:04d}", dict(parts), time.time(), dict(notes))
        document = {
            "id": release.id,
            "parts": release.parts,
            "created": release.created,
            "notes": release.notes,
        }
        _write(self._manifests / f"{release.id}.json", document)
        return release

    def get(self, release: str) -> Release:
        """A release by id.

        Raises:
            NotFoundError: there is none; the message lists those that exist.
        """
        path = self._manifests / f"{release}.json"
        if not path.is_file():
            known = ", ".join(self.ids()) or "none yet"
            raise NotFoundError(f"no release '{release}'; there are: {known}")
        try:
            return Release(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise ModelError(f"{path} is not a release: {error}") from error

    def ids(self) -> list[str]:
        """Releases in the order of their making."""
        return sorted(p.stem for p in self._manifests.glob("r[0-9]*.json"))

    def live(self) -> Release | None:
        """The release that serves; nothing before the first."""
        pointer = self._pointer()
        return self.get(pointer["live"]) if pointer.get("live") else None

    def previous(self) -> Release | None:
        """The release that `rollback` would make live, if there is one."""
        pointer = self._pointer()
        return self.get(pointer["previous"]) if pointer.get("previous") else None

    def point(self, *, live: str, previous: str | None) -> None:
        """Say which release is live and which one can be rolled back to, in one step.

        Raises:
            NotFoundError: there is no such release.
        """
        self.get(live)
        if previous is not None:
            self.get(previous)
        _write(self._root / _POINTER, {"live": live, "previous": previous})

    def remove(self, names: Iterable[str]) -> list[str]:
        """Delete releases and the artefacts that only they name; the ids of those deleted.

        Raises:
            InputError: one of them is live or could be rolled back to.
        """
        gone = [self.get(name) for name in names]
        if not gone:
            return []
        pointer = self._pointer()
        held = {pointer.get("live"), pointer.get("previous")} & {r.id for r in gone}
        if held:
            raise InputError(f"release {held.pop()} is live or the previous one; promote another first")
        for release in gone:
            (self._manifests / f"{release.id}.json").unlink(missing_ok=True)
        _sync(self._manifests)
        kept = {artefact for name in self.ids() for artefact in self.get(name).parts.values()}
        for artefact in {a for release in gone for a in release.parts.values()} - kept:
            shutil.rmtree(self._artefacts / artefact, ignore_errors=True)
        return [release.id for release in gone]

    def promote(self, release: str) -> None:
        """Make a release live; the one that was so far can be rolled back to."""
        self.get(release)
        before = self._pointer().get("live")
        _write(self._root / _POINTER, {"live": release, "previous": before})

    def rollback(self) -> Release:
        """Make the previous release live again.

        Raises:
            NotFoundError: there is no previous release.
        """
        pointer = self._pointer()
        if not pointer.get("previous"):
            raise NotFoundError("there is no previous release to go back to")
        _write(self._root / _POINTER, {"live": pointer["previous"], "previous": pointer["live"]})
        return self.get(pointer["previous"])

    def _pointer(self) -> dict[str, Any]:
        path = self._root / _POINTER
        try:
            return json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            raise ModelError(f"{path} is damaged: {error}; delete it and promote a release") from error


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def _intact(folder: Path) -> bool:
    try:
        files = json.loads((folder / "files.json").read_text())
        named = folder.name.rpartition("-")[2] == _digest(files)
        return named and all(_sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step."""
    try:
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(document, indent=1))
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error}") from error


def save_state(folder: Path, stem: str, state: tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]) -> None:
    """Write what was learnt into an artefact: JSON and arrays, under one name."""
    import numpy as np

    spec, arrays = state
    (folder / f"{stem}.json").write_text(json.dumps(spec))
    np.savez(folder / f"{stem}.npz", allow_pickle=False, **arrays)


def load_state(
    folder: Path, stem: str, build: Callable[[Any, dict[str, NDArray[Any]]], Model], what: str
) -> Model:
    """Build a model of what `save_state` wrote.

    Raises:
        ModelError: it is damaged or of another version.
    """
    import numpy as np

    try:
        spec = json.loads((folder / f"{stem}.json").read_text())
        with np.load(folder / f"{stem}.npz", allow_pickle=False) as arrays:
            return build(spec, dict(arrays))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no {what} can be read there: {error}") from error
