from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.musicxml import read_musicxml, read_musicxml_file, write_musicxml
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>{}</duration></note>"
DOCUMENT = (
    "<score-partwise><part-list><score-part id='P1'><part-name>Flute</part-name></score-part></part-list>"
    "<part id='P1'>{}</part></score-partwise>"
)
ATTRIBUTES = (
    "<attributes><divisions>{}</divisions><key><fifths>0</fifths></key>"
    "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
)


def melody(rows: list[tuple[int, int]], **fields: object) -> Score:
    """(length, pitch) one after the other at 24 ticks a quarter; pitch 0 is a rest."""
    notes, onset = [], 0
    for length, pitch in rows:
        if pitch:
            notes.append((onset, length, pitch, 80, 0))
        onset += length
    return quantise(Score.from_notes(notes, ticks_per_quarter=24, **fields))  # type: ignore[arg-type]


def back(score: Score) -> Score:
    return quantise(read_musicxml(write_musicxml(score).encode(), "x.musicxml").score)


def written(score: Score) -> list[ElementTree.Element]:
    """The `note` elements."""
    return list(ElementTree.fromstring(write_musicxml(score)).iter("note"))


def said(note: ElementTree.Element) -> str:
    """As `C#4 quarter.`, with `~` where it is tied on and `3` in a triplet."""
    step = note.findtext("pitch/step") or "rest"
    alter = {None: "", "1": "#", "-1": "b", "2": "x"}[note.findtext("pitch/alter")]
    tie = "~" if any(t.get("type") == "start" for t in note.findall("tie")) else ""
    triplet = "3" if note.find("time-modification") is not None else ""
    dots = "." * len(note.findall("dot"))
    return f"{step}{alter}{note.findtext('pitch/octave') or ''} {note.findtext('type')}{dots}{triplet}{tie}"


def measure(*items: str, divisions: str = "1") -> bytes:
    return DOCUMENT.format(f"<measure>{ATTRIBUTES.format(divisions)}{''.join(items)}</measure>").encode()


# Round trips ----------------------------------------------------------------------------------


