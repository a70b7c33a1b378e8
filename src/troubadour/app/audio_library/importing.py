"""Import of recordings into the catalogue, identified by their content; safe to interrupt."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troubadour.app.audio_library.encoders import encoder_folder
from troubadour.app.audio_library.pool import Workers
from troubadour.audio.read import SUFFIXES, looks_like_audio
from troubadour.catalogue.importing import ImportReport
from troubadour.catalogue.sounds import SoundRow
from troubadour.catalogue.store import NewPiece, Store
from troubadour.catalogue.works import split_of
from troubadour.core.progress import Progress
from troubadour.corpora.folder import files_in


def recordings_in(path: Path) -> list[Path]:
    """Audio files at or below a path, detected by suffix or by first bytes, sorted.

    Raises:
        InputError: there is no such file or folder.
    """
    found = []
    for file in files_in(path, SUFFIXES):
        try:
            with file.open("rb") as opened:
                start = opened.read(64)
        except OSError:
            start = b""
        # A file with an audio suffix but other content is reported as unreadable, not skipped.
        if file.suffix.lower() in SUFFIXES or looks_like_audio(start):
            found.append(file)
    return found


def import_recordings(
    store: Store,
    path: Path,
    collection: str,
    workers: Workers,
    *,
    retry: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import the recordings at or below a path; files measured before are not measured again.

    Files are identified by the SHA-256 of their content. The piece, its features and its journal entry are
    stored in one transaction as soon as a file is measured. After an interrupted import only the files in
    progress (one per worker) are measured again.

    Args:
        store: the catalogue.
        path: file or folder.
        collection: name of the collection for the new pieces.
        workers: processes that measure files.
        retry: measure files again that were refused before.
        progress: callback, called after each file.

    Raises:
        StorageError: the disk is full; pieces stored before remain.
    """
    report = ImportReport(collection)
    files = recordings_in(path)
    journal = store.sounds.files()
    kinds: Counter[str] = Counter()
    done = 0

    def new() -> Iterator[tuple[Path, str]]:
        nonlocal done
        seen: set[str] = set()
        for file in files:
            report.read += 1
            try:
                digest = _sha256(file)
            except OSError as error:
                report.unreadable.append((str(file), error.strerror or str(error)))
                done += 1
                continue
            known = journal.get(digest)
            if known is not None and known.piece:
                if known.path == str(file.resolve()):
                    report.present += 1
                else:
                    report.duplicates.append((file.name, known.piece))
                done += 1
            elif known is not None and not retry:
                report.unreadable.append((str(file), known.cause))
                done += 1
            elif digest in seen:
                report.duplicates.append((file.name, piece_id_of(digest)))
                done += 1
            else:
                seen.add(digest)
                yield file, digest

    workers = replace(workers, encoder=encoder_folder(store))
    for (file, digest), found in workers.run(new(), lambda task: {"path": str(task[0])}):
        done += 1
        if progress:
            progress(f"{path} recordings", done, len(files))
        if "cause" in found:
            cause = found["cause"].removeprefix(f"{file}: ")
            store.sounds.refuse(digest, str(file.resolve()), cause)
            report.unreadable.append((str(file), cause))
            continue
        piece = recording_piece(file, digest, found, collection)
        store.sounds.add_recording(
            piece, sound_row(piece.id, "recording", found), digest, str(file.resolve())
        )
        report.added += 1
        for warning in piece.quality:
            kinds[warning.split(":")[0].split(" from ")[0]] += 1
    if progress:
        progress(f"{path} recordings", len(files), len(files))
    report.repaired = dict(kinds)
    return report


def piece_id_of(digest: str) -> str:
    """Id of a recording: `a` and the first eleven digits of its content's SHA-256."""
    return f"a{digest[:11]}"


def recording_piece(file: Path, digest: str, found: dict[str, Any], collection: str) -> NewPiece:
    """Catalogue piece of a recording: no notes, metadata from the tags."""
    tags = found["tags"]
    identity = piece_id_of(digest)
    named = {scheme: tags[scheme] for scheme in ("isrc", "mbid") if tags[scheme]}
    provenance = {k: tags[k] for k in ("genre", "year") if tags[k]} | dict(tags["other"])
    return NewPiece(
        id=identity,
        title=tags["title"] or file.name.partition(".")[0].replace("_", " ").strip() or file.name,
        score=None,
        work=identity,
        split=split_of(identity),
        fingerprint="",
        grams=np.zeros(0, dtype=np.uint32),
        attributes=found["attributes"],
        artist=tags["artist"],
        album=tags["album"],
        collection=collection,
        source=file.name,
        licence=tags["licence"],
        quality=tuple(found["warnings"]),
        provenance={**provenance, "sha256": digest},
        medium="audio",
        duration_seconds=float(found["seconds"]),
        identifiers=named,
    )


def sound_row(piece: str, origin: str, found: dict[str, Any]) -> SoundRow:
    """Worker's answer as a row of the catalogue."""
    mean = unpacked(found["timbre_mean"])
    return SoundRow(
        piece,
        int(found["version"]),
        origin,
        unpacked(found["statistics"]),
        mean,
        unpacked(found["timbre_covariance"]).reshape(len(mean), len(mean)),
        unpacked(found["embedding"]) if found["embedding"] else None,
        found["encoder"],
        found["facts"],
    )


def unpacked(text: str) -> NDArray[np.float32]:
    """Decoded float32 array of a worker's answer, shape (n,)."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
