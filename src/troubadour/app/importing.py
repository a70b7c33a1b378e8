"""Import of scores and recordings into the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from troubadour.app.audio_library.importing import import_recordings, recordings_in
from troubadour.app.audio_library.pool import Workers
from troubadour.catalogue.importing import ImportReport, import_pieces
from troubadour.catalogue.store import Store
from troubadour.core.progress import Progress
from troubadour.corpora.builtin import DEFAULT, collection, read_collection
from troubadour.corpora.folder import files_in, read_path


def import_builtin(
    store: Store,
    names: Sequence[str] = DEFAULT,
    *,
    accept_terms: bool = False,
    progress: Progress | None = None,
) -> list[ImportReport]:
    """Import built-in collections; pieces already present are skipped.

    Args:
        store: the catalogue.
        names: names of collections.
        accept_terms: states that the caller accepts the terms of restricted collections.
        progress: callback.

    Returns:
        One report per collection.

    Raises:
        InputError: a collection is unknown, or its terms are not accepted.
        MissingExtraError: the music21 package is not installed.
    """
    reports: list[ImportReport] = []
    for name in names:
        chosen = collection(name)
        source = read_collection(name, accept_terms=accept_terms)
        reports.append(import_pieces(store, source, name, progress, stage=chosen.title, total=chosen.count))
    return reports


def import_folder(store: Store, path: Path, progress: Progress | None = None) -> ImportReport:
    """Import the scores in a file or folder.

    Raises:
        InputError: there is no such file or folder.
    """
    return import_pieces(store, read_path(path), path.resolve().name, progress, stage=str(path))


def import_path(
    store: Store,
    path: Path,
    progress: Progress | None = None,
    workers: Workers | None = None,
    *,
    retry: bool = False,
) -> list[ImportReport]:
    """Import a file or folder: scores in this process, recordings in worker processes.

    Args:
        store: the catalogue.
        path: file or folder.
        progress: callback.
        workers: processes that measure recordings. Default: one.
        retry: measure recordings again that were refused before.

    Returns:
        One report for scores and one for recordings, if there are any.

    Raises:
        InputError: there is no such file or folder.
    """
    name, reports = path.resolve().name, list[ImportReport]()
    recordings = recordings_in(path)
    if files_in(path) and recordings != [path]:
        reports.append(import_folder(store, path, progress))
    if recordings:
        report = import_recordings(store, path, name, workers or Workers(), retry=retry, progress=progress)
        reports.append(report)
    return reports or [ImportReport(name)]
