from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troubadour.core.errors import UnreadableFileError
from troubadour.formats.abc.read import TICKS_PER_QUARTER, read_abc, read_abc_file
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre

C, D, E, F, G, A, B, C5 = 60, 62, 64, 65, 67, 69, 71, 72
HEAD = "X:1\nT:Test\nM:4/4\nL:1/4\nK:{key}\n"


def read(text: str) -> Piece:
    (piece,) = read_abc(text, "book.abc")
    assert isinstance(piece, Piece), piece
    return piece


def refused(text: str) -> str:
    (item,) = read_abc(text, "book.abc")
    assert isinstance(item, Unreadable), item
    assert item.name.startswith("book.abc")
    return item.cause


def tune(body: str, key: str = "C") -> Piece:
    return read(HEAD.format(key=key) + body)


def notes(piece: Piece) -> list[tuple[float, float, int]]:
    """(onset, length, pitch) in quarters."""
    return [
        (onset / TICKS_PER_QUARTER, length / TICKS_PER_QUARTER, pitch)
        for onset, length, pitch, *_ in piece.score.notes().tolist()
    ]


def pitches(body: str, key: str = "C") -> list[int]:
    return [n[2] for n in notes(tune(body, key))]


def lengths(body: str) -> list[float]:
    return [round(n[1], 6) for n in notes(tune(body))]


# Pitches --------------------------------------------------------------------------------------


def test_octaves() -> None:
    assert pitches("C,, C, C c | c' c''") == [36, 48, 60, 72, 84, 96]


def test_an_accidental_lasts_to_the_barline_and_in_all_octaves() -> None:
    assert pitches("^F F f F | F") == [66, 66, 78, 66, 65]


def test_a_natural_overrules_the_key_until_the_barline() -> None:
    assert pitches("F =F F _F | F", "G") == [66, 65, 65, 64, 66]


def test_double_accidentals() -> None:
    assert pitches("^^C __D") == [62, 60]


@pytest.mark.parametrize(
    ("text", "fifths", "mode", "tonic"),
    [
        ("C", 0, "major", "C"), ("G", 1, "major", "G"), ("Bb", -2, "major", "Bb"), ("F#", 6, "major", "F#"),
        ("Am", 0, "minor", "A"), ("F# minor", 3, "minor", "F#"), ("Cmin", -3, "minor", "C"),
        ("D dorian", 0, "dorian", "D"), ("Ador", 1, "dorian", "A"), ("Amix", 2, "mixolydian", "A"),
        ("A Mixolydian", 2, "mixolydian", "A"), ("Ephr", 0, "phrygian", "E"), ("F lyd", 0, "lydian", "F"),
        ("Bloc", 0, "locrian", "B"), ("HP", 2, "mixolydian", "A"), ("none", 0, "major", "C"),
    ],
)  # fmt: skip
def test_keys_and_modes(text: str, fifths: int, mode: str, tonic: str) -> None:
    (key,) = tune("C4", text).score.keys
    assert (key.fifths, key.mode, key.name) == (fifths, mode, f"{tonic} {mode}")


def test_a_key_with_accidentals_of_its_own() -> None:
    assert pitches("G c", "Am ^g") == [68, 72]


# Rhythm ---------------------------------------------------------------------------------------


def test_lengths() -> None:
    assert lengths("C2 C C/ C/2 | C// C//C/ C3/2 C") == [2, 1, 0.5, 0.5, 0.25, 0.25, 0.5, 1.5, 1]


def test_the_unit_length_without_l_depends_on_the_metre() -> None:
    assert notes(read("X:1\nM:6/8\nK:C\nC"))[0][1] == 0.5
    assert notes(read("X:1\nM:2/4\nK:C\nC"))[0][1] == 0.25


def test_broken_rhythm() -> None:
    assert lengths("C>D E<F") == [1.5, 0.5, 0.5, 1.5]
    assert lengths("C>>D E2") == [1.75, 0.25, 2]


def test_triplets_and_other_tuplets() -> None:
    third = round(2 / 3, 6)
    assert lengths("(3CDE F2") == [third] * 3 + [2]
    assert lengths("(3:2:2C2D E2") == [round(4 / 3, 6), third, 2]
    assert lengths("(5:4:5CDEFG") == [0.8] * 5
    assert lengths("(2CD C") == [1.5, 1.5, 1]


def test_a_tie_goes_over_the_barline() -> None:
    assert notes(tune("C D E F- | F G A B"))[3] == (3, 2, F)


def test_a_tie_joins_only_the_same_pitch() -> None:
    assert lengths("C- D C2") == [1, 1, 2]


def test_a_slur_is_no_tie() -> None:
    assert lengths("(C C) D2") == [1, 1, 2]


