"""Small files after public bug reports: each must be read with the right notes.

The notes agree with abc2midi, except where it plays repeats or takes line breaks for decorations.
"""

from __future__ import annotations

import pytest

from troubadour.formats.abc.read import TICKS_PER_QUARTER, read_abc
from troubadour.music.piece import Piece
from troubadour.music.score import Metre, Score


def pieces(text: str) -> list[Piece]:
    found = list(read_abc(text, "book.abc"))
    assert all(isinstance(p, Piece) for p in found), found
    return [p for p in found if isinstance(p, Piece)]


def heard(score: Score, track: int = 0) -> str:
    """Notes of a track as `onset:pitch:length` in quarters."""
    part = score.where(score.track == track)
    return " ".join(
        f"{o / TICKS_PER_QUARTER:g}:{p}:{d / TICKS_PER_QUARTER:g}" for o, d, p, _, _ in part.notes().tolist()
    )


def head(title: str = "Test") -> str:
    return f"X:1\nT:{title}\nM:4/4\nL:1/4\nK:C\n"


def test_free_text_after_a_tune_is_no_music() -> None:
    text = (
        "X:1\nT:One\nM:4/4\nL:1/8\nK:G\nGABc d2B2|cBAG A2D2|GABc d2e2|dcAF G4|]\n\n"
        "Collected at a dance, sung aged eight; a good bed of cabbages.\nEd added a bad edge.\n\n"
        "X:2\nT:Two\nM:4/4\nL:1/8\nK:D\nDEFG A2F2|GFED E2A,2|DEFG A2B2|AGEC D4|]\n"
    )
    one, two = pieces(text)
    assert (len(one.score), one.score.n_bars, one.score.metres) == (23, 4, (Metre(0, 4, 4),))
    assert (len(two.score), two.repairs) == (23, ())


def test_fields_of_the_file_header_hold_for_all_tunes() -> None:
    text = (
        "%abc-2.1\nM:6/8\nL:1/8\nR:jig\nC:Anon Header\n\n"
        "X:1\nT:First\nK:D\nDFA dAF|GBd gdB|AFA dAF|EFE D3|\n\n"
        "X:2\nT:Second\nC:Her Own\nM:3/4\nL:1/4\nK:C\nCDE|\n"
    )
    first, second = pieces(text)
    assert (first.composer, first.style, first.score.metres) == ("Anon Header", "jig", (Metre(0, 6, 8),))
    assert heard(first.score).endswith("10.5:62:1.5")
    assert (second.composer, second.score.metres, heard(second.score)) == (
        "Her Own",
        (Metre(0, 3, 4),),
        "0:60:1 1:62:1 2:64:1",
    )


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        ("G A [C-E-G-]2 | [CEG]2 c d |", "0:67:1 1:69:1 2:60:4 2:64:4 2:67:4 6:72:1 7:74:1"),
        ("e f [DF-A]2 | [EF]2 C2 |]", "0:76:1 1:77:1 2:62:2 2:65:4 2:69:2 4:64:2 6:60:2"),
        ("C [C-E-] [CE] G | c d e f |", "0:60:1 1:60:2 1:64:2 3:67:1 4:72:1 5:74:1 6:76:1 7:77:1"),
        ("E [C-E] [CG] c |", "0:64:1 1:60:2 1:64:1 2:67:1 3:72:1"),
        ("[CE]2- [CE]2 | [CE]4-|[CE]4", "0:60:4 0:64:4 4:60:8 4:64:8"),
    ],
)
def test_a_tie_within_a_chord_belongs_to_its_note(body: str, notes: str) -> None:
    assert heard(pieces(head() + body)[0].score) == notes


def test_an_accidental_holds_in_all_octaves() -> None:
    score = pieces(head() + "^F f A f | f F A c | _B b B2 | b B c2 |]")[0].score
    assert score.pitch.tolist() == [66, 78, 69, 78, 77, 65, 69, 72, 70, 82, 70, 83, 71, 72]


def test_a_tie_carries_the_accidental_over_the_barline() -> None:
    score = pieces(head() + "C D E ^F-| F G A F | c d e _B- | B2 A B |]")[0].score
    assert heard(score) == (
        "0:60:1 1:62:1 2:64:1 3:66:2 5:67:1 6:69:1 7:65:1 8:72:1 9:74:1 10:76:1 11:70:3 14:69:1 15:71:1"
    )


@pytest.mark.parametrize(
    ("fields", "bpm"),
    [
        ("M:4/4\nL:1/8\nQ:200", 200), ("M:6/8\nL:1/8\nQ:C3=40", 60), ("M:C|\nL:1/8\nQ:1/2=90", 180),
        ("M:4/4\nL:1/4\nQ:C=80", 80), ('M:4/4\nQ:1/4=80 "Slow"', 80), ("M:4/4\nQ:1/4 = ca. 72", 72),
        ("M:4/4\nQ:1/4=97.3", 97.3), ("M:5/8\nQ:1/4 3/8=50", 125),
    ],
)  # fmt: skip
def test_forms_of_tempos(fields: str, bpm: float) -> None:
    assert pieces(f"X:1\n{fields}\nK:C\nCDEF")[0].score.tempos[0].bpm == pytest.approx(bpm)


