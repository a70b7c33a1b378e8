"""Is a piece fit for the catalogue, and what should be known of it?"""

from __future__ import annotations

from dataclasses import dataclass
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
"""Share of notes that quantising may move by more than a 64th before the piece counts as performed."""
IRREGULAR_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What the check found."""

    dropped: str
    """Why the piece is not taken; empty if it is."""
    warnings: tuple[str, ...]


def check(piece: Piece, score: Score) -> QualityReport:
    """Judge a piece and its quantised score."""
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
        warnings.append(f"{moved:.0%} of notes lie off the grid: performed rather than notated")
    pitched = score.pitch[~np.array([t.is_drum for t in score.tracks])[score.track]]
    if len(np.unique(pitched)) < 3:
        warnings.append("fewer than three different pitches")
    for sentence in piece.repairs:
        if sentence.startswith("irregular bars:"):
            count, total = (int(w) for w in sentence.removeprefix("irregular bars: ").split(" of "))
            if count > IRREGULAR_SHARE * total:
                warnings.append("barlines are not to be trusted")
    return QualityReport("", tuple(warnings))