def test_chords() -> None:
    assert notes(tune("[CEG]2 [CE]2")) == [(0, 2, C), (0, 2, E), (0, 2, G), (2, 2, C), (2, 2, E)]


def test_rests() -> None:
    assert [(n[0], n[2]) for n in notes(tune("C z D x | Z | E4"))] == [(0, C), (2, D), (8, E)]


# Form -----------------------------------------------------------------------------------------


def test_repeats_are_not_played_twice() -> None:
    assert pitches("|: C D E F :|") == [C, D, E, F]


def test_of_two_endings_the_last_is_kept() -> None:
    piece = tune("|: C4 | D4 |1 E4 :|2 F4 || G4 |]")
    assert notes(piece) == [(0, 4, C), (4, 4, D), (8, 4, F), (12, 4, G)]
    assert piece.score.n_bars == 4


def test_endings_written_in_brackets() -> None:
    assert pitches("C4 | [1 D4 :| [2 E4 |]") == [C, E]


def test_a_short_first_bar_is_the_upbeat() -> None:
    score = tune("C | D E F G | A B c |]").score
    assert score.upbeat_ticks == TICKS_PER_QUARTER
    assert score.n_bars == 2
    assert score.metres == (Metre(0, 4, 4),)


def test_a_section_that_ends_short_and_one_that_starts_with_an_upbeat_make_one_bar() -> None:
    score = tune("C | D E F G | A B c :|: d | c B A G | F E D |]").score
    assert (score.n_bars, score.upbeat_ticks, score.metres) == (4, TICKS_PER_QUARTER, (Metre(0, 4, 4),))
    assert score.bar_starts().tolist() == [n * TICKS_PER_QUARTER for n in (0, 1, 5, 9, 13)]


def test_a_section_that_ends_short_is_filled_up() -> None:
    score = tune("C D E F | G A B || C D E F | G4 |]").score
    assert score.n_bars == 4
    assert score.metres == (Metre(0, 4, 4),)


def test_a_bar_that_is_too_long_gets_a_metre_of_its_own_and_is_told() -> None:
    piece = tune("C D E F | G A B c d | C D E F |]")
    assert [m.name for m in piece.score.metres] == ["4/4", "5/4", "4/4"]
    assert any("irregular" in r for r in piece.repairs)


# Fields ---------------------------------------------------------------------------------------


def test_inline_fields_change_metre_key_and_unit() -> None:
    piece = tune("C D E F | [M:3/4] [K:D] F G A | [L:1/8] F2 G2 A2 |]")
    assert piece.score.metres == (Metre(0, 4, 4), Metre(4 * TICKS_PER_QUARTER, 3, 4))
    assert piece.score.keys == (Key(0, 0, "major"), Key(4 * TICKS_PER_QUARTER, 2, "major"))
    assert [n[1] for n in notes(piece)] == [1] * 10
    assert [n[2] for n in notes(piece)][4:7] == [66, 67, 69]


def test_fields_on_lines_of_their_own_do_the_same() -> None:
    inline = tune("C D E F | [M:3/4][K:D] F G A |]")
    lines = tune("C D E F |\nM:3/4\nK:D\nF G A |]")
    assert inline.score == lines.score


def test_a_music_line_that_looks_like_a_field_is_music() -> None:
    assert pitches("C D E F |\nG A B c\nA:|") == [C, D, E, F, G, A, B, C5, A]


def test_voices_become_tracks_in_step() -> None:
    piece = tune("V:1\nc d e f | g4 |]\nV:2\nC4 | G,4 |]")
    assert [t.name for t in piece.score.tracks] == ["1", "2"]
    low = piece.score.where(piece.score.track == 1)
    assert [(o / TICKS_PER_QUARTER, p) for o, _, p, *_ in low.notes().tolist()] == [(0, 60), (4, 55)]


def test_accidentals_of_one_voice_do_not_touch_another() -> None:
    assert sorted(pitches("V:1\n^F4 |]\nV:2\nF4 |]")) == [65, 66]


@pytest.mark.parametrize(
    ("metre", "tempo", "bpm"),
    [
        ("4/4", "1/4=100", 100), ("4/4", "1/2=60", 120), ("6/8", "3/8=100", 150), ("6/8", "100", 150),
        ("4/4", '"Allegro" 1/4=132', 132), ("4/4", "1/8=240", 120), ("4/4", "1/4 3/8=40", 100),
    ],
)  # fmt: skip
def test_tempos(metre: str, tempo: str, bpm: float) -> None:
    piece = read(f"X:1\nM:{metre}\nL:1/4\nQ:{tempo}\nK:C\nCDE")
    assert piece.score.tempos[0].bpm == pytest.approx(bpm)


