"""What musicians look at: staves, clefs, transposition, names, rhythm, parts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troubadour.formats.engraving.staff_names import INSTRUMENT_NAMES
from troubadour.formats.engraving.staves import part_names
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.formats.musicxml.write import write_parts
from troubadour.music.marks import Mark, MarkKind
from troubadour.music.quantise import NOTATION_TICKS, quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

Element = ElementTree.Element


def score_of(rows: list[tuple[int, ...]], **fields: object) -> Score:
    """Rows (onset, duration, pitch, velocity, track) at 24 ticks a quarter."""
    return quantise(Score.from_notes(rows, ticks_per_quarter=24, **fields))  # type: ignore[arg-type]


def melody(pitches: list[int], program: int = 73, length: int = 24, **fields: object) -> Score:
    rows = [(i * length, length, p, 80, 0) for i, p in enumerate(pitches)]
    return score_of(rows, tracks=(Track(program),), **fields)


def tree(score: Score) -> Element:
    return ElementTree.fromstring(write_musicxml(score))


def back(score: Score) -> Score:
    read = read_musicxml(write_musicxml(score).encode(), "x.musicxml").score
    return quantise(read, ticks_per_quarter=score.ticks_per_quarter)


def clefs(score: Score) -> list[tuple[str, str, str]]:
    """(sign, line, octave change) of every clef."""
    return [
        (c.findtext("sign") or "", c.findtext("line") or "", c.findtext("clef-octave-change") or "")
        for c in tree(score).iter("clef")
    ]


# Staves and clefs -----------------------------------------------------------------------------


def waltz() -> list[tuple[int, ...]]:
    rows = []
    for bar in range(8):
        rows.append((72 * bar, 24, 41 + bar, 80, 0))
        rows += [(72 * bar + 24 * k, 24, p, 80, 0) for k in (1, 2) for p in (52, 55)]
        rows += [(72 * bar + 12 * k, 12, 72 + k, 80, 0) for k in range(6)]
    return rows


def test_one_track_of_piano_becomes_a_grand_staff_and_one_track_again() -> None:
    score = score_of(waltz(), metres=(Metre(0, 3, 4),))
    document = tree(score)
    assert [s.text for s in document.iter("staves")] == ["2"]
    by_staff = {
        staff: {n.findtext("pitch/octave") for n in document.iter("note") if n.findtext("staff") == staff}
        for staff in ("1", "2")
    }
    assert by_staff["1"] <= {"5", None}
    assert by_staff["2"] <= {"2", "3", None}
    assert clefs(score) == [("G", "2", ""), ("F", "4", "")]
    assert back(score) == score


@pytest.mark.parametrize("upper", [0, 1])
def test_two_tracks_of_piano_become_hands_and_come_back_in_their_order(upper: int) -> None:
    rows = [(24 * i, 24, 72, 80, upper) for i in range(8)] + [
        (48 * i, 48, 43, 80, 1 - upper) for i in range(4)
    ]
    score = score_of(rows, tracks=(Track(0), Track(0)))
    assert len(tree(score).findall("part")) == 1
    assert back(score) == score


def test_a_tune_on_the_piano_has_one_staff() -> None:
    assert not list(tree(melody([60, 64, 67, 72], program=0)).iter("staves"))


@pytest.mark.parametrize(
    ("program", "pitches", "clef"),
    [
        (40, [67, 74], ("G", "2", "")),
        (41, [55, 60], ("C", "3", "")),
        (42, [40, 50], ("F", "4", "")),
        (43, [33, 40], ("F", "4", "")),
        (24, [48, 55], ("G", "2", "-1")),
        (52, [50, 57], ("G", "2", "-1")),
        (52, [43, 50], ("F", "4", "")),
        (52, [62, 70], ("G", "2", "")),
        (70, [45, 55], ("F", "4", "")),
    ],
)
def test_clefs_by_instrument_and_range(program: int, pitches: list[int], clef: tuple[str, ...]) -> None:
    assert clefs(melody(pitches * 4, program)) == [clef]


def test_the_clef_changes_for_a_long_high_passage_only() -> None:
    low, high = [40, 43, 45, 47], [60, 62, 64, 65]
    assert [c[0] for c in clefs(melody(low * 4 + high * 4, program=42))] == ["F", "C"]
    assert [c[0] for c in clefs(melody(low * 4 + [60, 62] + low * 4, program=42))] == ["F"]


def test_very_high_notes_get_an_octave_line() -> None:
    shifts = [
        s.get("type") for s in tree(melody([98, 100, 101, 103] * 2 + [72, 74, 76, 77])).iter("octave-shift")
    ]
    assert shifts == ["down", "stop"]


# Instruments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "concert", "written_fifths", "first"),
    [
        (71, 0, 2, "D"),  # clarinet in B flat
        (65, 0, 3, "A"),  # alto saxophone in E flat
        (60, -1, 0, "G"),  # horn in F
        (56, 3, 5, "D"),
        (66, 5, -5, "D"),  # seven sharps become five flats
        (73, 3, 3, "C"),
    ],
)
def test_transposing_instruments_read_their_own_key(
    program: int, concert: int, written_fifths: int, first: str
) -> None:
    score = melody([60, 62, 64, 65], program, keys=(Key(0, concert, "major"),))
    document = tree(score)
    assert document.findtext(".//key/fifths") == str(written_fifths)
    assert document.findtext(".//pitch/step") == first
    assert back(score) == score


@settings(max_examples=60, deadline=None)
@given(program=st.integers(0, 127), fifths=st.integers(-7, 7), pitch=st.integers(30, 90))
def test_every_instrument_in_every_key_comes_back(program: int, fifths: int, pitch: int) -> None:
    score = melody([pitch, pitch + 1, pitch + 2, pitch], program, keys=(Key(0, fifths, "major"),))
    found = back(score)
    assert found.pitch.tolist() == score.pitch.tolist()
    assert found.keys == score.keys


def test_double_bass_and_piccolo_are_written_an_octave_off() -> None:
    assert tree(melody([33, 36] * 2, 43)).findtext(".//transpose/octave-change") == "-1"
    assert tree(melody([86, 88] * 2, 72)).findtext(".//transpose/octave-change") == "1"


def test_all_instruments_have_names_and_abbreviations() -> None:
    assert len(INSTRUMENT_NAMES) == 128
    assert len({n.name for n in INSTRUMENT_NAMES}) == 128
    assert all(n.name and n.abbreviation and len(n.abbreviation) <= len(n.name) for n in INSTRUMENT_NAMES)
    document = tree(melody([60], program=109))
    assert document.findtext(".//part-name") == "Bagpipe"
    assert document.findtext(".//part-abbreviation") == "Bagp."


def test_equal_instruments_are_counted() -> None:
    rows = [(0, 24, 60 + i, 80, i) for i in range(3)]
    assert part_names(score_of(rows, tracks=(Track(40), Track(40), Track(41)))) == [
        "Violin 1", "Violin 2", "Viola",
    ]  # fmt: skip


def test_families_are_joined_by_a_bracket() -> None:
    rows = [(0, 24, 60 + i, 80, i) for i in range(4)]
    document = tree(score_of(rows, tracks=(Track(73), Track(40), Track(41), Track(42))))
    kinds = [(e.tag, e.get("type")) for e in document.find("part-list")]  # type: ignore[union-attr]
    assert kinds == [
        ("score-part", None), ("part-group", "start"), ("score-part", None), ("score-part", None),
        ("score-part", None), ("part-group", "stop"),
    ]  # fmt: skip


def test_drums_have_no_key_noteheads_and_two_voices() -> None:
    rows = [(24 * i, 2, p, 100, 0) for i, p in enumerate((36, 42, 38, 42))] + [(0, 2, 42, 80, 0)]
    rows += [(0, 96, 60, 80, 1)]
    score = score_of(rows, tracks=(Track(0, True), Track(73)), keys=(Key(0, 3, "major"),))
    drums, flute = tree(score).findall("part")
    assert drums.find(".//key") is None
    assert flute.findtext(".//key/fifths") == "3"
    heads = {n.findtext("unpitched/display-step"): n.findtext("notehead") for n in drums.iter("note")}
    assert (heads["G"], heads["F"], heads["C"]) == ("x", None, None)
    stems = {n.findtext("unpitched/display-step"): n.findtext("stem") for n in drums.iter("note")}
    assert (stems["G"], stems["F"]) == ("up", "down")
    assert back(score) == score


# Rhythm ---------------------------------------------------------------------------------------


def types(score: Score) -> list[str]:
    return [
        ("" if n.find("rest") is None else "r-") + (n.findtext("type") or "bar") + "." * len(n.findall("dot"))
        for n in tree(score).iter("note")
    ]


def test_the_scotch_snap_is_a_sixteenth_and_a_dotted_eighth() -> None:
    score = score_of(
        [(0, 6, 60, 80, 0), (6, 18, 62, 80, 0), (24, 18, 64, 80, 0), (42, 6, 62, 80, 0), (48, 48, 60, 80, 0)]
    )
    assert types(score) == ["16th", "eighth.", "eighth.", "16th", "half"]


def test_played_lengths_are_written_as_they_were_meant_and_come_back_exactly() -> None:
    rows = [(24 * i, 21 if i % 2 else 18, 60 + i, 80, 0) for i in range(8)]
    score = score_of(rows)
    assert types(score) == ["quarter"] * 8
    assert back(score) == score


def test_chords_played_unevenly_are_written_as_chords() -> None:
    rows = [(24 * i, length, p, 80, 0) for i in range(4) for length, p in ((21, 60), (15, 64), (21, 67))]
    score = score_of(rows)
    assert {n.findtext("voice") for n in tree(score).iter("note")} == {"1"}
    assert back(score) == score


def test_tuplets_that_start_no_note_are_played_lengths() -> None:
    rows = [(24 * i, 16, 60 + i, 80, 0) for i in range(8)]
    score = score_of(rows)
    assert types(score) == ["quarter"] * 8
    assert back(score) == score
    triplets = score_of([(8 * i, 8, 60 + i, 80, 0) for i in range(11)])
    assert types(triplets) == ["eighth"] * 11 + ["r-eighth"]


def test_rests_that_are_written_stay() -> None:
    rows = [(24 * i, 12, 60, 80, 0) for i in range(8)]
    assert types(score_of(rows)) == ["eighth", "r-eighth"] * 8


@pytest.mark.parametrize(("count", "normal"), [(5, 4), (7, 4)])
def test_quintuplets_and_septuplets(count: int, normal: int) -> None:
    step = NOTATION_TICKS // count
    rows = [(i * step, step, 60 + i, 80, 0) for i in range(count)] + [(NOTATION_TICKS, 840, 60, 80, 0)]
    score = Score.from_notes(rows, ticks_per_quarter=NOTATION_TICKS)
    notes = [n for n in tree(score).iter("note") if n.find("rest") is None]
    ratios = [
        (n.findtext("time-modification/actual-notes"), n.findtext("time-modification/normal-notes"))
        for n in notes
    ]
    assert ratios == [(str(count), str(normal))] * count + [(None, None)]
    assert {n.findtext("type") for n in notes[:count]} == {"16th"}
    assert back(score) == score


def test_tempos_are_exact() -> None:
    score = melody([60]).replace(tempos=(Tempo(0, 97.3),))
    text = write_musicxml(score)
    assert '<sound tempo="97.3"/>' in text
    assert "<per-minute>97.3</per-minute>" in text


def test_dynamics_are_printed_for_phrases() -> None:
    loud = [75, 88, 79, 92] * 4 + [110, 118, 121, 112] * 4
    rows = [(24 * i, 24, 60, v, 0) for i, v in enumerate(loud)]
    marks = [d[0].tag for d in tree(score_of(rows)).iter("dynamics")]
    assert marks == ["mf", "ff"]


def test_voices_on_one_staff_part_their_stems() -> None:
    rows = [(0, 96, 60, 80, 0)] + [(24 * i, 24, 72, 80, 0) for i in range(4)]
    stems = {
        (n.findtext("pitch/octave"), n.findtext("stem"))
        for n in tree(score_of(rows, tracks=(Track(19),))).iter("note")
    }
    assert stems == {("4", "down"), ("5", "up")}


def test_an_altered_note_is_recalled_in_the_next_bar() -> None:
    score = melody([66, 67, 69, 71, 65, 67, 69, 71])
    signs = [n.find("accidental") for n in tree(score).iter("note")]
    assert signs[4] is not None
    assert (signs[4].text, signs[4].get("cautionary")) == ("natural", "yes")


# Parts ----------------------------------------------------------------------------------------


def test_parts_draw_bars_of_rest_together() -> None:
    rows = [(96 * i, 96, 72, 80, 0) for i in range(8)] + [(96 * 6, 96, 60, 80, 1)]
    parts = write_parts(score_of(rows, tracks=(Track(73), Track(71))))
    assert [name for name, _ in parts] == ["Flute", "Clarinet in B♭"]
    clarinet = ElementTree.fromstring(parts[1][1])
    assert [m.text for m in clarinet.iter("multiple-rest")] == ["6"]
    assert clarinet.find(".//metronome") is not None
    assert len(clarinet.findall("part")) == 1


def test_marked_clefs_are_written_where_they_stand() -> None:
    marks = (Mark(0, 0, MarkKind.CLEF, "C4", 0), Mark(96, 0, MarkKind.CLEF, "G2", 0, -1))
    score = Score.from_notes(
        [(48 * i, 48, 60, 80, 0) for i in range(6)],
        ticks_per_quarter=24,
        tracks=(Track(40, False, "Violin"),),
        marks=marks,
    )
    text = write_musicxml(score)
    assert re.findall(r"<clef>.*?</clef>", text) == [
        "<clef><sign>C</sign><line>4</line></clef>",
        "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>",
    ]


@pytest.mark.parametrize(
    ("program", "name", "pitches", "sign"),
    [(52, "Bass", (55, 57, 60), "F"), (41, "Viola", (60, 67, 72), "C"), (21, "Accordion", (57, 60, 64), "G")],
)
def test_clefs_are_those_of_the_instrument(
    program: int, name: str, pitches: tuple[int, ...], sign: str
) -> None:
    score = Score.from_notes(
        [(96 * i, 96, p, 80, 0) for i, p in enumerate(pitches)],
        ticks_per_quarter=24,
        tracks=(Track(program, False, name),),
    )
    assert f"<clef><sign>{sign}</sign>" in write_musicxml(score)
