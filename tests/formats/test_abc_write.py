"""Scores written as ABC and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.formats.abc.read import read_abc
from troubadour.formats.abc.write import write_abc
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.music.marks import MarkKind
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

Q = 24


def again(piece: Piece) -> Piece:
    text = write_abc(piece)
    (back,) = read_abc(text, "again.abc")
    assert isinstance(back, Piece), (back, text)
    return back


def holdable(score: Score) -> Score:
    """What ABC holds of a score: no velocities."""
    return quantise(score.replace(velocity=np.full(len(score), 80), marks=()))


def score_of(*notes: tuple[float, float, int], **maps: object) -> Score:
    rows = [(round(o * Q), round(d * Q), p, 80, 0) for o, d, p in notes]
    return Score.from_notes(rows, ticks_per_quarter=Q, **maps)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_quantised_score_comes_back(
    data: st.DataObject, quantised_scores: st.SearchStrategy[Score]
) -> None:
    score = holdable(data.draw(quantised_scores))
    if len(score):
        assert quantise(again(Piece(score, "Test")).score.replace(marks=())) == score


def test_tuplets_chords_ties_and_accidentals_are_written_as_a_musician_would() -> None:
    third = 1 / 3
    notes = [(i * third, third, p) for i, p in enumerate((60, 62, 64))]
    notes += [(1, 1, 66), (1, 1, 69), (2, 0.25, 66), (2.25, 1.75, 78), (4, 5, 77), (9, 3, 61)]
    text = write_abc(Piece(score_of(*notes), "Signs"))
    assert "(3CDE [^FA]2 F/^f3/- f2 |" in text
    assert "f8- | f2 ^C6 |]" in text
    assert quantise(again(Piece(score_of(*notes), "Signs")).score) == quantise(score_of(*notes))


def test_quintuplets_and_septuplets_come_back_exactly() -> None:
    rows = [(i * 168, 168, 60 + i, 80, 0) for i in range(5)] + [
        (840 + i * 120, 120, 60 + i, 80, 0) for i in range(7)
    ]
    score = Score.from_notes(rows, ticks_per_quarter=840)
    text = write_abc(Piece(score, "Fives and sevens"))
    assert "(5:4:5" in text
    assert "(7:4:7" in text
    assert quantise(again(Piece(score, "x")).score, ticks_per_quarter=840) == quantise(
        score, ticks_per_quarter=840
    )


def test_header_voices_maps_and_upbeat() -> None:
    rows = [
        (0, 24, 72, 80, 0),
        (24, 96, 74, 80, 0),
        (120, 72, 76, 80, 0),
        (24, 96, 48, 80, 1),
        (120, 72, 36, 80, 2),
    ]
    score = Score.from_notes(
        rows,
        ticks_per_quarter=Q,
        tracks=(Track(73, name='Flute "1"'), Track(32), Track(0, True)),
        tempos=(Tempo(0, 63.0), Tempo(24, 120.0)),
        metres=(Metre(0, 4, 4), Metre(120, 3, 4)),
        keys=(Key(0, -3, "dorian"), Key(120, 2, "minor")),
        upbeat_ticks=24,
    )
    piece = Piece(score, "100% of A & B \\", composer="Dvořák", style="reel")
    text = write_abc(piece, number=7)
    assert text.startswith("X:7\nT:100\\% of A \\& B \\\\\nC:Dvořák\nR:reel\nM:4/4\nL:1/8\nQ:1/4=63\n")
    assert "K:F dor\n" in text
    back = again(piece)
    assert quantise(back.score) == score
    assert (back.title, back.composer, back.style) == (piece.title, "Dvořák", "reel")
    assert [t.name for t in back.score.tracks] == ["Flute '1'", "2", "3"]


@pytest.mark.parametrize("bpm", [60, 97.3, 121, 133.25, 7.5, 640])
def test_tempos_are_exact(bpm: float) -> None:
    score = score_of((0, 4, 60), tempos=(Tempo(0, bpm),))
    text = write_abc(Piece(score, "Tempo"))
    assert f"Q:1/4={bpm:g}\n" in text
    assert again(Piece(score, "Tempo")).score.tempos[0].bpm == bpm


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="without notes"):
        write_abc(Piece(score_of(), "Nothing"))
    many = [(i / 8, 10 - i / 8, 40 + i) for i in range(20)]
    with pytest.raises(InputError, match="write MIDI or MusicXML"):
        write_abc(Piece(score_of(*many), "Too much"))


def test_chorales_and_tunes_come_back(corpus: Path, tunes: list[Piece]) -> None:
    pieces = [read_musicxml_file(p) for p in sorted((corpus / "bach").glob("*.mxl"))[::60]] + tunes[::6]
    assert len(pieces) > 20
    for piece in pieces:
        score = holdable(piece.score)
        assert quantise(again(piece).score.replace(marks=())) == score, piece.title


def test_marks_come_back() -> None:
    body = (
        'X:1\nT:Song\nT:Other\nM:4/4\nL:1/4\nQ:"Slow" 1/4=60\nK:G\n|:"G"G (A B) !fermata!c | "Am7/E".d2 z !p!e |\n'
        "w: one two-three_ four-\n[P:B] (3fga g- g :| [CE]4 |]\nw: five, six\n"
    )
    (piece,) = read_abc(body, "x")
    assert isinstance(piece, Piece)
    back = again(piece)
    assert sorted(back.score.marks) == sorted(piece.score.marks)
    assert len({m.kind for m in back.score.marks}) >= 9


def test_grace_notes_stay_marks_with_their_pitch_and_slash() -> None:
    tune = "X:1\nT:G\nM:4/4\nL:1/4\nK:D\n{/e}d {^gf}e f {=c}B|]\n"
    (piece,) = read_abc(tune, "x")
    assert isinstance(piece, Piece)
    found = [
        (m.tick // 10080, m.pitch, m.number, m.value) for m in piece.score.marks if m.kind is MarkKind.GRACE
    ]
    assert found == [(0, 76, 1, 1), (1, 80, 1, 0), (1, 78, 2, 0), (3, 72, 1, 0)]
    assert again(piece).score.marks == piece.score.marks