@pytest.mark.parametrize("tempo", ["Allegro", "1/4=0", "1/4=99999", "", "=", "1/0=100"])
def test_a_tempo_without_sense_gives_the_usual_one(tempo: str) -> None:
    assert read(f"X:1\nR:reel\nM:4/4\nQ:{tempo}\nK:C\nCDEF").score.tempos[0].bpm == 200


@pytest.mark.parametrize(
    ("text", "metre"),
    [
        ("C", (4, 4)),
        ("C|", (2, 2)),
        ("6/8", (6, 8)),
        ("2+3/8", (5, 8)),
        ("(2+2+3)/8", (7, 8)),
        ("none", (4, 4)),
    ],
)
def test_metres(text: str, metre: tuple[int, int]) -> None:
    assert read(f"X:1\nM:{text}\nL:1/8\nK:C\nC2").score.metres[0][1:] == metre


def test_what_the_header_says_of_the_piece() -> None:
    text = "X: 17\nT:THE BLACKBIRD.\nT:Other name\nC:Trad.\nR:Slip Jig\nM:9/8\nK:D\nDEF GAB cde"
    piece = read(text)
    assert (piece.title, piece.composer, piece.style, piece.number) == (
        "The Blackbird",
        "Trad",
        "slip jig",
        "17",
    )
    assert piece.source == "book.abc"


def test_graces_chords_symbols_decorations_and_comments_are_passed_over_and_graces_told() -> None:
    piece = tune('"Am"C {cd}D !trill!~E .F % G A B c\n|"^text" uG vA B c |]')
    assert [n[2] for n in notes(piece)] == [C, D, E, F, G, A, B, C5]
    assert "2 grace notes left out" in piece.repairs


# Books and hostile input ----------------------------------------------------------------------


def test_one_bad_tune_leaves_the_others() -> None:
    good = "X:{}\nT:Good\nM:4/4\nK:C\nCDEF GABc|\n\n"
    text = good.format(1) + "X:2\nT:Bad\nM:4/4\nK:C\nCDEF C1/0|\n\n" + "X:3\nT:No key\n\n" + good.format(4)
    first, second, third, fourth = read_abc(text, "book.abc")
    assert isinstance(first, Piece)
    assert isinstance(fourth, Piece)
    assert isinstance(second, Unreadable)
    assert isinstance(third, Unreadable)
    assert (first.number, fourth.number) == ("1", "4")
    assert second.name == "book.abc#2"
    assert "'1/0'" in second.cause
    assert "no key field" in third.cause


@pytest.mark.parametrize(
    "body",
    [
        "C1/0", "C0", "C1000000000", "C/1000000000", "(0CDE", "(3:0CDE", "C" + "'" * 200, "C" + "," * 200,
        "Z999" * 30 + "C", "C10000 " * 300,
    ],
)  # fmt: skip
def test_absurd_notes_are_refused_with_a_cause(body: str) -> None:
    assert refused(HEAD.format(key="C") + body)


@pytest.mark.parametrize(
    "body",
    [
        "L:1/0\nC", "L:0/1\nC", "[L:1/0]C", "(9:9:99C", "C>>>>>>>>>>D", "C>", "<C", "-C-", "[", "[CEG", "]C", "C |||",
        "[K:Q]C", "K:H#\nC", "{C", "(3", "C(", '"C', "!C", "[V:]C",
    ],
)  # fmt: skip
def test_sloppy_tunes_are_read_or_refused_but_never_raise(body: str) -> None:
    (item,) = read_abc(HEAD.format(key="C") + body, "book.abc")
    if isinstance(item, Piece):
        quantise(item.score)
    else:
        assert item.cause


