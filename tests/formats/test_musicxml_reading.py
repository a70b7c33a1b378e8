"""Reading MusicXML: keys, percussion, instruments, encodings, archives, loudness and tempo."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from troubadour.core.errors import UnreadableFileError
from troubadour.corpora.folder import read_file
from troubadour.formats.musicxml import read_musicxml, read_musicxml_file
from troubadour.music.drum_names import drum_of_name
from troubadour.music.instrument_names import program_of_name, program_of_sound
from troubadour.music.piece import Piece

TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def note(step: str = "C", octave: int = 4, length: float = 1, more: str = "", alter: int = 0) -> str:
    altered = f"<alter>{alter}</alter>" if alter else ""
    return (
        f"<note>{more if more.startswith(('<chord', '<cue')) else ''}"
        f"<pitch><step>{step}</step>{altered}<octave>{octave}</octave></pitch><duration>{length}</duration>"
        f"{'' if more.startswith(('<chord', '<cue')) else more}</note>"
    )


def unpitched(step: str = "C", octave: int = 5, more: str = "") -> str:
    return (
        f"<note><unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave>"
        f"</unpitched><duration>1</duration>{more}</note>"
    )


def key(fifths: int, more: str = "", mode: str = "", number: str = "") -> str:
    at = f" number='{number}'" if number else ""
    said = f"<mode>{mode}</mode>" if mode else ""
    return f"<attributes><key{at}><fifths>{fifths}</fifths>{said}</key>{more}</attributes>"


def transpose(chromatic: int, diatonic: int | None = None, more: str = "") -> str:
    letters = "" if diatonic is None else f"<diatonic>{diatonic}</diatonic>"
    return f"<transpose>{letters}<chromatic>{chromatic}</chromatic>{more}</transpose>"


def document(*parts: tuple[str, str | list[str]], divisions: float = 1) -> str:
    """Partwise document of (content of `score-part`, measures)."""
    heads, bodies = [], []
    for i, (head, measures) in enumerate(parts):
        declared = head if head.startswith("<") else f"<part-name>{head}</part-name>"
        heads.append(f"<score-part id='P{i}'>{declared}</score-part>")
        cells = [measures] if isinstance(measures, str) else measures
        first = f"<attributes><divisions>{divisions}</divisions>{TIME}</attributes>"
        body = "".join(f"<measure>{first if not n else ''}{cell}</measure>" for n, cell in enumerate(cells))
        bodies.append(f"<part id='P{i}'>{body}</part>")
    return f"<score-partwise><part-list>{''.join(heads)}</part-list>{''.join(bodies)}</score-partwise>"


def read(*parts: tuple[str, str | list[str]], divisions: float = 1) -> Piece:
    return read_musicxml(document(*parts, divisions=divisions).encode(), "x.musicxml")


def fifths(*parts: tuple[str, str | list[str]]) -> list[tuple[int, int]]:
    """(quarter, fifths) of each key."""
    score = read(*parts).score
    return [(k.tick // score.ticks_per_quarter, k.fifths) for k in score.keys]


FOUR = "".join(note(s) for s in "CDEF")


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


# Encodings and archives -----------------------------------------------------------------------

XML = document(("Flöte é", FOUR))


@pytest.mark.parametrize(
    "data",
    [
        XML.encode(),
        b"\xef\xbb\xbf" + XML.encode(),
        XML.encode("utf-16"),
        b"\xfe\xff" + XML.encode("utf-16-be"),
        XML.encode("utf-16-le"),
        XML.encode("utf-16-be"),
        XML.encode("utf-32"),
        XML.encode("utf-32-be"),
        ("<?xml version='1.0' encoding='UTF-16'?>" + XML).encode("utf-16"),
        ("<?xml version='1.0' encoding='UTF-16'?>" + XML).encode(),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>" + XML).encode("latin-1"),
        ("<?xml version='1.0' encoding='windows-1252'?>" + XML).encode("cp1252"),
        ("<?xml version='1.0' encoding='macintosh'?>" + XML).encode("mac-roman"),
        ("\n  <?xml version='1.0' encoding='UTF-8'?>" + XML).encode(),
    ],
)
def test_encodings(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    path.write_bytes(data)
    (piece,) = read_file(path)
    assert isinstance(piece, Piece), piece
    assert piece.score.tracks[0].name == "Flöte é"


def test_a_multibyte_encoding() -> None:
    text = "<?xml version='1.0' encoding='Shift_JIS'?>" + document(("尺八", FOUR))
    assert read_musicxml(text.encode("shift-jis"), "x").score.tracks[0].name == "尺八"


def archive(**files: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def container(*roots: str) -> str:
    return f"<container><rootfiles>{''.join(f'<rootfile {r}/>' for r in roots)}</rootfiles></container>"


OTHER = document(("Other", FOUR))


@pytest.mark.parametrize(
    ("files", "remark"),
    [
        ({"META-INF__container.xml": container("full-path='a.xml'"), "b.xml": OTHER, "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='a.xml' media-type='application/vnd.recordare.musicxml+xml'", "full-path='b.pdf' media-type='application/pdf'"), "b.pdf": b"x", "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='b.pdf' media-type='application/pdf'", "full-path='a.xml' media-type='application/vnd.recordare.musicxml+xml'"), "b.pdf": b"x", "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='a.xml' media-type='text/plain'"), "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='gone.xml'"), "a.xml": XML}, True),
        ({"META-INF__container.xml": "<container><rootfiles>", "a.xml": XML}, True),
        ({"META-INF__container.xml": "", "a.xml": XML}, True),
        ({"META-INF__container.xml": container("full-path='it's.xml'"), "it's.xml": XML}, True),
        ({"META-INF__container.xml": container("full-path='it&apos;s.xml'"), "it's.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='dir%20a/a.xml'"), "dir a__a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='A.XML'"), "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='score.musicxml'").encode("utf-16"), "score.musicxml": XML}, False),
        ({"settings.xml": "<settings/>", "a.musicxml": XML}, True),
        ({"__MACOSX__._a.xml": b"\0\5", "a.xml": XML.encode("utf-16")}, False),
    ],
)  # fmt: skip
def test_archives(files: dict[str, bytes | str], remark: bool) -> None:
    piece = read_musicxml(archive(**files), "x.mxl")
    assert piece.score.tracks[0].name == "Flöte é"
    assert bool(piece.repairs) == remark


def test_archives_of_something_else_say_what_to_do() -> None:
    with pytest.raises(UnreadableFileError, match="open it in MuseScore and export it"):
        read_musicxml(archive(**{"a.mscx": "<museScore/>"}), "x.mxl")
    with pytest.raises(UnreadableFileError, match="import the scores themselves"):
        read_musicxml(b"<opus/>", "x.xml")


# Loudness and tempo ---------------------------------------------------------------------------


def direction(kind: str, sound: str = "", more: str = "") -> str:
    return f"<direction><direction-type>{kind}</direction-type>{more}{sound}</direction>"


def marks(mark: str) -> str:
    return direction(f"<dynamics><{mark}/></dynamics>")


def test_dynamics() -> None:
    def velocities(*measures: str) -> list[int]:
        return read(("Flute", list(measures))).score.velocity.tolist()

    assert velocities(marks("p") + note() + note() + marks("ff") + note() + note()) == [49, 49, 112, 112]
    assert velocities(marks("p") + note() + marks("sfz") + note() + note() + note()) == [49, 112, 49, 49]
    assert velocities(marks("fp") + FOUR) == [96, 49, 49, 49]
    assert velocities(marks("pppp") + FOUR) == [16] * 4
    assert velocities("<sound dynamics='100'/>" + FOUR) == [90] * 4
    assert velocities(FOUR.replace("<note>", "<note dynamics='50'>")) == [45] * 4
    inside = note(more="<notations><dynamics><f/></dynamics></notations>")
    assert velocities(note() + inside + note() + note()) == [80, 96, 96, 96]


def test_dynamics_of_a_voice_that_is_written_later() -> None:
    first = marks("p") + note() + note() + marks("f") + note() + note()
    second = "<backup><duration>4</duration></backup>" + "".join(note("C", 3) for _ in range(4))
    score = read(("Piano", first + second)).score
    assert score.velocity[score.pitch == 48].tolist() == [49, 49, 96, 96]


def test_wedges() -> None:
    start, stop = direction("<wedge type='crescendo'/>"), direction("<wedge type='stop'/>")
    score = read(("Flute", [marks("p") + start + FOUR, stop + marks("f") + FOUR])).score
    assert score.velocity.tolist() == [49, 61, 72, 84, 96, 96, 96, 96]
    score = read(("Flute", [direction("<wedge type='diminuendo'/>") + FOUR, stop + FOUR])).score
    assert score.velocity.tolist() == [80, 76, 72, 68, 64, 64, 64, 64]


def metronome(unit: str, rate: str, dots: int = 0) -> str:
    return direction(
        f"<metronome><beat-unit>{unit}</beat-unit>{'<beat-unit-dot/>' * dots}<per-minute>{rate}</per-minute></metronome>"
    )


@pytest.mark.parametrize(
    ("mark", "bpm"),
    [
        (metronome("quarter", "72"), 72), (metronome("quarter", "60", 1), 90), (metronome("half", "50"), 100),
        (metronome("eighth", "c. 120"), 60), (metronome("quarter", "96.5"), 96.5),
        (metronome("half", "40", 2), 140), (direction("<words>Allegro (♩. = 80)</words>"), 120),
        ("<sound tempo='133'/>", 133), (direction("<words>x</words>", "<sound tempo='70'/>"), 70),
    ],
)  # fmt: skip
def test_tempos(mark: str, bpm: float) -> None:
    assert [t.bpm for t in read(("Flute", mark + FOUR)).score.tempos] == [bpm]


def test_tempo_changes_within_a_measure_and_in_a_later_part() -> None:
    change = note() + note() + metronome("quarter", "60") + note() + note()
    score = read(("Flute", FOUR), ("Piano", metronome("quarter", "90") + change)).score
    assert [(t.tick // score.ticks_per_quarter, t.bpm) for t in score.tempos] == [(0, 90), (2, 60)]
    moved = direction("<words>rit.</words>", "<sound tempo='50'/>", "<offset>2</offset>")
    score = read(("Flute", metronome("quarter", "90") + moved + FOUR)).score
    assert [(t.tick // score.ticks_per_quarter, t.bpm) for t in score.tempos] == [(0, 90), (2, 50)]


def test_a_metric_modulation() -> None:
    equal = direction(
        "<metronome><beat-unit>quarter</beat-unit><beat-unit>quarter</beat-unit><beat-unit-dot/></metronome>"
    )
    score = read(("Flute", [metronome("quarter", "90") + FOUR, equal + FOUR])).score
    assert [t.bpm for t in score.tempos] == [90, 60]


# Notes ----------------------------------------------------------------------------------------


def times(*measures: str) -> list[tuple[float, float, int]]:
    score = read(("Flute", list(measures)), divisions=2).score
    return [(o / 10080, d / 10080, p) for o, d, p, *_ in score.notes().tolist()]


def test_cue_notes_take_their_time() -> None:
    assert times(note(length=2, more="<cue/>") + note("D", length=2)) == [(1, 1, 62)]


def test_chords_after_other_elements_and_of_other_lengths() -> None:
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    body = note(length=2) + harmony + note("E", length=1, more="<chord/>") + note("G", length=2)
    assert times(body) == [(0, 1, 60), (0, 0.5, 64), (1, 1, 67)]


def test_backup_beyond_the_start_is_said() -> None:
    piece = read(("Flute", note() + "<backup><duration>9</duration></backup>" + note("D")))
    assert piece.score.onset.tolist() == [0, 0]
    assert any("beyond the start" in r for r in piece.repairs)


def test_a_note_without_duration_lasts_as_long_as_it_looks() -> None:
    body = "<note><pitch><step>C</step><octave>4</octave></pitch><type>quarter</type><dot/></note>" + note(
        "D", length=1
    )
    assert times(body) == [(0, 1.5, 60), (1.5, 0.5, 62)]


def test_ties_over_barlines_staves_and_by_notation_only() -> None:
    start, stop = "<tie type='start'/>", "<tie type='stop'/>"
    assert times(note(length=8, more=start), note(length=8, more=stop)) == [(0, 8, 60)]
    drawn = "<notations><tied type='{}'/></notations>"
    tied = times(note(length=8, more=drawn.format("start")), note(length=8, more=drawn.format("stop")))
    assert tied == [(0, 8, 60)]
    over = times(
        note(length=8, more=start + "<staff>1</staff>"), note(length=8, more=stop + "<staff>2</staff>")
    )
    assert over == [(0, 8, 60)]


def test_septuplets_do_not_drift() -> None:
    body = "".join(note(length=8) for _ in range(7)) + "".join(note(length=7) for _ in range(24))
    score = read(("Flute", body), divisions=56).score
    assert score.onset.tolist()[7] == 10080


def test_metres() -> None:
    def first(time: str, length: float) -> str:
        body = f"<attributes>{time}</attributes>" + note(length=length)
        return read(("Flute", body)).score.metres[0].name

    pair = "<beats>{}</beats><beat-type>{}</beat-type>"
    assert first(f"<time>{pair.format('3+2', 8)}</time>", 2.5) == "5/8"
    assert first(f"<time>{pair.format(3, 8)}{pair.format(2, 4)}</time>", 3.5) == "7/8"
    assert first("<time><senza-misura/></time>", 4) == "4/4"


def test_the_metre_is_that_which_fills_the_measure() -> None:
    twelve = "<attributes><time><beats>12</beats><beat-type>8</beat-type></time></attributes>"
    piece = read(("Voice", [FOUR, FOUR]), ("Piano", [twelve + note(length=6), note(length=6)]))
    assert [m.name for m in piece.score.metres] == ["12/8"]
    assert not piece.repairs


def test_a_measure_rest_is_no_longer_than_its_bar() -> None:
    three = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    rest = "<note><rest measure='yes'/><duration>4</duration></note>"
    score = read(("Flute", [three + rest, note(length=3)])).score
    assert score.onset.tolist() == [3 * 10080]


def test_tablature_that_repeats_the_staff_is_left_out() -> None:
    tab = "<attributes><clef number='2'><sign>TAB</sign></clef></attributes>"
    lower = FOUR.replace("</note>", "<staff>2</staff></note>")
    piece = read(("Guitar", tab + FOUR + "<backup><duration>4</duration></backup>" + lower))
    assert len(piece.score) == 4
    assert any("tablature" in r for r in piece.repairs)


def test_ornaments_are_remarked_upon() -> None:
    piece = read(("Flute", note(more="<notations><ornaments><trill-mark/></ornaments></notations>")))
    assert piece.repairs == ("1 ornaments and tremolos not played out",)


@pytest.mark.parametrize(
    ("endings", "kept"),
    [(["1", "2"], [60, 64]), (["1", "2", "3"], [60, 65]), (["1, 2", "3"], [60, 64]), (["1"], [60, 64])],
)
def test_of_several_endings_the_last_is_kept(endings: list[str], kept: list[int]) -> None:
    bracket = "<barline location='{}'><ending number='{}' type='{}'/></barline>"
    body = [note(length=4)]
    for step, number in zip("DEFG", endings, strict=False):
        body.append(
            bracket.format("left", number, "start")
            + note(step, length=4)
            + bracket.format("right", number, "stop")
        )
    if len(endings) == 1:
        body.append(note("E", length=4))
    text = document(("Flute", body)).encode()
    assert read_musicxml(text, "x").score.pitch.tolist() == kept
    assert len(read_musicxml(text, "x", all_endings=True).score) == len(body)


def test_namespaces_are_passed_over() -> None:
    text = XML.replace("<score-partwise", "<score-partwise xmlns='http://example.org/m'")
    assert len(read_musicxml(text.encode(), "x").score) == 4


# Limits ---------------------------------------------------------------------------------------

OPENING = "<score-partwise><part-list/><part id='P1'><measure>"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (OPENING + "<a>" * 100_000, "nested deeper"),
        (OPENING + "<a><!--</a>-->" * 1000, "nested deeper"),
        (OPENING + "<a/>" * 7_000_000, "XML elements"),
        (OPENING + f"<a b='{'x' * 1_100_000}'/>", "without an XML element"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + OPENING, "entities"),
        (OPENING, "not well-formed XML: no element found: line 1"),
    ],
    ids=["deep", "deep behind comments", "wide", "attribute", "entity", "cut off"],
)  # fmt: skip
def test_limits_hold_before_the_tree_is_built(data: str, cause: str) -> None:
    with pytest.raises(UnreadableFileError, match=cause):
        read_musicxml(data.encode(), "bad.xml")


def test_a_directory_of_many_entries_is_refused_before_it_is_read() -> None:
    data = archive(**{f"{i}.xml": b"" for i in range(300)})
    with pytest.raises(UnreadableFileError, match="archive of 300 entries; allowed: 200; unpack"):
        read_musicxml(data, "x.mxl")


def test_real_archives_are_read_whole(shared_data: Path) -> None:
    paths = sorted((shared_data / "openscore_quartets").rglob("*.mxl"))[::15]
    assert len(paths) > 6
    for path in paths:
        piece = read_musicxml_file(path)
        assert [t.program for t in piece.score.tracks[:1]] == [40], path.name