@given(data=st.data())
def test_what_is_written_reads_back_the_same(
    quantised_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    score = data.draw(quantised_scores.filter(len))
    assert back(score) == score


def test_real_pieces_come_back(tunes: list[Piece], chorales: list[Piece]) -> None:
    for piece in [*tunes[::2], *chorales]:
        score = quantise(piece.score)
        assert back(score) == score, piece.title


def test_titles_composers_and_rights_come_back() -> None:
    text = write_musicxml(melody([(96, 60)]), title="Ti <&> tle", composer="A. Nonymous", rights="CC0")
    piece = read_musicxml(text.encode(), "x.musicxml")
    assert (piece.title, piece.composer, piece.licence) == ("Ti <&> tle", "A. Nonymous", "CC0")


def test_a_generated_piece_says_so_in_its_data() -> None:
    piece = read_musicxml(write_musicxml(melody([(96, 60)]), generated=True).encode(), "x")
    assert "machine" in piece.composer
    assert "machine" in piece.licence


def test_control_characters_in_a_title_do_not_break_the_file() -> None:
    text = write_musicxml(melody([(96, 60)]), title="a\0b\x0bc\ud800")
    assert read_musicxml(text.encode(), "x").title == "abc"


def test_a_score_off_the_grid_is_refused() -> None:
    with pytest.raises(InputError, match="480 ticks a quarter; quantise"):
        write_musicxml(Score.from_notes([(0, 480, 60, 80, 0)], ticks_per_quarter=480))


# Engraving ------------------------------------------------------------------------------------


def test_leading_notes_are_written_as_such() -> None:
    a_minor = melody([(24, 69), (24, 68), (48, 69)], keys=(Key(0, 0, "minor"),))
    g_minor = melody([(24, 67), (24, 66), (48, 67)], keys=(Key(0, -2, "minor"),))
    f_sharp_minor = melody([(24, 66), (24, 65), (48, 66)], keys=(Key(0, 3, "minor"),))
    assert [said(n).split()[0] for n in written(a_minor)] == ["A4", "G#4", "A4"]
    assert [said(n).split()[0] for n in written(g_minor)] == ["G4", "F#4", "G4"]
    assert [said(n).split()[0] for n in written(f_sharp_minor)] == ["F#4", "E#4", "F#4"]
    assert [n.findtext("accidental") for n in written(f_sharp_minor)] == [None, "sharp", None]


def test_b_flat_in_f_major_needs_no_accidental_and_b_natural_does_once_a_bar() -> None:
    score = melody([(24, 70), (24, 71), (24, 71), (24, 70), (96, 71)], keys=(Key(0, -1, "major"),))
    assert [n.findtext("accidental") for n in written(score)] == [None, "natural", None, "flat", "natural"]


def test_a_tied_note_repeats_no_accidental() -> None:
    score = melody([(72, 60), (48, 61), (72, 60)])
    assert [(said(n), n.findtext("accidental")) for n in written(score)][1:3] == [
        ("C#4 quarter~", "sharp"), ("C#4 quarter", None),
    ]  # fmt: skip


def test_note_values_show_the_beat() -> None:
    """A quarter after a dotted quarter would hide the third beat of 4/4."""
    score = melody([(36, 60), (24, 62), (36, 64)])
    assert [said(n) for n in written(score)] == [
        "C4 quarter.",
        "D4 eighth~",
        "D4 eighth",
        "E4 eighth~",
        "E4 quarter",
    ]


def test_the_usual_syncopation_is_written_as_one_note() -> None:
    score = melody([(12, 60), (24, 62), (12, 64), (48, 65)])
    assert [said(n) for n in written(score)] == ["C4 eighth", "D4 quarter", "E4 eighth", "F4 half"]


def test_a_note_over_the_barline_is_tied() -> None:
    score = melody([(72, 60), (72, 62), (48, 60)])
    assert [said(n) for n in written(score)] == ["C4 half.", "D4 quarter~", "D4 half", "C4 half"]


def test_dotted_values_in_compound_time() -> None:
    score = melody([(36, 60), (24, 62), (12, 64), (72, 60)], metres=(Metre(0, 6, 8),))
    assert [said(n) for n in written(score)] == ["C4 quarter.", "D4 quarter", "E4 eighth", "C4 half."]


def test_rests_are_written() -> None:
    score = melody([(24, 60), (48, 0), (24, 62)])
    assert [said(n) for n in written(score)] == ["C4 quarter", "rest quarter", "rest quarter", "D4 quarter"]


def test_triplets_carry_their_bracket() -> None:
    score = melody([(8, 60), (8, 62), (8, 64), (24, 65), (48, 60)])
    notes = written(score)
    assert [said(n) for n in notes] == [
        "C4 eighth3", "D4 eighth3", "E4 eighth3", "F4 quarter", "C4 half",
    ]  # fmt: skip
    marks = [[t.get("type") for t in n.iter("tuplet")] for n in notes]
    assert marks == [["start"], [], ["stop"], [], []]


def test_quarter_triplets_over_two_beats() -> None:
    score = melody([(16, 60), (16, 62), (16, 64), (48, 65)])
    assert [said(n) for n in written(score)][:3] == ["C4 quarter3", "D4 quarter3", "E4 quarter3"]


def beams(score: Score) -> str:
    """First letter of the first beam of each note, `-` without one."""
    found = [n.findtext("beam") for n in written(score)]
    return "".join(b[0] if b else "-" for b in found)


def test_beams_show_the_beats() -> None:
    assert beams(melody([(12, 60)] * 8)) == "bcce" * 2
    assert beams(melody([(12, 60)] * 6, metres=(Metre(0, 3, 4),))) in ("bebebe", "bcccce")
    assert beams(melody([(12, 60)] * 6, metres=(Metre(0, 6, 8),))) == "bce" * 2
    assert beams(melody([(12, 60), (12, 60), (24, 60), (12, 60), (12, 0), (24, 60)])) == "be----"
    assert beams(melody([(6, 60)] * 8 + [(48, 60)])) == "bcce" * 2 + "-"


def test_sixteenths_after_a_dotted_eighth_have_a_hook() -> None:
    score = melody([(18, 60), (6, 62), (24, 60), (48, 60)])
    second = [b.text for b in written(score)[1].findall("beam")]
    assert second == ["end", "backward hook"]


def test_the_upbeat_is_a_measure_of_its_own_and_the_last_bar_is_shortened() -> None:
    score = melody([(24, 60)] * 8, upbeat_ticks=24, metres=(Metre(0, 4, 4),))
    measures = ElementTree.fromstring(write_musicxml(score)).findall("part/measure")
    assert [m.get("number") for m in measures] == ["0", "1", "2"]
    assert measures[0].get("implicit") == "yes"
    assert [len(m.findall("note")) for m in measures] == [1, 4, 3]


def test_every_measure_of_every_voice_is_full(chorales: list[Piece]) -> None:
    """What engravers complain about first."""
    score = quantise(chorales[3].score)
    document = ElementTree.fromstring(write_musicxml(score))
    starts = score.bar_starts().tolist()
    for part in document.findall("part"):
        measures = part.findall("measure")
        assert len(measures) == len(starts)
        for number, one in enumerate(measures[:-1]):
            total: dict[str, int] = {}
            for note in one.findall("note"):
                if note.find("chord") is None:
                    voice = note.findtext("voice") or ""
                    total[voice] = total.get(voice, 0) + int(note.findtext("duration") or 0)
            assert set(total.values()) == {starts[number + 1] - starts[number]}


def test_drums_come_back_as_drums() -> None:
    score = quantise(
        Score.from_notes(
            [(0, 24, 36, 80, 0), (24, 24, 42, 80, 0)], ticks_per_quarter=24, tracks=(Track(0, True, "Kit"),)
        )
    )
    assert back(score) == score


def test_dynamics_and_tempo_changes_come_back() -> None:
    notes = [(i * 24, 24, 60 + i, 49 if i < 4 else 96, 0) for i in range(8)]
    score = quantise(Score.from_notes(notes, ticks_per_quarter=24, tempos=(Tempo(0, 100.0), Tempo(96, 60.0))))
    text = write_musicxml(score)
    assert "<p/>" in text
    assert "<f/>" in text
    assert back(score) == score


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_another_program_reads_the_same_notes(chorales: list[Piece], tunes: list[Piece]) -> None:
    from music21 import converter

    for piece in (chorales[0], tunes[0]):
        score = quantise(piece.score)
        parsed = converter.parseData(write_musicxml(score), format="musicxml").toSoundingPitch()
        assert len(parsed.parts) == len(score.tracks)
        for track, part in enumerate(parsed.parts):
            mine = score.where(score.track == track).notes()
            heard = [
                (round(float(n.offset) * 24), round(float(n.quarterLength) * 24), p.midi)
                for n in part.flatten().stripTies().notes
                for p in n.pitches
            ]
            assert sorted(heard) == sorted((o, d, p) for o, d, p, *_ in mine.tolist())


# Reading --------------------------------------------------------------------------------------


def test_a_part_without_a_program_gets_the_instrument_of_its_name() -> None:
    (track,) = read_musicxml(measure(NOTE.format(4)), "x").score.tracks
    assert (track.program, track.name) == (73, "Flute")


def test_first_endings_grace_notes_and_repeats_are_left_out() -> None:
    grace = "<note><grace/><pitch><step>D</step><octave>4</octave></pitch></note>"
    first = "<barline location='left'><ending number='1' type='start'/></barline>"
    stop = "<barline><ending number='1' type='stop'/><repeat direction='backward'/></barline>"
    second = "<barline location='left'><ending number='2' type='start'/></barline>"
    body = (
        f"<measure>{ATTRIBUTES.format(1)}{grace}{NOTE.format(4)}</measure>"
        f"<measure>{first}{NOTE.format(4).replace('C', 'D')}{stop}</measure>"
        f"<measure>{second}{NOTE.format(4).replace('C', 'E')}</measure>"
    )
    piece = read_musicxml(DOCUMENT.format(body).encode(), "x")
    assert piece.score.pitch.tolist() == [60, 64]
    assert piece.score.n_bars == 2
    assert piece.repairs == ("1 grace or cue notes left out", "1 measures of first endings left out")
    assert piece.exact.pitch.tolist() == [60, 62, 64]


def test_transposing_instruments_sound_where_they_sound() -> None:
    transpose = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert read_musicxml(measure(transpose, NOTE.format(4)), "x").score.pitch.tolist() == [58]


def test_two_staves_are_two_tracks() -> None:
    right = NOTE.format(4).replace("</note>", "<staff>1</staff></note>")
    left = right.replace("<staff>1", "<staff>2").replace("<octave>4", "<octave>3")
    score = read_musicxml(measure(right, "<backup><duration>4</duration></backup>", left), "x").score
    assert (len(score.tracks), score.pitch.tolist()) == (2, [60, 48])


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def test_compressed_files_with_and_without_a_container() -> None:
    good = measure(NOTE.format(4))
    container = b"<container><rootfiles><rootfile full-path='b.xml'/></rootfiles></container>"
    plain = zipped(**{"a.musicxml": good})
    listed = zipped(**{"META-INF__container.xml": container, "a.xml": b"<no/>", "b.xml": good})
    for data in (plain, listed):
        assert len(read_musicxml(data, "x.mxl").score) == 1


# Hostile input --------------------------------------------------------------------------------

LAUGHS = "".join(f"<!ENTITY l{i + 1} '{f'&l{i};' * 10}'>" for i in range(9))
HOSTILE = {
    "empty": b"",
    "text": b"hello",
    "other xml": b"<html/>",
    "timewise": b"<score-timewise/>",
    "no parts": b"<score-partwise/>",
    "no measures": DOCUMENT.format("").encode(),
    "no notes": measure(),
    "cut off": measure(NOTE.format(4))[:-40],
    "bad encoding": b"<?xml version='1.0' encoding='utf-99'?>" + measure(NOTE.format(4)),
    "not utf-8": measure(NOTE.format(4)).replace(b"Flute", b"\xff\xfe"),
    "billion laughs": f"<!DOCTYPE x [<!ENTITY l0 'lol'>{LAUGHS}]><score-partwise>&l9;</score-partwise>".encode(),
    "external entity": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><score-partwise>&e;</score-partwise>",
    "divisions 0": measure(NOTE.format(4), divisions="0"),
    "divisions -4": measure(NOTE.format(4), divisions="-4"),
    "divisions x": measure(NOTE.format(4), divisions="x"),
    "divisions nan": measure(NOTE.format(4), divisions="nan"),
    "divisions inf": measure(NOTE.format(4), divisions="1e999"),
    "negative duration": measure(NOTE.format(-4)),
    "duration nan": measure(NOTE.format("nan")),
    "duration inf": measure(NOTE.format("inf")),
    "duration of years": measure(NOTE.format(9_000_000)),
    "octave 99": measure(NOTE.format(4).replace("<octave>4", "<octave>99")),
    "octave x": measure(NOTE.format(4).replace("<octave>4", "<octave>x")),
    "octave of a million digits": measure(NOTE.format(4).replace("<octave>4", "<octave>" + "9" * 1_000_000)),
    "step H": measure(NOTE.format(4).replace("<step>C", "<step>H")),
    "alter nan": measure(NOTE.format(4).replace("</step>", "</step><alter>nan</alter>")),
    "alter inf": measure(NOTE.format(4).replace("</step>", "</step><alter>inf</alter>")),
    "metre 4/0": measure(NOTE.format(4)).replace(b"<beat-type>4", b"<beat-type>0"),
    "metre 0/4": measure(NOTE.format(4)).replace(b"<beats>4", b"<beats>0"),
    "fifths 99": measure(NOTE.format(4)).replace(b"<fifths>0", b"<fifths>99"),
    "staff x": measure(NOTE.format(4).replace("</note>", "<staff>x</staff></note>")),
    "dynamics nan": measure(NOTE.format(4).replace("<note>", "<note dynamics='nan'>")),
    "deep": b"<a>" * 100_000,
    "zip of nothing": zipped(),
    "zip of other things": zipped(**{"a.txt": b"x"}),
    "zip cut off": zipped(**{"a.xml": measure(NOTE.format(4))})[:-30],
    "zip of 1000 entries": zipped(**{f"{i}.xml": b"<a/>" for i in range(1000)}),
    "zip bomb": zipped(**{"a.xml": b" " * 40_000_000}),
    "container bomb": zipped(**{"META-INF__container.xml": b" " * 10_000_000, "a.xml": b"<a/>"}),
    "broken container": zipped(**{"META-INF__container.xml": b"<", "a.xml": b"<a/>"}),
    "container laughs": zipped(
        **{"META-INF__container.xml": f"<!DOCTYPE x [<!ENTITY l0 'lol'>{LAUGHS}]><x>&l9;</x>".encode()}
    ),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_files_name_the_file_and_the_cause(data: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"^bad\.musicxml: .{4}") as caught:
        read_musicxml(data, "bad.musicxml")
    assert len(str(caught.value)) < 400


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(zipped(**{"a.xml": measure(NOTE.format(4))}))
    data[6] |= 1  # the flag in the local header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableFileError, match=r"bad\.mxl"):
        read_musicxml(bytes(data), "bad.mxl")


def test_an_unknown_compression_is_refused() -> None:
    data = bytearray(zipped(**{"a.xml": measure(NOTE.format(4))}))
    data[8] = 77
    data[data.index(b"PK\x01\x02") + 10] = 77
    with pytest.raises(UnreadableFileError, match=r"bad\.mxl"):
        read_musicxml(bytes(data), "bad.mxl")


@given(data=st.data())
def test_a_damaged_archive_never_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(zipped(**{"META-INF__container.xml": b"<x/>", "a.xml": measure(NOTE.format(4))}))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(2, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableFileError):
        assert len(read_musicxml(bytes(raw), "x.mxl").score) >= 1


@given(data=st.data())
def test_damaged_xml_never_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(measure(NOTE.format(4), NOTE.format(2)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"0987 -<>/x&e.\0\xff"))
    with suppress(UnreadableFileError):
        assert len(read_musicxml(bytes(raw), "x.xml").score) >= 1


def test_files_that_are_not_there_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"gone\.mxl: No such file"):
        read_musicxml_file(tmp_path / "gone.mxl")
    with pytest.raises(UnreadableFileError):
        read_musicxml_file(tmp_path)
