from __future__ import annotations

import pytest

from troubadour.music.piece import Piece
from troubadour.music.quality import QualityFlag, check, describe, flag_of, flags_of
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track


def piece(pitches: list[int], shift: int = 0, irregular_share: float = 0.0) -> Piece:
    """Quarter notes at 96 ticks per quarter, every second one shifted."""
    rows = [[96 * i + shift * (i % 2), 48, p, 80, 0] for i, p in enumerate(pitches)]
    score = Score.from_notes(rows, ticks_per_quarter=96, tracks=(Track(0),))
    return Piece(score, "tune", irregular_share=irregular_share)


def flags(one: Piece) -> frozenset[QualityFlag]:
    return flags_of(check(one, quantise(one.score)).warnings)


SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def test_each_defect_is_flagged_and_a_clean_piece_is_not() -> None:
    assert flags(piece(SCALE)) == frozenset()
    assert flags(piece([60, 62] * 4)) == {QualityFlag.FEW_PITCHES}
    assert flags(piece(SCALE, irregular_share=0.25)) == frozenset()
    assert flags(piece(SCALE, irregular_share=0.3)) == {QualityFlag.UNRELIABLE_BARLINES}
    assert flags_of(check(piece(SCALE, shift=12), quantise(piece(SCALE).score)).warnings) == {
        QualityFlag.PERFORMED
    }


@pytest.mark.parametrize(
    ("entry", "flag", "text"),
    [
        ("barlines are not to be trusted", QualityFlag.UNRELIABLE_BARLINES, "barlines are unreliable"),
        (
            "41% of notes lie off the grid: performed rather than notated",
            QualityFlag.PERFORMED,
            "41% of notes lie off the grid: performed rather than notated",
        ),
        ("fewer than three different pitches", QualityFlag.FEW_PITCHES, "fewer than three different pitches"),
        ("irregular bars: 3 of 16", None, "irregular bars: 3 of 16"),
    ],
)
def test_sentences_of_earlier_versions_are_understood(
    entry: str, flag: QualityFlag | None, text: str
) -> None:
    assert flag_of(entry) == flag
    assert describe(entry) == text


def test_the_share_of_shifted_notes_is_kept() -> None:
    (entry,) = check(piece(SCALE, shift=12), quantise(piece(SCALE).score)).warnings
    assert entry == "performed: 50%"
    assert describe(entry) == "50% of notes lie off the grid: performed rather than notated"
