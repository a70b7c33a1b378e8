"""Take music into the catalogue: quantise, judge, find duplicates, assign works and splits, store."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from troubadour.catalogue.store import NewPiece, Store
from troubadour.catalogue.works import place
from troubadour.core.errors import InputError
from troubadour.music.exact import same_music
from troubadour.music.features import attributes, feature_vector
from troubadour.music.fingerprint import fingerprint, grams
from troubadour.music.marks import NOTATION
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.quality import check
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

_BATCH: Final = 250

Progress = Callable[[int], None]


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    collection: str
    read: int = 0
    added: int = 0
    present: int = 0
    """Were in the catalogue already."""
    duplicates: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(title, id of the equal piece); left out."""
    near_duplicates: list[tuple[str, str, float]] = field(default_factory=list[tuple[str, str, float]])
    """(id, id of the piece it varies, share in common); kept, as one work."""
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(file, cause)."""
    dropped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(title, reason)."""
    repaired: dict[str, int] = field(default_factory=dict[str, int])
    """How many pieces had each kind of repair or warning."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.collection}: {self.read} read, {self.added} added, {self.present} known, "
            f"{len(self.duplicates)} duplicates left out, {len(self.near_duplicates)} variants, "
            f"{len(self.unreadable)} unreadable, {len(self.dropped)} dropped"
        )


def import_pieces(
    store: Store,
    source: Iterable[Piece | Unreadable],
    collection: str,
    progress: Progress | None = None,
) -> ImportReport:
    """Import what a reader yields. Importing the same again changes nothing.

    Everything is read and judged before the first piece is stored, so that works do not depend on
    the order of files; then pieces are stored in batches, each durable. A process killed on the
    way leaves whole batches, and the next import completes them.

    Raises:
        StorageError: the disk is full; what was stored before stays.
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
            progress(report.read)
        if isinstance(item, Unreadable):
            report.unreadable.append((item.name, item.cause))
            continue
        try:
            score = quantise(item.score, marks=NOTATION)
        except InputError as error:
            report.dropped.append((item.title, str(error)))
            continue
        verdict = check(item, score)
        if verdict.dropped:
            report.dropped.append((item.title, verdict.dropped))
            continue
        new = _new_piece(item, score, verdict.warnings, collection)
        if new.id in known_ids:
            report.present += 1
            continue
        if new.fingerprint in by_fingerprint:
            report.duplicates.append((item.title, by_fingerprint[new.fingerprint]))
            continue
        for warning in verdict.warnings:
            kinds[_kind(warning)] += 1
        by_fingerprint[new.fingerprint] = new.id
        known_ids.add(new.id)
        waiting.append(new)
    report.repaired = dict(kinds)
    placed = place([(p.id, p.grams) for p in waiting], known)
    ready: list[NewPiece] = []
    for new, where in zip(waiting, placed, strict=True):
        if where.nearest:
            report.near_duplicates.append((new.id, where.nearest, round(where.shared, 3)))
        ready.append(_with(new, work=where.work, split=where.split))
    for start in range(0, len(ready), _BATCH):
        report.added += store.add_pieces(ready[start : start + _BATCH])
    return report


def piece_id(score: Score, title: str, source: str, number: str) -> str:
    """Twelve hex digits of the music and where it comes from: the same import gives the same ids."""
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
    """A sentence without its numbers, so that like ones can be counted."""
    return warning.split(":")[0].lstrip("0123456789% ")
