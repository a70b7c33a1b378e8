"""ABC 2.1, section by section, as `docs/formats.md` says that it is read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from troubadour.formats.abc.read import TICKS_PER_QUARTER, read_abc, read_abc_file
from troubadour.formats.abc.text import plain_text
from troubadour.music.marks import Mark, MarkKind, Syllabic
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.score import Key, Metre

HEAD = "X:1\nM:4/4\nL:1/4\nK:C\n"


def read(text: str) -> Piece:
    (piece,) = read_abc(text, "book.abc")
    assert isinstance(piece, Piece), piece
    return piece


def tune(body: str, fields: str = "", key: str = "C") -> Piece:
    return read(f"X:1\nM:4/4\nL:1/4\n{fields}K:{key}\n{body}")


def pitches(body: str, fields: str = "", key: str = "C") -> list[int]:
    return tune(body, fields, key).score.pitch.tolist()


def heard(piece: Piece, track: int = 0) -> str:
    part = piece.score.where(piece.score.track == track)
    return " ".join(
        f"{o / TICKS_PER_QUARTER:.3g}:{p}:{d / TICKS_PER_QUARTER:.3g}"
        for o, d, p, _, _ in part.notes().tolist()
    )


# 2 Files ---------------------------------------------------------------------------------------


def test_the_file_header_ends_at_the_first_tune_and_holds_only_its_own_fields() -> None:
    book = "%abc-2.1\nL:1/4\nQ:1/4=50\nK:D\n\nX:1\nM:4/4\nK:C\nF|\n"
    assert (
        read(book).score.tempos[0].bpm == 120
    )  # a block with K: is a fragment of music, Q: no field of the file
    book = "L:1/4\nI:propagate-accidentals octave\nU: T = !trill!\n\nX:1\nM:4/4\nK:C\n^F f TG G|\n"
    assert heard(read(book)) == "0:66:1 1:77:1 2:67:1 3:67:1"


def test_free_text_before_and_between_tunes() -> None:
    book = (
        "A book of good old airs.\nBy Ed.\n\n"
        + HEAD
        + "CDEF|\n\nGood bed\n%%text abc\nabc\n\n"
        + HEAD
        + "GABc|\n"
    )
    assert [p.score.pitch.tolist() for p in read_abc(book, "b") if isinstance(p, Piece)] == [
        [60, 62, 64, 65], [67, 69, 71, 72],
    ]  # fmt: skip


def test_comments_directives_and_typeset_text_are_no_music_and_end_no_tune() -> None:
    body = (
        "C D %abc def\n% a line of comment\n%%text a bad cabbage\nE F|\n%%begintext\nbad cab\n\n%% more\n%%endtext\n"
        "%%vskip 2cm\nG A B c|\n"
    )
    assert pitches(body) == [60, 62, 64, 65, 67, 69, 71, 72]


def test_a_block_that_nothing_ends_swallows_no_tune() -> None:
    assert pitches("C D|\n%%begintext\nE F|\n") == [60, 62, 64, 65]


def test_lines_go_on_after_a_backslash_and_fields_may_stand_between() -> None:
    assert pitches("C D \\ % comment\nE F|\\\nM:2/4\n%comment\nG A|") == [60, 62, 64, 65, 67, 69]


def test_an_empty_line_in_the_header_does_not_lose_the_tune() -> None:
    assert read("X:1\nT:Loose\n\nM:3/4\nL:1/4\nK:C\nCDE|\n").score.metres == (Metre(0, 3, 4),)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str, tmp_path: Path) -> None:
    path = tmp_path / "x.abc"
    path.write_bytes((HEAD + "C D|\nE F|\n\nfree bad text").replace("\n", end).encode())
    (piece,) = read_abc_file(path)
    assert isinstance(piece, Piece)
    assert piece.score.pitch.tolist() == [60, 62, 64, 65]


@pytest.mark.parametrize(
    ("encoding", "prefix", "title"),
    [
        ("utf-8", "", "Šárka é"), ("utf-8-sig", "", "Šárka é"), ("utf-16", "", "Šárka é"), ("latin-1", "", "Café"),
        ("cp1252", "", "“Café”"), ("iso-8859-2", "%%abc-charset iso-8859-2\n", "Šárka é"),
        ("utf-8", "I:abc-charset utf-8\n", "Šárka é"), ("latin-1", "%%abc-charset rot13\n", "Café"),
    ],
)  # fmt: skip
def test_encodings(encoding: str, prefix: str, title: str, tmp_path: Path) -> None:
    path = tmp_path / "x.abc"
    path.write_bytes(f"{prefix}X:1\nT:{title}\nM:4/4\nK:C\nC|\n".encode(encoding))
    (piece,) = read_abc_file(path)
    assert isinstance(piece, Piece)
    assert piece.title == title


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (r"\'e\`e\^e\"e\~n\cc\vs\Ho\uA", "éèêëñçšőĂ"), (r"\AA\aa\AE\ae\oe\ss\/O\/o\oA", "ÅåÆæœßØøÅ"),
        (r"\u00e9\U0001d11e", "é\U0001d11e"), ("&eacute;&amp;&lt;&nonsense;", "é&<&nonsense;"), (r"a\\b\%\&", "a\\b%&"),
        (r"\uzz \u12", r"zz \u12"), ("gin & tonic $1bold$0", "gin & tonic bold"), (r"\ud800", r"\ud800"),
    ],
)  # fmt: skip
def test_escapes(typed: str, text: str) -> None:
    assert plain_text(typed) == text


# 3 Fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "body", "sounding"),
    [
        ("D exp _b _e ^f", "C F B E c", [60, 66, 70, 63, 72]), ("Dphr ^f", "E F B", [63, 66, 70]),
        ("A exp", "C F G", [60, 65, 67]), ("=c", "C", [60]), ("", "F B", [65, 71]), ("none", "F B", [65, 71]),
        ("G clef=bass", "F", [66]), ("D octave=-1", "F", [54]), ("clef=treble-8", "F", [53]), ("C transpose=3", "C", [63]),
        ("treble-8", "C", [48]), ("A minor bass", "C", [60]), ("Gb", "G C", [66, 59]), ("G#", "F G", [67, 68]),
        ("F#MIX", "E", [64]), ("am", "F", [65]), ("bb minor", "B", [70]), ("C shift=CD", "C", [62]),
        ("C middle=d", "C", [60]), ("C ^f _b", "F B f", [66, 70, 78]), ("HP", "F C G", [66, 61, 67]),
    ],
)  # fmt: skip
def test_keys(key: str, body: str, sounding: list[int]) -> None:
    assert pitches(body, key=key) == sounding


def test_a_key_field_with_only_a_clef_keeps_the_key() -> None:
    assert pitches("F | [K:clef=treble-8] F | [K:octave=1 treble] F | [K:C] F", key="D") == [66, 54, 78, 77]


def test_a_key_that_cannot_be_read_is_told() -> None:
    piece = tune("F", key="Quux")
    assert piece.score.keys == (Key(0, 0, "major"),)
    assert any("K:Quux" in r for r in piece.repairs)


def test_the_key_of_a_transposing_voice_is_the_sounding_one() -> None:
    assert tune("D E F", key="D transpose=-2").score.keys == (Key(0, 0, "major"),)
    assert tune("D E F", key="D octave=-1").score.keys == (Key(0, 2, "major"),)


def test_a_key_may_change_within_a_bar() -> None:
    score = tune("F F [K:D] F F | F4").score
    assert score.pitch.tolist() == [65, 65, 66, 66, 66]
    assert score.keys == (Key(0, 0, "major"), Key(2 * TICKS_PER_QUARTER, 2, "major"))


def test_unit_lengths() -> None:
    assert heard(read("X:1\nM:4/4\nL:1\nK:C\nC|")) == "0:60:4"
    assert heard(read("X:1\nM:2/4\nK:C\nC8|[M:4/4][L:1/2] C C|")) == "0:60:2 2:60:2 4:60:2"
    assert any("L:quick" in r for r in tune("C [L:quick] C").repairs)


def test_macros_and_included_files_are_told() -> None:
    piece = tune("~G3 C", "m: ~G3 = G{A}G{F}G\nI:abc-include other.abh\n")
    assert [r.split(" ")[0] for r in piece.repairs] == ["macros", "included"]
    assert piece.score.pitch.tolist() == [67, 60]


def test_redefined_symbols_are_no_notes() -> None:
    assert pitches("T!trill!C hD HE uF | vG kA", "U: h = !fermata!\nU: k = !thumb!\n") == [
        60,
        62,
        64,
        65,
        67,
        69,
    ]


def test_fields_of_text_in_the_body_are_no_music() -> None:
    body = "P:A\nC D |\nw:a bad egg\ns: !f! * * |\nW:dead beef\nN:fed\nr:remark cab\n[N:abc][r:bad] E F [P:B]|\nT:Egad\nG4|"
    assert pitches(body) == [60, 62, 64, 65, 67]


# 4 Music ---------------------------------------------------------------------------------------


def test_octave_marks_in_any_mixture() -> None:
    assert pitches("C' C, C,', c, c'' C''") == [72, 48, 48, 60, 96, 84]


@pytest.mark.parametrize(
    ("mode", "sounding"),
    [("pitch", [66, 78, 66, 65]), ("octave", [66, 77, 66, 65]), ("not", [66, 77, 65, 65])],
)
def test_propagation_of_accidentals(mode: str, sounding: list[int]) -> None:
    assert pitches("^F f F | F", f"I:propagate-accidentals {mode}\n") == sounding
    assert pitches("^F f F | F", f"%%propagate-accidentals {mode}\n") == sounding
    assert pitches("^F f F | F", "%%MIDI nobarlines\n") == [66, 77, 65, 65]


def test_an_accidental_in_a_grace_note_holds_for_the_bar() -> None:
    piece = tune("{^g}G G | {/fe}G")
    assert piece.score.pitch.tolist() == [68, 68, 67]
    assert piece.repairs == ("3 grace notes left out",)


def test_quarter_tones_are_brought_to_semitones_and_told() -> None:
    piece = tune("^/F _/B ^3/2F")
    assert piece.score.pitch.tolist() == [65, 71, 66]
    assert any("3 quarter tones" in r for r in piece.repairs)


def test_broken_rhythm_between_chords_rests_and_graces() -> None:
    assert heard(tune("[CE]>[DF] z<C | C>{d}D E < F | A{g}>A")) == (
        "0:60:1.5 0:64:1.5 1.5:62:0.5 1.5:65:0.5 2.5:60:1.5 4:60:1.5 5.5:62:0.5 6:64:0.5 6.5:65:1.5 8:69:1.5 9.5:69:0.5"
    )


def test_tuplets_in_all_forms() -> None:
    assert heard(tune("(3CDE (3:2CDE (3::CDE | (3::2C2D")) == (
        "0:60:0.667 0.667:62:0.667 1.33:64:0.667 2:60:0.667 2.67:62:0.667 3.33:64:0.667 "
        "4:60:0.667 4.67:62:0.667 5.33:64:0.667 6:60:1.33 7.33:62:0.667"
    )
    assert tune("(3:2:4 G2A2B c").score.end_ticks == round((2 + 2 + 1 + 1) * 2 / 3 * TICKS_PER_QUARTER)
    assert tune("(11:8:11 CDEFGABcdef | C").score.onset[-1] == 8 * TICKS_PER_QUARTER
    assert heard(tune("(3 [CE]z{g}E F")) == "0:60:0.667 0:64:0.667 1.33:64:0.667 2:65:1"
    assert heard(read("X:1\nM:6/8\nL:1/8\nK:C\n(2CD (4EFGA|(5CDEFG")).startswith(
        "0:60:0.75 0.75:62:0.75 1.5:64:0.375"
    )


def test_a_tuplet_with_a_count_goes_on_after_a_barline() -> None:
    assert heard(read("X:1\nM:2/4\nL:1/4\nK:C\n(3:2:6 C D E | C D E | F F")).split()[3:] == [
        "2:60:0.667", "2.67:62:0.667", "3.33:64:0.667", "4:65:1", "5:65:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        ("[CEG]2 [C2E2]/ C", "0:60:2 0:64:2 0:67:2 2:60:1 2:64:1 3:60:1"),
        ("[C2E4G] D2", "0:60:2 0:64:4 0:67:1 2:62:2"),
        ("[DD]2 C", "0:62:2 2:60:1"),
        ('["C"CE"^x"G]', "0:60:1 0:64:1 0:67:1"),
        ("[!1!C!3!E].[^FA]", "0:60:1 0:64:1 1:66:1 1:69:1"),
        ("C [C E G | D", "0:60:1 1:60:1 2:64:1 3:67:1 4:62:1"),
        ("+CEG+ D", "0:60:1 0:64:1 0:67:1 1:62:1"),
        ("[zC]2 D", "0:60:2 2:62:1"),
        ("[C-E]4 | [C-F]4 | [CG]4", "0:60:12 0:64:4 4:65:4 8:67:4"),
    ],
)
def test_chords(body: str, notes: str) -> None:
    assert heard(tune(body)) == notes


def test_ties_hold_flats_of_the_key_and_leave_later_notes_alone() -> None:
    assert heard(tune("=F4- | F2 F2", key="G")) == "0:65:6 6:66:2"
    assert heard(tune("^c4- | [ce]4 | c4")) == "0:73:8 4:76:4 8:72:4"
    assert heard(tune("^F4-|\nF4-|F4|")) == "0:66:12"
    assert heard(tune("F4-|^F4|")) == "0:65:4 4:66:4"
    assert heard(tune("C.-C ((CD) E)")) == "0:60:2 2:60:1 3:62:1 4:64:1"


@pytest.mark.parametrize(
    "line", ["|", "||", "|]", ":|", "|:", "::", ":|:", ":||:", "[|", "|[|", ".|", "[|]", "|||", "||:"]
)
def test_barlines_in_any_shape_end_the_accidental(line: str) -> None:
    assert pitches(f"^C D E F {line} C D E F |")[4] == 60


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("C4 |1 D4 :|2 E4 |] F4", [60, 64, 65]), ("C4 |[1 D4 :|[2 E4 || F4", [60, 64, 65]),
        ("C4 [1 D4 :| [2 E4 :| [3 F4 |] G4", [60, 65, 67]), ("C4 |1,3 D4 :|2,4 E4 || F4", [60, 64, 65]),
        ("C4 |[1-3 D4 :|[4 E4 | F4", [60, 64, 65]), ("C4 |1 D4 :|2 E4 |: F4 |1 G4 :|2 A4 |]", [60, 64, 65, 69]),
        ("|: C4 |1 D4 :|", [60, 62]), ("C4 :|1 D4 | E4 :|2 F4", [60, 65]),
    ],
)  # fmt: skip
def test_of_endings_the_last_is_kept(body: str, kept: list[int]) -> None:
    assert pitches(body) == kept


def test_annotations_and_chord_symbols_are_no_notes_even_unclosed() -> None:
    piece = tune('"Am7"C "^bad egg"D "_dead"E "@1,2 face"F |\nG "A bad cabbage\nA B c')
    assert piece.score.pitch.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]
    assert any("quotation mark" in r for r in piece.repairs)


def test_reserved_characters_and_spacers_are_passed_over() -> None:
    assert heard(tune("@C !pp! #DE2/3* F?y30`G | ** y")) == "0:60:1 1:62:1 2:64:0.667 2.67:65:1 3.67:67:1"


def test_rests_of_whole_bars_keep_the_metre_and_the_repeat_sign() -> None:
    assert heard(read("X:1\nM:3/4\nL:1/4\nK:C\nCDE|Z2|F3|X|G3|")) == "0:60:1 1:62:1 2:64:1 9:65:3 15:67:3"
    assert tune("C4|Z:|C|D4|").score.n_bars == 4


# 7 Voices --------------------------------------------------------------------------------------


def test_voices_in_any_order_and_form() -> None:
    text = 'X:1\nM:4/4\nL:1/4\nV:A name="High"\nV:B clef=bass nm="Low"\nK:C\nV:B\nC,4|[V:A]c4|\nV:B\nD,4|\n[V: A] d4|\n'
    piece = read(text)
    assert [t.name for t in piece.score.tracks] == ["High", "Low"]
    assert (heard(piece), heard(piece, 1)) == ("0:72:4 4:74:4", "0:48:4 4:50:4")


def test_music_before_the_first_voice_is_the_first_voice() -> None:
    assert heard(tune("c4|\nV:2\nC4|D4|\nV:1\nd4|")) == "0:72:4 4:74:4"
    assert heard(tune("c4|\n[V:B] C4|\n", "V:A\nV:B\n")) == "0:72:4"


def test_fields_before_any_voice_hold_for_all() -> None:
    piece = tune("M:3/4\nK:D\n[V:1] F3|F3|\n[V:2] Z|F3|\n", "V:1\nV:2\n")
    assert (heard(piece), heard(piece, 1)) == ("0:66:3 3:66:3", "3:66:3")


def test_a_field_within_a_voice_holds_for_that_voice() -> None:
    piece = tune("[V:1] F4|[K:D] F4|\n[V:2] F4| F4|\n")
    assert (heard(piece), heard(piece, 1)) == ("0:65:4 4:66:4", "0:65:4 4:65:4")


def test_overlays() -> None:
    assert heard(tune("c d e f & E4 & ^C4 | C4")) == "0:61:4 0:64:4 0:72:1 1:74:1 2:76:1 3:77:1 4:60:4"
    assert heard(tune("c2 d2 & E4- | e4 & E4 |")) == "0:64:8 0:72:2 2:74:2 4:76:4"
    written = heard(tune("g4 | e4 && c4 | d4 | f4"))
    assert written == heard(tune("g4 | e4 |\n&& c4 | d4 | f4")) == "0:72:4 0:79:4 4:74:4 4:76:4 8:77:4"


def test_midi_directives_set_instruments() -> None:
    text = "%%MIDI program 73\n[V:1] c4|\n[V:2]\n%%MIDI channel 10\nC4|\n[V:3]\nI:MIDI program 1 42\n%%MIDI transpose -12\nC4|\n"
    score = tune(text).score
    assert [(t.program, t.is_drum) for t in score.tracks] == [(73, False), (0, True), (42, False)]
    assert score.pitch.tolist() == [72, 60, 48]
    assert tune("C4", key="C perc").score.tracks[0].is_drum


# Limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "Z999" * 2000, "M:1/32\n" + "Z4999|" * 30, "X" + "9" * 9, "[" + "CEG" * 20_000 + "]", "(9:9:99C" * 20_000,
        "&" * 60_000, "C &" * 60_000, "[V:{}]C".format("x") * 20_000, "C" * 60_000, "[K:" * 60_000, "{" * 60_000,
        "[M:1/32]Z999" * 10_000, "(99:1:99" * 20_000 + "C", "C>" * 30_000, "[C-" * 60_000, "C-|" * 60_000, "\"" * 60_000,
        "!" * 60_000, "+" * 60_000, "+a" * 30_000, "[1" * 30_000, "|1" * 30_000 + "C", "[Q:1/4=60]" * 19_000 + "C",
        "%%begintext\n" * 15_000, "%%begin{}\n" * 15_000, "+:\n" * 60_000, "w:\\\n" * 40_000, "I:linebreak $\n" * 13_000,
    ],
    ids=lambda body: body[:12],
)  # fmt: skip
def test_music_made_to_blow_up_costs_little(body: str) -> None:
    tracemalloc.start()
    (item,) = read_abc(HEAD + body, "book.abc")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000
    if isinstance(item, Unreadable):
        assert len(item.cause) < 300


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("Z999" * 20, "shorten the rest"), ("C" * 20_001, "split the tune"), ("[" + "CEGc" * 20 + "]", "allowed: 64"),
        ("".join(f"[V:{i}]C" for i in range(40)), "32 voices"), ("C" + "&C" * 20, "overlays"), ("C,,,,,,,", "allowed: 0 to 127"),
        ("(0CDE", "a tuplet looks like"), ("C1/0", "allowed"),
    ],
)  # fmt: skip
def test_refusals_name_the_remedy(body: str, cause: str) -> None:
    (item,) = read_abc(HEAD + body, "book.abc")
    assert isinstance(item, Unreadable)
    assert cause in item.cause


# Marks -----------------------------------------------------------------------------------------


def marks(body: str, kind: MarkKind, fields: str = "") -> list[Mark]:
    return [m for m in tune(body, fields).score.marks if m.kind is kind]


def quarters(found: list[Mark]) -> list[float]:
    return [m.tick / TICKS_PER_QUARTER for m in found]


def test_words_stand_under_their_notes() -> None:
    found = marks("C D E z | F G-G A |\nw: Sa-ys~my au\\-l' | wan to_ me\n", MarkKind.LYRIC)
    assert [(m.tick / TICKS_PER_QUARTER, m.text, m.value) for m in found] == [
        (0, "Sa", Syllabic.BEGIN), (1, "ys my", Syllabic.END), (2, "au-l'", Syllabic.SINGLE),
        (4, "wan", Syllabic.SINGLE), (5, "to", Syllabic.SINGLE), (7, "me", Syllabic.SINGLE),
    ]  # fmt: skip
    assert found[4].end == 6 * TICKS_PER_QUARTER


def test_verses_held_syllables_skipped_notes_and_bars() -> None:
    body = "C D E F | G A B c |\nw: a _ * b | c | d\nw: one two | * three\nC D E F |\nw:\nC D E F |\nw: 2. e\n+: f\n"
    found = marks(body, MarkKind.LYRIC)
    assert [(m.text, m.number, m.tick // TICKS_PER_QUARTER) for m in found] == [
        ("a", 1, 0), ("one", 2, 0), ("two", 2, 1), ("b", 1, 3), ("c", 1, 4), ("three", 2, 5), ("e", 1, 12),
        ("f", 1, 13),
    ]  # fmt: skip
    assert found[0].end == TICKS_PER_QUARTER


def test_chord_symbols_annotations_and_fingerings() -> None:
    body = '"Am7"C "F#m7/C#"D "^slow"E "4"F | "Bb"G "N.C."z "SEGUE"A B |'
    assert [(m.text, m.tick // TICKS_PER_QUARTER) for m in marks(body, MarkKind.CHORD)] == [
        ("Am7", 0), ("F#m7/C#", 1), ("Bb", 4), ("N.C.", 5),
    ]  # fmt: skip
    assert [m.text for m in marks(body, MarkKind.WORDS)] == ["slow", "SEGUE"]
    assert [(m.text, m.number) for m in marks(body, MarkKind.TECHNICAL)] == [("fingering", 4)]


def test_decorations_become_marks_and_letters_may_be_redefined() -> None:
    body = ".C HD TE uF | !trill!G +fermata+A wB .(c d)| !p!e f .|g4 |"
    fields = "U: w = !accent!\nU: T = !nil!\n"
    assert quarters(marks(body, MarkKind.ARTICULATION, fields)) == [0, 6]
    assert quarters(marks(body, MarkKind.FERMATA, fields)) == [1, 5]
    assert quarters(marks(body, MarkKind.ORNAMENT, fields)) == [4]
    assert [m.text for m in marks(body, MarkKind.DYNAMIC, fields)] == ["p"]


def test_slurs_nest_and_are_no_ties() -> None:
    found = marks("(C (D E) F) | (3(GAB) {(cd)}c | (C-C) D2 |", MarkKind.SLUR)
    assert [(m.tick, m.end) for m in found][:2] == [
        (0, 3 * TICKS_PER_QUARTER),
        (TICKS_PER_QUARTER, 2 * TICKS_PER_QUARTER),
    ]
    assert len(found) == 4


def test_repeats_stand_at_their_barlines_even_where_the_first_ending_is_not_read() -> None:
    body = "|: C4 | D4 |1 E4 :|2 F4 |: G4 :: A4 :|"
    assert quarters(marks(body, MarkKind.REPEAT_START)) == [0, 12, 16]
    assert quarters(marks(body, MarkKind.REPEAT_END)) == [12, 16, 20]


def test_an_ending_within_a_bar_keeps_the_bar() -> None:
    assert heard(tune("C D E F | G A [1 B c :| [2 D E |] F4 |")) == (
        "0:60:1 1:62:1 2:64:1 3:65:1 4:67:1 5:69:1 6:62:1 7:64:1 8:65:4"
    )


def test_an_ending_within_a_bar_makes_one_bar_with_it() -> None:
    body = "d2c BAG|ADF [1 G3:|[2 G2||\nG/A/|BAB cBc|G3 G2:|\n"
    piece = read(f"X:1\nM:6/8\nL:1/8\nK:G\n{body}")
    assert (piece.score.metres, piece.score.n_bars) == ((Metre(0, 6, 8),), 4)
    assert piece.repairs == ("1 bars of first endings left out",)


def test_titles_and_words_beside_the_music() -> None:
    score = tune("C4 |\nP:B\nC4|\nW:Last words\n", 'T:One\nT:Two\nQ:"Slow" 1/4=50\n').score
    assert [(m.kind, m.text) for m in score.marks] == [
        (MarkKind.SUBTITLE, "Two"), (MarkKind.TEMPO_TEXT, "Slow"), (MarkKind.CREDIT, "Last words"),
        (MarkKind.REHEARSAL, "B"),
    ]  # fmt: skip
