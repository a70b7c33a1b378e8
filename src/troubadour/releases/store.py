"""Immutable model artefacts, and releases that name matching sets of them.

An artefact is a folder of files named after the SHA-256 of its content. A release is a manifest
that names one artefact for each part (composer, recommender, ...). A pointer file names the live
release and the previous one. Everything is written to a temporary name, synced and renamed: a reader
sees the old release or the new one, never a mixture. Hashes are checked before a model is used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from troubadour.core.errors import InputError, ModelError, NotFoundError, StorageError
from troubadour.core.files import sync, write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POINTER: Final = "pointer.json"
Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Release:
    """A matching set of models."""

    id: str
    """Ascending in time: `r0001`, `r0002`, ..."""
    parts: Mapping[str, str]
    """Artefact of each part: `composer` -> `composer-3f2a...`."""
    created: float
    """Unix seconds."""
    notes: Mapping[str, Any]
    """Training data and evaluation of the models, JSON-able."""


class Releases:
    """All releases under one home folder.

    Args:
        home: folder of one installation; its subfolder `models` is used.
    """

    def __init__(self, home: Path) -> None:
        self._root = home / "models"
        self._artefacts = self._root / "artefacts"
        self._manifests = self._root / "releases"

    # Artefacts --------------------------------------------------------------------------------

    def add(self, part: str, write: Callable[[Path], None]) -> str:
        """Publish an artefact.

        Args:
            part: name of the part, such as `composer`.
            write: function that fills an empty folder with the artefact's files.

        Returns:
            The artefact's name: part and hash of the content.

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
                    sync(path)
                sync(stage)
                stage.chmod(0o755)
                stage.replace(target)
                sync(self._artefacts)
                return name
            finally:
                shutil.rmtree(stage, ignore_errors=True)
        except OSError as error:
            raise StorageError(
                f"{self._artefacts}: cannot publish {part}: {error}; free disk space or check permissions, then repeat"
            ) from error

    def folder(self, artefact: str) -> Path:
        """Folder of an artefact; its hashes are checked.

        Raises:
            NotFoundError: there is no such artefact.
            ModelError: a file is missing or its content does not match its hash.
        """
        folder = self._artefacts / artefact
        if not folder.is_dir():
            raise NotFoundError(
                f"no artefact '{artefact}' in {self._artefacts}; train again, or restore the folder from a backup"
            )
        if not _intact(folder):
            raise ModelError(
                f"{folder} is damaged (a file does not match its SHA-256); "
                "train again, go back with `Releases.rollback()`, or restore the folder from a backup"
            )
        return folder

    # Releases ---------------------------------------------------------------------------------

    def publish(self, parts: Mapping[str, str], notes: Mapping[str, Any]) -> Release:
        """Write the manifest of a release; the release is not live yet.

        Args:
            parts: artefact of each part.
            notes: training data and evaluation, JSON-able.

        Raises:
            StorageError: the manifest cannot be written.
        """
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
        """Release by id.

        Raises:
            NotFoundError: there is no such release; the message lists the existing ones.
            ModelError: the manifest is damaged.
        """
        path = self._manifests / f"{release}.json"
        if not path.is_file():
            known = ", ".join(self.ids()) or "none yet"
            raise NotFoundError(f"no release '{release}'; existing releases: {known}")
        try:
            return Release(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"{path} is not a release manifest: {error}; restore it from a backup, or promote another release"
            ) from error

    def ids(self) -> list[str]:
        """Ids of all releases, oldest first."""
        return sorted(p.stem for p in self._manifests.glob("r[0-9]*.json"))

    def live(self) -> Release | None:
        """The live release; None before the first promotion."""
        pointer = self._pointer()
        return self.get(pointer["live"]) if pointer.get("live") else None

    def previous(self) -> Release | None:
        """The release that `rollback` would make live; None if there is none."""
        pointer = self._pointer()
        return self.get(pointer["previous"]) if pointer.get("previous") else None

    def point(self, *, live: str, previous: str | None) -> None:
        """Set the live release and the previous one in one atomic step.

        Raises:
            NotFoundError: there is no such release.
            StorageError: the pointer cannot be written.
        """
        self.get(live)
        if previous is not None:
            self.get(previous)
        _write(self._root / _POINTER, {"live": live, "previous": previous})

    def remove(self, names: Iterable[str]) -> list[str]:
        """Delete releases and the artefacts that no other release names.

        Returns:
            Ids of the deleted releases.

        Raises:
            InputError: one of them is live or the previous one.
            NotFoundError: one of them does not exist.
        """
        gone = [self.get(name) for name in names]
        if not gone:
            return []
        pointer = self._pointer()
        held = {pointer.get("live"), pointer.get("previous")} & {r.id for r in gone}
        if held:
            raise InputError(
                f"release {held.pop()} is live or the previous one and cannot be deleted; promote another release first"
            )
        for release in gone:
            (self._manifests / f"{release.id}.json").unlink(missing_ok=True)
        sync(self._manifests)
        kept = {artefact for name in self.ids() for artefact in self.get(name).parts.values()}
        for artefact in {a for release in gone for a in release.parts.values()} - kept:
            shutil.rmtree(self._artefacts / artefact, ignore_errors=True)
        return [release.id for release in gone]

    def promote(self, release: str) -> None:
        """Make a release live; the release that was live becomes the previous one.

        Raises:
            NotFoundError: there is no such release.
            StorageError: the pointer cannot be written.
        """
        self.get(release)
        before = self._pointer().get("live")
        _write(self._root / _POINTER, {"live": release, "previous": before})

    def rollback(self) -> Release:
        """Make the previous release live again; the live one becomes the previous one.

        Raises:
            NotFoundError: there is no previous release.
            StorageError: the pointer cannot be written.
        """
        pointer = self._pointer()
        if not pointer.get("previous"):
            known = ", ".join(self.ids()) or "none yet"
            raise NotFoundError(f"there is no previous release to go back to; releases to promote: {known}")
        _write(self._root / _POINTER, {"live": pointer["previous"], "previous": pointer["live"]})
        return self.get(pointer["previous"])

    def _pointer(self) -> dict[str, Any]:
        path = self._root / _POINTER
        try:
            return json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            raise ModelError(f"{path} is damaged: {error}; delete it, then promote a release") from error


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


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically."""
    try:
        write_file(path, json.dumps(document, indent=1))
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error}; free disk space or check permissions"
        ) from error


def save_state(folder: Path, stem: str, state: tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]) -> None:
    """Write the state of a fitted model as `stem.json` and `stem.npz`.

    Args:
        folder: folder of the artefact.
        stem: file name without its ending.
        state: JSON-able spec, and arrays by name.
    """
    import numpy as np

    spec, arrays = state
    (folder / f"{stem}.json").write_text(json.dumps(spec))
    np.savez(folder / f"{stem}.npz", allow_pickle=False, **arrays)


def load_state(
    folder: Path, stem: str, build: Callable[[Any, dict[str, NDArray[Any]]], Model], what: str
) -> Model:
    """Build a model from the files that `save_state` wrote.

    Args:
        folder: folder of the artefact.
        stem: file name without its ending.
        build: constructor that takes the spec and the arrays.
        what: name of the model in error messages.

    Raises:
        ModelError: the files are damaged or of another version.
    """
    import numpy as np

    try:
        spec = json.loads((folder / f"{stem}.json").read_text())
        with np.load(folder / f"{stem}.npz", allow_pickle=False) as arrays:
            return build(spec, dict(arrays))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: the {what} cannot be read: {error}; train again, or go back with `Releases.rollback()`"
        ) from error
