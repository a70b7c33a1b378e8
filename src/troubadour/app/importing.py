"""Import of scores and recordings into the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Import built-in collections; a second time changes nothing."""
    reports: list[ImportReport] = []
    for name in names:
        chosen = collection(name)
        source = read_collection(name, accept_terms=accept_terms)
        reports.append(import_pieces(store, source, name, _counter(progress, chosen.title, chosen.count)))
    return reports


def import_folder(store: Store, path: Path, progress: Progress | None = None) -> ImportReport:
    """Import the scores in a file or folder of the user's own."""
    return import_pieces(store, read_path(path), path.resolve().name, _counter(progress, str(path), 0))


def import_path(
    store: Store,
    path: Path,
    progress: Progress | None = None,
    workers: Workers | None = None,
    *,
    retry: bool = False,
) -> list[ImportReport]:
    """Import a file or folder of the user's own: scores, and recordings in worker processes.

    Args:
        retry: try recordings again that were refused before.

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


def _counter(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda done: progress(what, done, total)