def test_tempos_change_within_the_tune() -> None:
    body = "C D E F | G A B c |\nQ:1/4=180\nc B A G | F E D C |[Q:1/4=90] C E [Q:1/4=45] G c | c4 |]"
    score = pieces("X:1\nM:4/4\nL:1/4\nQ:1/4=60\nK:C\n" + body)[0].score
    assert [(t.tick // TICKS_PER_QUARTER, t.bpm) for t in score.tempos] == [
        (0, 60),
        (8, 180),
        (16, 90),
        (18, 45),
    ]


def test_a_field_goes_on_in_the_next_line() -> None:
    text = (
        head() + "C D E F | G A B c |\nw:one two three four five\n+:a bad cabbage fed a beggar\n"
        "% a comment between\n+:a bad egg\nc B A G | F E D C |]\nH:a history that begins here\n"
        "+:and goes on: a decade of deaf bagged feed\n"
    )
    assert pieces(text)[0].score.pitch.tolist() == [
        60,
        62,
        64,
        65,
        67,
        69,
        71,
        72,
        72,
        71,
        69,
        67,
        65,
        64,
        62,
        60,
    ]
    (piece,) = pieces("X:1\nT:A long\n+:title\nM:4/4\nL:1/4\nK:C\n+:octave=1\nC")
    assert (piece.title, piece.score.pitch.tolist()) == ("A long title", [72])


def test_clefs_octaves_and_transpositions_of_voices() -> None:
    text = (
        "X:1\nM:4/4\nL:1/4\nV:1 clef=treble\nV:2 clef=treble-8\nV:3 clef=bass octave=-1\nV:4 clef=treble transpose=-2\n"
        'V:5 treble+8 name="Piccolo"\nV:6 bass t=-12 m=d\nV:7 clef=treble+15\nK:C\n'
        + "".join(f"[V:{i}] c d e f |\n" for i in range(1, 8))
    )
    score = pieces(text)[0].score
    assert [heard(score, i).split()[0] for i in range(7)] == [
        "0:72:1", "0:60:1", "0:60:1", "0:70:1", "0:84:1", "0:60:1", "0:96:1",
    ]  # fmt: skip
    assert score.tracks[4].name == "Piccolo"


def test_endings_marked_in_one_voice_hold_for_all() -> None:
    text = head() + (
        "V:1\n|: c d e f | g a b c' |1 g f e d :|2 c4 | e f g a | c4 |]\n"
        "V:2\n|: C4 | E4 | G,4 :| C4 | A,4 | C4 |]\n"
    )
    score = pieces(text)[0].score
    assert heard(score, 1) == "0:60:4 4:64:4 8:60:4 12:57:4 16:60:4"
    assert heard(score).endswith("8:72:4 12:76:1 13:77:1 14:79:1 15:81:1 16:72:4")
    below = text.replace("V:1", "V:x").replace("V:2", "V:1").replace("V:x", "V:2")
    assert pieces(below)[0].score.end_ticks == 20 * TICKS_PER_QUARTER


@pytest.mark.parametrize(
    "text",
    [
        "%abc-2.1\nI:linebreak !\nX:1\nM:4/4\nL:1/4\nK:C\nC D E F ! G A B c |! c B A G | F E D C |]",
        "X:1\nM:4/4\nL:1/4\n%%linebreak ! $\nK:C\nC!D E!F $ G A B c |! c B A G | F E D C |]",
        "X:1\nM:4/4\nL:1/4\nK:C\nC D E F ! G A B c |! c B A G |!\nF E D C |]!",
        "X:1\nM:4/4\nL:1/4\nK:C\nC !trill!D !>!E !<(!F | G !f!A B c | c B !5!A !D.C.!G | F E D C |]",
        "X:1\nM:4/4\nL:1/4\nK:C\nC +trill+D +p+E F | G A B c | c B A G | F E D C |]",
        "X:1\nM:4/4\nL:1/4\nI:decoration +\nK:C\nC +abc+D E F | G A B c | c B A G | F E D C |]",
    ],
    ids=[
        "linebreak !",
        "linebreak ! and $",
        "old line ends",
        "decorations",
        "old decorations",
        "decoration +",
    ],
)
def test_exclamation_marks_swallow_no_music(text: str) -> None:
    assert pieces(text)[0].score.pitch.tolist() == [
        60,
        62,
        64,
        65,
        67,
        69,
        71,
        72,
        72,
        71,
        69,
        67,
        65,
        64,
        62,
        60,
    ]


def test_escapes_in_titles_and_composers() -> None:
    (piece,) = pieces(
        "X:1\nT:Cr\\'eole \\`a la \\\"Ubung &eacute;t&eacute; \\u00e9 sm\\/orrebr\\/od, 100\\% G\\&T\n"
        "C:Ca\\~non & Dvo\\vr\\'ak\nM:4/4\nK:C\nC"
    )
    assert piece.title == "Créole à la Übung été é smørrebrød, 100% G&T"
    assert piece.composer == "Cañon & Dvořák"


def test_invisible_rests() -> None:
    score = pieces(head() + "C D E F | X2 | G A B c | x2 C2 | Z | C D E F |]")[0].score
    assert heard(score) == (
        "0:60:1 1:62:1 2:64:1 3:65:1 12:67:1 13:69:1 14:71:1 15:72:1 18:60:2 24:60:1 25:62:1 26:64:1 27:65:1"
    )


@pytest.mark.parametrize(
    "metre", ["FREI4/4", "2", "4/0", "0/4", "4/3", "65/4", "999/8", "abc", "-3/4", "1000000000/4"]
)
def test_an_unreadable_metre_costs_no_tune(metre: str) -> None:
    (piece,) = pieces(f"X:1\nM:{metre}\nL:1/4\nK:C\nC D E F | G A B c |")
    assert len(piece.score) == 8
    assert any(f"M:{metre}" in r and "without metre" in r for r in piece.repairs)
