"""Import of scores: quantisation, quality check, duplicate detection, assignment of works and splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from troubadour.catalogue.store import NewPiece, Store
from troubadour.catalogue.works import assign_works
from troubadour.core.errors import InputError
from troubadour.core.progress import Progress
from troubadour.music.exact import same_music
from troubadour.music.features import attributes, feature_vector
from troubadour.music.fingerprint import fingerprint, grams
from troubadour.music.marks import NOTATION
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.quality import check, describe
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

_BATCH: Final = 250


@dataclass(slots=True)
class ImportReport:
    """Result of an import of pieces."""

    collection: str
    read: int = 0
    added: int = 0
    present: int = 0
    """Number of pieces that were in the catalogue already."""
    duplicates: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Skipped duplicates: (title, id of the equal piece)."""
    near_duplicates: list[tuple[str, str, float]] = field(default_factory=list[tuple[str, str, float]])
    """Variants, stored with the same work: (id, id of the variant, share of common n-grams)."""
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Unreadable files: (file, cause)."""
    dropped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Refused pieces: (title, reason)."""
    repaired: dict[str, int] = field(default_factory=dict[str, int])
    """Number of pieces for each kind of repair or quality flag."""

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary."""
        return asdict(self)

    def summary(self) -> str:
        """Formats the counts in one line for people."""
        return (
            f"{self.collection}: {self.read} read, {self.added} added, {self.present} known, "
            f"{len(self.duplicates)} duplicates skipped, {len(self.near_duplicates)} variants, "
            f"{len(self.unreadable)} unreadable, {len(self.dropped)} dropped"
        )


def import_pieces(
    store: Store,
    source: Iterable[Piece | Unreadable],
    collection: str,
    progress: Progress | None = None,
    *,
    stage: str = "",
    total: int = 0,
) -> ImportReport:
    """Imports the pieces of a reader. Repeated imports change nothing.

    All pieces are read and checked before the first is stored, so assigned works are independent of file
    order. Pieces are committed in batches. An interrupted import leaves complete batches, and the next import
    adds the rest.

    Args:
        store: destination.
        source: pieces, or descriptions of unreadable files.
        collection: name of the collection, stored with each piece.
        progress: receives the number of pieces read.
        stage: stage name for `progress`; "" = the collection.
        total: expected number of pieces for `progress`; 0 = unknown.

    Raises:
        StorageError: the disk is full; committed batches are kept.
    """
    report = ImportReport(collection)
    known = store.works()
    by_fingerprint = {k[3]: k[0] for k in known}
    known_ids = {k[0] for k in known}
    kinds: Counter[str] = Counter()
    waiting: list[NewPiece] = []
    for item in source:
        report.read += 1
        if progress:
            progress(stage or collection, report.read, total)
        if isinstance(item, Unreadable):
            report.unreadable.append((item.name, item.cause))
            continue
        try:
            score = quantise(item.score, marks=NOTATION)
        except InputError as error:
            report.dropped.append((item.title, str(error)))
            continue
        quality = check(item, score)
        if quality.dropped:
            report.dropped.append((item.title, quality.dropped))
            continue
        new = _new_piece(item, score, quality.warnings, collection)
        if new.id in known_ids:
            report.present += 1
            continue
        if new.fingerprint in by_fingerprint:
            report.duplicates.append((item.title, by_fingerprint[new.fingerprint]))
            continue
        for warning in quality.warnings:
            kinds[_kind(warning)] += 1
        by_fingerprint[new.fingerprint] = new.id
        known_ids.add(new.id)
        waiting.append(new)
    report.repaired = dict(kinds)
    assigned = assign_works([(p.id, p.grams) for p in waiting], known)
    ready: list[NewPiece] = []
    for new, assignment in zip(waiting, assigned, strict=True):
        if assignment.nearest:
            report.near_duplicates.append((new.id, assignment.nearest, round(assignment.shared, 3)))
        ready.append(_with(new, work=assignment.work, split=assignment.split))
    for start in range(0, len(ready), _BATCH):
        report.added += store.add_pieces(ready[start : start + _BATCH])
    return report


def piece_id(score: Score, title: str, source: str, number: str) -> str:
    """Computes the id of a piece: 12 hex digits of a hash of its music and source.

    Repeated imports give equal ids.
    """
    digest = hashlib.sha256(score.notes().astype("<i4").tobytes())
    digest.update("\0".join((title, source, number)).encode())
    digest.update(repr((score.metres, score.keys, score.tempos, score.upbeat_ticks)).encode())
    return digest.hexdigest()[:12]


def _new_piece(item: Piece, score: Score, warnings: tuple[str, ...], collection: str) -> NewPiece:
    identity = piece_id(score, item.title, item.source, item.number)
    return NewPiece(
        id=identity,
        title=item.title,
        score=score,
        work="",
        split="",
        fingerprint=fingerprint(score),
        grams=grams(score),
        attributes=attributes(score),
        vector=feature_vector(score, item.style),
        composer=item.composer,
        style=item.style,
        collection=collection,
        source=item.source,
        number=item.number,
        licence=item.licence,
        quality=warnings,
        exact_score=None if same_music(item.exact, score) else item.exact,
    )


def _with(piece: NewPiece, *, work: str, split: str) -> NewPiece:
    values = {name: getattr(piece, name) for name in NewPiece.__slots__}
    return NewPiece(**{**values, "work": work, "split": split})


def _kind(warning: str) -> str:
    """Returns the kind of a quality entry: its text without numbers, for counting."""
    return describe(warning).split(":")[0].lstrip("0123456789% ")
