"""Reading MusicXML: loudness, tempo, notes, metres and endings."""

from __future__ import annotations

import pytest
from tests.formats.musicxml_texts import FOUR, document, note, read

from troubadour.formats.musicxml import read_musicxml

TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"

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
