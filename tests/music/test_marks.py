"""Marks: what beside the notes stays with a score when it is stored, quantised, transposed or thinned out."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.marks import FORM, NOTATION, WHOLE, Mark, MarkKind, transpose_chord
from troubadour.music.quantise import bars_of, quantise
from troubadour.music.score import Key, Score, Track


def scale(**fields: object) -> Score:
    """Eight quarter notes at 480 ticks a quarter, on a flute and on drums."""
    rows = [(480 * i, 480, 60 + i, 80, 0) for i in range(8)] + [(0, 240, 36, 80, 1)]
    return Score.from_notes(rows, ticks_per_quarter=480, tracks=(Track(73), Track(0, is_drum=True)), **fields)


@st.composite
def marked_scores(draw: st.DrawFn, scores: st.SearchStrategy[Score]) -> Score:
    """A score with marks of all kinds, some of them on its notes."""
    score = draw(scores)
    places = st.integers(0, max(score.end_ticks, 1))
    marks = []
    for kind in draw(st.lists(st.sampled_from(MarkKind), max_size=12)):
        tick, track, pitch = draw(places), draw(st.integers(WHOLE, len(score.tracks) - 1)), -1
        if len(score) and draw(st.booleans()):
            note = score.notes()[draw(st.integers(0, len(score) - 1))].tolist()
            tick, track, pitch = note[0], note[4], note[2]
        end = tick + draw(st.integers(0, 2000)) if draw(st.booleans()) else -1
        text = draw(st.one_of(st.text(max_size=8), st.sampled_from(("C#m7/G#", "Bb", "N.C."))))
        value = draw(st.integers(-8192, 8191))
        marks.append(Mark(tick, track, kind, text, draw(st.integers(0, 127)), value, end, pitch))
    return score.replace(marks=tuple(marks))


@given(data=st.data())
def test_a_stored_score_comes_back_with_its_marks(
    raw_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    score = data.draw(marked_scores(raw_scores))
    back = Score.from_bytes(score.to_bytes())
    assert back == score
    assert back.marks == score.marks
    assert all(type(m.kind) is MarkKind for m in back.marks)


@given(data=st.data())
def test_quantising_twice_moves_no_mark(raw_scores: st.SearchStrategy[Score], data: st.DataObject) -> None:
    once = quantise(data.draw(marked_scores(raw_scores)))
    twice = quantise(once)
    assert twice == once
    assert twice.marks == once.marks
    barlines = set(bars_of(once).start.tolist())
    within = [m for m in once.marks if m.kind in FORM and m.tick < once.end_ticks]
    assert all(m.tick in barlines for m in within)


@given(data=st.data())
def test_a_mark_on_a_note_is_on_it_after_quantising(
    raw_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    score = data.draw(marked_scores(raw_scores))
    on_notes = [m for m in score.marks if m.on_note and m.kind not in FORM]
    here = {(n[0], n[4], n[2]) for n in score.notes().tolist()}
    on_notes = [m for m in on_notes if (m.tick, m.track, m.pitch) in here]
    got = quantise(score.replace(marks=tuple(on_notes)))
    notes = {(n[0], n[4], n[2]) for n in got.notes().tolist()}
    assert len(got.marks) == len(on_notes)
    assert {(m.tick, m.track, m.pitch) for m in got.marks} <= notes


@given(data=st.data())
def test_transposing_there_and_back_changes_no_mark(
    raw_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    score = data.draw(marked_scores(raw_scores)).replace(
        keys=(Key(0, data.draw(st.integers(-5, 5)), "major"),)
    )
    score = score.replace(marks=tuple(m for m in score.marks if m.pitch < 0 or 12 <= m.pitch < 116))
    by = data.draw(st.integers(-12, 12))
    back = score.transpose(by).transpose(-by)
    assert back.marks == score.marks


def test_marks_do_not_decide_whether_two_scores_are_the_same_music() -> None:
    plain, marked = scale(), scale(marks=(Mark(0, 0, MarkKind.LYRIC, "la"),))
    assert plain == marked
    assert hash(plain) == hash(marked)
    assert not plain.same_marks(marked)


def test_marks_at_one_place_keep_their_order() -> None:
    bank, program = Mark(0, 0, MarkKind.CONTROLLER, number=0, value=1), Mark(0, 0, MarkKind.PROGRAM, value=3)
    later = Mark(480, WHOLE, MarkKind.MARKER, "A")
    assert scale(marks=(later, program, bank)).marks == (program, bank, later)
    assert scale(marks=(bank, later, program)).marks == (bank, program, later)


@pytest.mark.parametrize(
    ("text", "fifths", "moved"),
    [
        ("C", 2, "D"),
        ("F#m7/C#", -2, "Em7/B"),
        ("Bb/D", 5, "A/C#"),
        ("Ebmaj7", 2, "Fmaj7"),
        ("C6/9", 1, "G6/9"),
        ("N.C.", 3, "N.C."),
        ("IV", 3, "IV"),
        ("B♭", 3, "G"),
    ],
)
def test_chord_symbols_move_with_the_key(text: str, fifths: int, moved: str) -> None:
    assert transpose_chord(text, fifths) == moved


def test_transposing_spells_chords_in_the_new_key() -> None:
    score = scale(keys=(Key(0, 0, "major"),), marks=(Mark(0, 0, MarkKind.CHORD, "Dm"),))
    assert score.transpose(1).keys[0].name == "Db major"
    assert score.transpose(1).marks[0].text == "Ebm"
    assert score.transpose(-1).marks[0].text == "C#m"  # B major


def test_pitches_of_marks_move_and_those_of_drums_do_not() -> None:
    marks = (Mark(0, 0, MarkKind.FERMATA, pitch=60), Mark(0, 1, MarkKind.ARTICULATION, "accent", pitch=36))
    assert [m.pitch for m in scale(marks=marks).transpose(2).marks] == [62, 36]


def test_a_mark_goes_with_its_note() -> None:
    marks = (Mark(0, 0, MarkKind.FERMATA, pitch=60), Mark(0, 0, MarkKind.WORDS, "dolce"))
    score = scale(marks=marks)
    assert score.where(score.onset > 0).marks == marks[1:]
    assert score.where(np.ones(len(score), dtype=bool)).marks == marks


def test_marks_are_dropped_by_kind_on_request() -> None:
    marks = (Mark(0, 0, MarkKind.LYRIC, "la"), Mark(0, 0, MarkKind.CONTROLLER, number=7, value=100))
    assert quantise(scale(marks=marks), marks=NOTATION).marks == marks[:1]
    assert quantise(scale(marks=marks), marks=()).marks == ()


def test_lyrics_of_a_track_without_notes_belong_to_the_piece_after_quantising() -> None:
    score = Score.from_notes(
        [(0, 480, 60, 80, 1)],
        ticks_per_quarter=480,
        tracks=(Track(name="Words"), Track()),
        marks=(Mark(0, 0, MarkKind.LYRIC, "la"), Mark(0, 1, MarkKind.WORDS, "dolce")),
    )
    assert [(m.track, m.text) for m in quantise(score).marks] == [(WHOLE, "la"), (0, "dolce")]


@pytest.mark.parametrize(
    "mark",
    [
        Mark(-1, 0, MarkKind.TEXT),
        Mark(0, 2, MarkKind.TEXT),
        Mark(0, 0, MarkKind.FERMATA, pitch=128),
        Mark(480, 0, MarkKind.SLUR, end=0),
    ],
)
def test_a_mark_out_of_range_is_refused(mark: Mark) -> None:
    with pytest.raises(InputError, match="allowed"):
        scale(marks=(mark,))


def test_scores_stored_by_the_version_before_are_read() -> None:
    header = {
        "version": 1, "ticks_per_quarter": 24, "notes": 1, "tracks": [[73, 0, "Flute"]], "tempos": [[0, 90.0]],
        "metres": [[0, 3, 4]], "keys": [[0, 1, "major"]], "upbeat_ticks": 0,
    }  # fmt: skip
    raw = json.dumps(header).encode()
    columns = np.array([[0], [24], [60], [80], [0]], dtype="<i4").tobytes()
    score = Score.from_bytes(zlib.compress(struct.pack("<I", len(raw)) + raw + columns))
    assert score.notes().tolist() == [[0, 24, 60, 80, 0]]
    assert score.marks == ()
