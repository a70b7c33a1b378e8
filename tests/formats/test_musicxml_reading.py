"""Reading MusicXML: cases from the field, keys, pitches, percussion and instruments."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.formats.musicxml_texts import FOUR, fifths, key, note, read, transpose, unpitched

from troubadour.corpora.folder import read_file
from troubadour.music.drum_names import drum_of_name
from troubadour.music.instrument_names import program_of_name, program_of_sound
from troubadour.music.piece import Piece

TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"

# Cases from the field -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases"


def case(cases: Path, start: str) -> Piece:
    (path,) = cases.glob(f"{start}_*")
    (piece,) = read_file(path)
    assert isinstance(piece, Piece), piece
    return piece


def test_case_keys_are_sounding_keys(cases: Path) -> None:
    assert [k.name for k in case(cases, "x01").score.keys] == ["C major"]
    score = case(cases, "x21").score
    assert [(k.tick // score.ticks_per_quarter, k.fifths) for k in score.keys] == [(0, 0), (4, 6)]
    assert score.pitch.tolist()[:5] == [60, 62, 64, 65, 66]


def test_case_percussion_is_on_a_drum_track_and_gives_no_key(cases: Path) -> None:
    score = case(cases, "x02").score
    assert [k.name for k in score.keys] == ["C minor"]
    assert [t.is_drum for t in score.tracks] == [True, False]
    assert set(score.pitch[score.track == 0].tolist()) == {38}
    score = case(cases, "x07").score
    assert [t.is_drum for t in score.tracks] == [False, True]
    assert set(score.pitch[score.track == 1].tolist()) == {36, 38}


def test_case_far_keys_and_decimal_divisions(cases: Path) -> None:
    piece = case(cases, "x06")
    assert [k.fifths for k in piece.score.keys] == [-4]
    assert any("beyond seven signs" in r for r in piece.repairs)
    score = case(cases, "x09").score
    assert (score.onset // score.ticks_per_quarter).tolist() == list(range(8))


def test_case_instruments(cases: Path) -> None:
    score = case(cases, "x11").score
    assert [t.program for t in score.tracks] == [73, 70]
    assert score.track.tolist() == [0] * 4 + [1] * 4
    assert [t.program for t in case(cases, "x19").score.tracks] == [65, 69, 58, 32]


def test_case_sound_dynamics(cases: Path) -> None:
    assert case(cases, "x17").score.velocity.tolist() == [49] * 4 + [108] * 4


@pytest.mark.parametrize("start", ["x23", "x30"])
def test_case_utf_16(cases: Path, start: str) -> None:
    assert len(case(cases, start).score) == 12


def test_case_timewise(cases: Path) -> None:
    assert case(cases, "x25").score.pitch.tolist() == [60, 62, 64, 65, 67, 65, 64, 60]


def test_case_malformed_container(cases: Path) -> None:
    piece = case(cases, "x31")
    assert len(piece.score) > 0
    assert any("container.xml" in r and "Rosa's Song.xml" in r for r in piece.repairs)


# Keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "semitones", "steps", "sounding"),
    [
        (2, -2, -1, 0),
        (3, -9, -5, 0),
        (-2, 3, 2, -5),
        (1, -7, -4, 0),
        (5, -2, None, 3),
        (0, -12, -7, 0),
        (7, 1, 0, 2),
    ],
)
def test_key_of_a_transposing_part(written: int, semitones: int, steps: int | None, sounding: int) -> None:
    assert fifths(("Solo", key(written, transpose(semitones, steps)) + FOUR)) == [(0, sounding)]


def test_parts_without_signature_do_not_decide() -> None:
    horn = ("Horn in F", key(0, transpose(-7, -4)) + FOUR)
    timpani = ("Timpani", key(0) + FOUR)
    strings = [("Violin", key(-3) + FOUR), ("Viola", key(-3) + FOUR), ("Cello", key(-3) + FOUR)]
    assert fifths(horn, timpani, *strings) == [(0, -3)]
    assert fifths(("Flute", FOUR), strings[0]) == [(0, -3)]
    assert fifths(("Drumset", key(0) + unpitched() * 4), strings[0]) == [(0, -3)]


def test_the_first_part_with_signs_decides_between_two() -> None:
    assert fifths(("Flute", key(2) + FOUR), ("Violin", key(-1) + FOUR), ("Viola", key(-1) + FOUR)) == [(0, 2)]


def test_keys_of_staves_and_within_measures() -> None:
    two = key(2, number="1") + key(7, number="2") + FOUR
    assert fifths(("Piano", two)) == [(0, 2)]
    late = key(0, number="1") + note("C", length=4) + "<backup><duration>4</duration></backup>"
    assert fifths(("Piano", late + key(2, number="2") + note("B", 2, 4, "<staff>2</staff>"))) == [(0, 0)]
    within = key(2) + note() + key(-2) + note() + note() + note()
    assert fifths(("Flute", [within, FOUR])) == [(0, 2), (1, -2)]


def test_a_signature_by_steps() -> None:
    steps = "<attributes><key><key-step>B</key-step><key-alter>-1</key-alter><key-step>E</key-step><key-alter>-1</key-alter></key></attributes>"
    assert fifths(("Flute", steps + FOUR)) == [(0, -2)]
    odd = read(("Flute", steps.replace("B", "A") + FOUR))
    assert odd.score.keys[0].fifths == 0
    assert any("no usual key" in r for r in odd.repairs)


def test_modes() -> None:
    (dorian,) = read(("Flute", key(0, mode="dorian") + FOUR)).score.keys
    assert dorian.name == "D dorian"
    (unknown,) = read(("Flute", key(1, mode="none") + FOUR)).score.keys
    assert unknown.name == "G major"


# Pitch ----------------------------------------------------------------------------------------


def test_transposition_by_octaves_by_staff_and_doubled() -> None:
    bass = "<attributes>" + transpose(0, 0, "<octave-change>-1</octave-change>") + "</attributes>"
    assert read(("Bass", bass + FOUR)).score.pitch.tolist() == [48, 50, 52, 53]
    staff = (
        "<attributes>" + transpose(-2, -1).replace("<transpose>", "<transpose number='2'>") + "</attributes>"
    )
    lower = note("C", 4, 4, "<staff>2</staff>")
    both = read(("Two", staff + note("C", 4, 4) + "<backup><duration>4</duration></backup>" + lower)).score
    assert both.pitch.tolist() == [60, 58]
    doubled = read(
        ("Celli e bassi", "<attributes>" + transpose(0, 0, "<double/>") + "</attributes>" + note(length=4))
    )
    assert sorted(doubled.score.pitch.tolist()) == [48, 60]
    assert any("doubled" in r for r in doubled.repairs)


def test_octave_shifts_do_not_move_the_pitch() -> None:
    shift = "<direction><direction-type><octave-shift type='{}' size='8'/></direction-type></direction>"
    assert read(("Flute", shift.format("down") + FOUR + shift.format("stop"))).score.pitch.tolist()[0] == 60


# Percussion -----------------------------------------------------------------------------------

CLEF = "<attributes><clef><sign>percussion</sign></clef></attributes>"


def drums(head: str, body: str) -> list[int] | None:
    """Drums of a part, None where it is not on a drum track."""
    score = read((head, body)).score
    return score.pitch.tolist() if all(t.is_drum for t in score.tracks) else None


def instrument(name: str = "", sound: str = "", midi: str = "", number: int = 1) -> str:
    sounds = f"<instrument-sound>{sound}</instrument-sound>" if sound else ""
    return (
        f"<score-instrument id='I{number}'><instrument-name>{name}</instrument-name>{sounds}</score-instrument>"
        + (f"<midi-instrument id='I{number}'>{midi}</midi-instrument>" if midi else "")
    )


def test_drums_by_midi_unpitched_name_sound_and_place() -> None:
    name = "<part-name>Drums</part-name>"
    assert drums(name + instrument("?", midi="<midi-unpitched>43</midi-unpitched>"), unpitched()) == [42]
    assert drums(name + instrument("Tambourine"), unpitched()) == [54]
    assert drums(name + instrument("x", "metal.triangle"), unpitched()) == [81]
    assert drums("Bass Drum", unpitched("E", 4)) == [36]
    assert drums("Percussion", unpitched("G", 5, "<notehead>x</notehead>")) == [42]
    assert drums("Schlagzeug", unpitched("F", 4) + unpitched("C", 5)) == [36, 38]
    two = instrument("Hi-Hat Closed", number=1) + instrument("Bass Drum", number=2)
    body = unpitched(more="<instrument id='I2'/>") + unpitched(more="<instrument id='I1'/>")
    assert drums(name + two, body) == [36, 42]


def test_pitches_of_percussion_are_drums_and_those_of_other_instruments_are_not() -> None:
    channel = "<midi-channel>10</midi-channel><midi-program>1</midi-program>"
    assert drums("<part-name>Drumset</part-name>" + instrument("Kit", midi=channel), note("D", 2)) == [38]
    assert drums("Snare Drum", CLEF + note("C", 5)) == [38]
    assert drums("Xylophone", CLEF + note("C", 5)) is None
    assert drums("Timpani", note("C", 3)) is None
    assert drums("<part-name>Violin</part-name>" + instrument("Violin", midi=channel), note("C", 5)) is None


def test_unpitched_notes_within_a_pitched_part_get_a_track_of_their_own() -> None:
    score = read(("Guitar", note() + unpitched())).score
    assert [(t.program, t.is_drum) for t in score.tracks] == [(24, False), (0, True)]


@pytest.mark.parametrize(
    ("name", "drum"),
    [
        ("Snare Drum", 38),
        ("Gran Cassa", 36),
        ("Becken", 49),
        ("Hi-Hat (open)", 46),
        ("Claves", 75),
        ("Kit", None),
    ],
)
def test_names_of_drums(name: str, drum: int | None) -> None:
    assert drum_of_name(name) == drum


# Instruments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("Violino I", 40), ("Vla.", 41), ("Vc.", 42), ("Kontrabass", 43), ("Flöte 2", 73), ("Cl. (B♭)", 71),
        ("Corno inglese", 69), ("Cor anglais", 69), ("Corni in F", 60), ("Fagotti", 70), ("Trb.", 57),
        ("Bass Clarinet", 71), ("Bass Guitar", 33), ("Baritone Saxophone", 67), ("Alto Flute", 73),
        ("Tenor Trombone", 57), ("Tenor", 52), ("Electric Piano", 4), ("Hautbois", 68), ("Posaune", 57),
        ("Part 1", None),
    ],
)  # fmt: skip
def test_programs_of_names(name: str, program: int | None) -> None:
    assert program_of_name(name) == program


@pytest.mark.parametrize(
    ("sound", "program"),
    [
        ("wind.reed.clarinet.bass", 71), ("strings.viola", 41), ("keyboard.organ.pipe", 19), ("voice.tenor", 52),
        ("brass.french-horn", 60), ("pluck.guitar.electric", 27), ("pluck.bass.fretless", 35),
        ("pitched-percussion.vibraphone", 11), ("wind.flutes.recorder.alto", 74), ("drum.snare-drum", None),
    ],
)  # fmt: skip
def test_programs_of_sounds(sound: str, program: int | None) -> None:
    assert program_of_sound(sound) == program


def test_what_decides_about_the_program() -> None:
    piano = "<midi-channel>1</midi-channel><midi-program>1</midi-program>"

    def program(head: str) -> int:
        return read((head, FOUR)).score.tracks[0].program

    assert program("<part-name>Oboe</part-name>" + instrument("", midi=piano)) == 68
    assert (
        program("<part-name>Oboe</part-name>" + instrument(midi=piano.replace(">1</midi-p", ">41</midi-p")))
        == 40
    )
    assert program("<part-name>I</part-name>" + instrument("T", "brass.tuba")) == 58
    assert program("<part-name>I</part-name>" + instrument("Viola")) == 41
    assert program("<part-name>I</part-name><part-abbreviation>Vc.</part-abbreviation>") == 42
    assert program("Unheard of") == 0


def test_an_instrument_changed_by_a_sound() -> None:
    head = "<part-name>Reed</part-name>" + instrument("Flute", midi="<midi-program>74</midi-program>")
    change = "<sound><instrument-change id='I1'><instrument-sound>wind.reed.oboe</instrument-sound></instrument-change></sound>"
    score = read((head, [FOUR, change + FOUR])).score
    assert [t.program for t in score.tracks] == [73, 68]
    assert score.track.tolist() == [0] * 4 + [1] * 4
    change = "<sound><midi-instrument id='I1'><midi-program>41</midi-program></midi-instrument></sound>"
    assert {t.program for t in read((head, [FOUR, change + FOUR])).score.tracks} == {73, 40}
