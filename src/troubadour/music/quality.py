"""Quality checks of a piece before it enters the catalogue: reasons for refusal, and quality flags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from troubadour.music.exact import losses
from troubadour.music.piece import Piece
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.score import Score

LEAST_NOTES: Final = 8
MOST_NOTES: Final = 60_000
MOST_SECONDS: Final = 3600.0
MOVED_SHARE: Final = 0.3
"""Largest share of notes that quantising may move by more than a 64th; beyond it the piece is flagged as performed."""
IRREGULAR_SHARE: Final = 0.25
"""Largest share of irregular bars; beyond it the barlines are flagged as unreliable."""


_DETAIL: Final = ": "
"""Separates the code of a stored flag from its detail."""


class QualityFlag(StrEnum):
    """Known defect of a piece in the catalogue. The values are stored; they never change."""

    UNRELIABLE_BARLINES = "unreliable-barlines"
    """More than a quarter of the bars are shorter or longer than their metre."""
    PERFORMED = "performed"
    """More than 30% of the notes lie off the grid. The stored detail is their share."""
    FEW_PITCHES = "few-pitches"
    """The pitched tracks have fewer than three different pitches."""

    @property
    def text(self) -> str:
        """Description for people, one clause."""
        return _TEXTS[self]


_TEXTS: Final = {
    QualityFlag.UNRELIABLE_BARLINES: "barlines are unreliable",
    QualityFlag.PERFORMED: "notes lie off the grid: performed rather than notated",
    QualityFlag.FEW_PITCHES: "fewer than three different pitches",
}
_CODES: Final = {flag.value: flag for flag in QualityFlag}
_SENTENCES: Final = {
    "barlines are not to be trusted": QualityFlag.UNRELIABLE_BARLINES,
    "of notes lie off the grid: performed rather than notated": QualityFlag.PERFORMED,
    "fewer than three different pitches": QualityFlag.FEW_PITCHES,
}
"""Ends of the sentences that earlier versions stored instead of codes."""


def flag_of(entry: str) -> QualityFlag | None:
    """The flag of a stored quality entry: a code with or without detail, or a sentence of earlier versions.

    Returns:
        None for an entry that is no flag, such as the description of a repair.

    >>> flag_of("performed: 41%"), flag_of("barlines are not to be trusted"), flag_of("2 grace notes left out")
    (<QualityFlag.PERFORMED: 'performed'>, <QualityFlag.UNRELIABLE_BARLINES: 'unreliable-barlines'>, None)
    """
    code = entry.partition(_DETAIL)[0]
    if code in _CODES:
        return _CODES[code]
    return next((flag for end, flag in _SENTENCES.items() if entry.endswith(end)), None)


def flags_of(entries: Iterable[str]) -> frozenset[QualityFlag]:
    """The flags among the stored quality entries of a piece."""
    return frozenset(flag for entry in entries if (flag := flag_of(entry)) is not None)


def describe(entry: str) -> str:
    """A stored quality entry as text for people; entries that are no flag are text already.

    >>> describe("performed: 41%"), describe("few-pitches")
    ('41% of notes lie off the grid: performed rather than notated', 'fewer than three different pitches')
    """
    flag = flag_of(entry)
    if flag is None:
        return entry
    code, _, detail = entry.partition(_DETAIL)
    if flag is QualityFlag.PERFORMED:
        share = detail if code == flag else entry.partition(" ")[0]
        return f"{share} of {flag.text}" if share.endswith("%") else flag.text
    return flag.text


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Result of the quality check of one piece."""

    dropped: str
    """Reason for the refusal; empty if the piece is accepted."""
    warnings: tuple[str, ...]
    """Quality entries to store: descriptions of repairs, and codes of flags; see `describe` and `flags_of`."""


def check(piece: Piece, score: Score) -> QualityReport:
    """Check a piece and its quantised score: length, instruments, grid and barlines."""
    if len(score) < LEAST_NOTES:
        return QualityReport(f"{len(score)} notes; at least {LEAST_NOTES} are needed", ())
    if len(score) > MOST_NOTES:
        return QualityReport(f"{len(score)} notes; allowed: {MOST_NOTES}", ())
    if score.seconds > MOST_SECONDS:
        return QualityReport(f"lasts {score.seconds / 60:.0f} minutes; allowed: {MOST_SECONDS / 60:.0f}", ())
    if all(t.is_drum for t in score.tracks):
        return QualityReport("drums only", ())
    warnings = [*piece.repairs, *losses(piece.score, score)]
    onset = piece.score.onset * (TICKS_PER_QUARTER / piece.score.ticks_per_quarter)
    nearest = np.searchsorted(score.onset, onset)
    low = score.onset[np.clip(nearest - 1, 0, len(score) - 1)]
    high = score.onset[np.clip(nearest, 0, len(score) - 1)]
    moved = float((np.minimum(np.abs(onset - low), np.abs(high - onset)) > 1.5).mean())
    if moved > MOVED_SHARE:
        warnings.append(f"{QualityFlag.PERFORMED}{_DETAIL}{moved:.0%}")
    pitched = score.pitch[~np.array([t.is_drum for t in score.tracks])[score.track]]
    if len(np.unique(pitched)) < 3:
        warnings.append(QualityFlag.FEW_PITCHES.value)
    if piece.irregular_share > IRREGULAR_SHARE:
        warnings.append(QualityFlag.UNRELIABLE_BARLINES.value)
    return QualityReport("", tuple(warnings))