@pytest.mark.parametrize(
    "text",
    [
        "", "\n" * 1000, "hello", "X:", "X:1", "X:1\nK:C", "X:1\nK:C\n", "X:1\nK:C\nz4|", "%%abc", "K:C\nCDE",
        "X:1\nM:6/8", "X:1\nK:C\n" + "|" * 5000,
    ],
)  # fmt: skip
def test_a_text_without_a_tune_says_so(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "piece", ["C", "[", "{", '"', "!", "(3", "|", "[K:C]", "C>", "^", "((((", "\\", "V:1\n", ":", "[K:"]
)
def test_a_megabyte_of_garbage_costs_little(piece: str) -> None:
    started = time.process_time()
    (item,) = read_abc("X:1\nK:C\n" + piece * (1_000_000 // len(piece)), "book.abc")
    assert isinstance(item, Unreadable)
    (item,) = read_abc("X:1\nK:C\n" + piece * (190_000 // len(piece)), "book.abc")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "X:1\nK:C\nC\n" + "\n" * 190_000,
        "X:1\nQ:1/1" + "11/1" * 40_000 + "\nK:C\nC",
        "X:1\nM:4" + " " * 190_000 + "x\nK:C\nC",
        "X:1\nK:C\nZ" + "9" * 5000 + "C",
        "X:1\nQ:1/" + "9" * 5000 + "=100\nK:C\nC",
        "X:1\nT:" + "a" * 190_000 + "\nK:C\nC",
        "X:" + "1" * 5000 + "\nK:C\nC",
    ],
    ids=[
        "empty lines",
        "tempo of fractions",
        "spaces in a metre",
        "long rest",
        "long number",
        "title",
        "number",
    ],
)
def test_fields_made_to_be_slow_cost_little_and_say_little(text: str) -> None:
    started = time.process_time()
    for item in read_abc(text, "book.abc"):
        assert len(item.cause if isinstance(item, Unreadable) else item.title) <= 300
    assert time.process_time() - started < 5


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ABCcdefgzZx123/|:[](){}<>-^_=,'\"!+\\%KLMV\n ", max_size=80))
def test_no_text_raises(body: str) -> None:
    for item in read_abc(HEAD.format(key="G") + body, "book.abc"):
        if isinstance(item, Piece):
            assert len(item.score) > 0
        else:
            assert item.cause


def test_files_in_latin_1_and_with_dos_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "old.abc"
    path.write_bytes("X:1\r\nT:Caf\xe9\r\nM:4/4\r\nL:1/4\r\nK:C\r\nCDEF|\r\n".encode("latin-1"))
    (piece,) = read_abc_file(path)
    assert isinstance(piece, Piece)
    assert (piece.title, len(piece.score)) == ("Café", 4)


def test_files_that_are_no_text_or_not_there_name_the_file_and_the_cause(tmp_path: Path) -> None:
    binary = tmp_path / "image.abc"
    binary.write_bytes(b"\x89PNG\0\0\0")
    with pytest.raises(UnreadableFileError, match=r"image\.abc: binary data"):
        list(read_abc_file(binary))
    with pytest.raises(UnreadableFileError, match=r"gone\.abc: No such file"):
        list(read_abc_file(tmp_path / "gone.abc"))
    with pytest.raises(UnreadableFileError):
        list(read_abc_file(tmp_path))


# Real books -----------------------------------------------------------------------------------


def test_nearly_every_tune_of_the_books_is_read(corpus: Path) -> None:
    items = [i for p in sorted((corpus / "oneills1850").glob("*.abc"))[:8] for i in read_abc_file(p)]
    read_well = [i for i in items if isinstance(i, Piece)]
    assert len(items) > 50
    assert len(read_well) >= 0.98 * len(items)


def test_tunes_have_whole_phrases(tunes: list[Piece]) -> None:
    """Folk tunes are built from phrases of four bars: a reader that lost or split bars would show here."""
    square = sum(quantise(p.score).n_bars % 4 == 0 for p in tunes)
    assert square > 0.75 * len(tunes)


@pytest.mark.parametrize(
    ("file", "number", "metre", "bars", "upbeat_quarters"),
    [
        ("ryansMammoth/SaratogaHornpipe.abc", "1", "2/4", 16, 0.5),
        ("ryansMammoth/BannocksOBarleyMealJig.abc", "1", "6/8", 16, 0.5),
        ("ryansMammoth/BarneyBrallagansJig.abc", "1", "9/8", 16, 0),
        ("airdsAirs/book1.abc", "0001", "2/2", 16, 1),
        ("airdsAirs/book1.abc", "0002", "2/4", 16, 0),
    ],
)
def test_bars_of_tunes_counted_by_hand(
    corpus: Path, file: str, number: str, metre: str, bars: int, upbeat_quarters: float
) -> None:
    items = read_abc_file(corpus / file)
    score = next(i.score for i in items if isinstance(i, Piece) and i.number == number)
    assert [m.name for m in score.metres] == [metre]
    assert score.n_bars == bars
    assert score.upbeat_ticks == upbeat_quarters * TICKS_PER_QUARTER


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", ["SaratogaHornpipe.abc", "BarneyBrallagansJig.abc"])
def test_another_program_hears_the_same_notes(corpus: Path, file: str) -> None:
    from music21 import converter

    path = corpus / "ryansMammoth" / file
    (piece,) = read_abc_file(path)
    assert isinstance(piece, Piece)
    part = converter.parse(path, forceSource=True).parts[0]
    heard = [round(float(n.offset) * TICKS_PER_QUARTER) for n in part.flatten().notes]
    assert heard == piece.score.onset.tolist()
    assert round(float(part.highestTime) * TICKS_PER_QUARTER) == piece.score.end_ticks
    assert [n.pitch.midi for n in part.flatten().notes] == piece.score.pitch.tolist()
