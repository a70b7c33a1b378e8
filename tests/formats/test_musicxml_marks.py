"""Reading MusicXML: everything beside the notes."""

from __future__ import annotations

import pytest

from troubadour.formats.musicxml import read_musicxml
from troubadour.music.marks import WHOLE, Mark, MarkKind, Syllabic

QUARTER = 10080


def note(step: str = "C", length: int = 1, more: str = "") -> str:
    return f"<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>{length}</duration>{more}</note>"


def marks(*measures: str, head: str = "", first: str = "", all_endings: bool = True) -> list[Mark]:
    """Marks of a one-part document; `head` stands before the part list, `first` in its attributes."""
    opening = f"<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>{first}</attributes>"
    body = "".join(f"<measure>{opening if not i else ''}{m}</measure>" for i, m in enumerate(measures))
    text = (
        f"<score-partwise>{head}<part-list><score-part id='P'><part-name>Flute</part-name>"
        f"<part-abbreviation>Fl.</part-abbreviation></score-part></part-list><part id='P'>{body}</part></score-partwise>"
    )
    score = read_musicxml(text.encode(), "x", all_endings=all_endings).score
    return [m for m in score.marks if m.kind is not MarkKind.ABBREVIATION]


def said(found: list[Mark], kind: MarkKind) -> list[tuple[float, str]]:
    """(quarter, text) of the marks of a kind."""
    return [(m.tick / QUARTER, m.text) for m in found if m.kind is kind]


def notations(inside: str) -> str:
    return f"<notations>{inside}</notations>"


def direction(kind: str, sound: str = "") -> str:
    return f"<direction><direction-type>{kind}</direction-type>{sound}</direction>"


FOUR = "".join(note(s) for s in "CDEF")


# Words ----------------------------------------------------------------------------------------


def lyric(text: str, syllabic: str, verse: str = "1", more: str = "") -> str:
    return f"<lyric number='{verse}'><syllabic>{syllabic}</syllabic><text>{text}</text>{more}</lyric>"


def test_lyrics_with_verses_syllables_and_melismas() -> None:
    body = (
        note("C", 1, lyric("Hal", "begin") + lyric("Frie", "begin", "2"))
        + note("D", 1, lyric("lo", "end", more="<extend/>") + lyric("de", "end", "2"))
        + note("E")
        + note("F", 1, lyric("Welt", "single"))
    )
    found = [m for m in marks(body) if m.kind is MarkKind.LYRIC]
    assert [(m.tick // QUARTER, m.text, m.number, m.value, m.pitch) for m in found] == [
        (0, "Hal", 1, Syllabic.BEGIN, 60),
        (0, "Frie", 2, Syllabic.BEGIN, 60),
        (1, "lo", 1, Syllabic.END, 62),
        (1, "de", 2, Syllabic.END, 62),
        (3, "Welt", 1, Syllabic.SINGLE, 65),
    ]
    assert [m.end // QUARTER for m in found if m.end >= 0] == [3]


def test_elisions_are_one_lyric() -> None:
    two = "<lyric><syllabic>end</syllabic><text>re</text><elision>‿</elision><syllabic>begin</syllabic><text>an</text></lyric>"
    (found,) = [m for m in marks(note("C", 4, two)) if m.kind is MarkKind.LYRIC]
    assert (found.text, found.value) == ("re‿an", Syllabic.MIDDLE)


def test_titles_creators_rights_and_credits() -> None:
    head = (
        "<work><work-title>Winterreise</work-title></work><movement-title>Gute Nacht</movement-title>"
        "<identification><creator type='composer'>Schubert</creator><creator type='poet'>Müller</creator>"
        "<creator type='arranger'>N. N.</creator><rights>CC0</rights><rights>Two</rights></identification>"
        "<credit page='2'><credit-words>For  voice</credit-words></credit>"
    )
    found = [(m.kind.value, m.text, m.number) for m in marks(FOUR, head=head) if m.track == WHOLE]
    assert found == [
        ("title", "Winterreise", 0),
        ("subtitle", "Gute Nacht", 0),
        ("composer", "Schubert", 0),
        ("lyricist", "Müller", 0),
        ("arranger", "N. N.", 0),
        ("copyright", "CC0", 0),
        ("copyright", "Two", 0),
        ("credit", "For voice", 2),
    ]


def test_directions() -> None:
    body = (
        direction("<words>Allegro</words>", "<sound tempo='120'/>")
        + direction("<rehearsal>A</rehearsal>")
        + note()
        + direction("<words>dolce</words>")
        + direction("<dynamics><sfz/></dynamics>")
        + note()
        + note()
        + note()
    )
    found = marks(body)
    assert said(found, MarkKind.TEMPO_TEXT) == [(0, "Allegro")]
    assert said(found, MarkKind.REHEARSAL) == [(0, "A")]
    assert said(found, MarkKind.WORDS) == [(1, "dolce")]
    assert said(found, MarkKind.DYNAMIC) == [(1, "sfz")]


# Chords ---------------------------------------------------------------------------------------


def harmony(kind: str, root: str = "C", alter: int = 0, more: str = "") -> str:
    return (
        f"<harmony><root><root-step>{root}</root-step><root-alter>{alter}</root-alter></root><kind>{kind}</kind>"
        f"{more}</harmony>"
    )


def degree(value: int, alter: int, kind: str) -> str:
    return (
        f"<degree><degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter>"
        f"<degree-type>{kind}</degree-type></degree>"
    )


@pytest.mark.parametrize(
    ("element", "symbol"),
    [
        (harmony("major"), "C"), (harmony("minor-seventh", "F", 1), "F#m7"), (harmony("dominant", "B", -1), "Bb7"),
        (harmony("half-diminished"), "Cm7b5"), (harmony("major-minor"), "Cm(maj7)"), (harmony("none"), "N.C."),
        (harmony("suspended-fourth"), "Csus4"), (harmony("power", "E"), "E5"),
        (harmony("major", "D", 0, "<bass><bass-step>F</bass-step><bass-alter>1</bass-alter></bass>"), "D/F#"),
        (harmony("dominant", more=degree(9, -1, "alter") + degree(11, 1, "add")), "C7(b9,#11)"),
        (harmony("major", more=degree(5, -1, "alter")), "C(b5)"), (harmony("major", more=degree(9, 0, "add")), "C(add9)"),
        (harmony("dominant-ninth", more=degree(3, 0, "subtract")), "C9(no3)"),
    ],
)  # fmt: skip
def test_chord_symbols(element: str, symbol: str) -> None:
    assert said(marks(element + FOUR), MarkKind.CHORD) == [(0, symbol)]


def test_chord_symbols_sound_as_the_notes_do_and_stand_at_their_offset() -> None:
    moved = harmony("major", "D", more="<offset>2</offset>")
    transposed = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    assert said(marks(moved + FOUR, first=transposed), MarkKind.CHORD) == [(2, "C")]


# Notes ----------------------------------------------------------------------------------------


def test_slurs_end_where_they_end() -> None:
    start, stop = (notations(f"<slur number='1' type='{t}'/>") for t in ("start", "stop"))
    both = notations("<slur number='1' type='stop'/><slur number='1' type='start'/>")
    body = note("C", 1, start) + note("D", 1, both) + note("E") + note("F", 1, stop)
    found = [(m.tick // QUARTER, m.end // QUARTER, m.pitch) for m in marks(body) if m.kind is MarkKind.SLUR]
    assert found == [(0, 1, 60), (1, 3, 62)]


def test_articulation_ornaments_fermatas_and_fingers() -> None:
    inside = (
        "<articulations><staccato/><accent/></articulations><ornaments><tremolo>3</tremolo></ornaments>"
        "<technical><fingering>2</fingering></technical><fermata>square</fermata><arpeggiate/>"
    )
    found = marks(note("D", 4, notations(inside)))
    assert [(m.kind.value, m.text, m.number, m.pitch) for m in found] == [
        ("articulation", "staccato", 0, 62),
        ("articulation", "accent", 0, 62),
        ("ornament", "tremolo", 3, 62),
        ("technical", "fingering", 2, 62),
        ("fermata", "square", 0, 62),
        ("ornament", "arpeggiate", 0, 62),
    ]


def test_a_mark_on_a_tied_note_belongs_to_the_whole_note() -> None:
    first = note("C", 4, "<tie type='start'/>")
    second = note("C", 4, "<tie type='stop'/>" + notations("<fermata/>"))
    (found,) = [m for m in marks(first, second) if m.kind is MarkKind.FERMATA]
    assert (found.tick, found.pitch) == (0, 60)


def test_grace_notes_are_kept_as_marks() -> None:
    grace = "<note><grace slash='yes'/><pitch><step>{}</step><octave>4</octave></pitch></note>"
    found = marks(note() + grace.format("A") + grace.format("B") + note() + note() + note())
    assert [(m.tick // QUARTER, m.pitch, m.number, m.value) for m in found if m.kind is MarkKind.GRACE] == [
        (1, 69, 1, 1), (1, 71, 2, 1),
    ]  # fmt: skip


# What lasts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "stop", "kind", "text", "value"),
    [
        ("<wedge type='crescendo'/>", "<wedge type='stop'/>", MarkKind.WEDGE, "crescendo", 0),
        ("<pedal type='start'/>", "<pedal type='stop'/>", MarkKind.PEDAL, "", 0),
        ("<octave-shift type='down' size='8'/>", "<octave-shift type='stop'/>", MarkKind.OCTAVE_SHIFT, "", 1),
        ("<octave-shift type='up' size='15'/>", "<octave-shift type='stop'/>", MarkKind.OCTAVE_SHIFT, "", -2),
    ],
)
def test_spans(start: str, stop: str, kind: MarkKind, text: str, value: int) -> None:
    body = direction(start) + note() + note() + note() + direction(stop) + note()
    (found,) = [m for m in marks(body) if m.kind is kind]
    assert (found.tick, found.end, found.text, found.value) == (0, 3 * QUARTER, text, value)


# Form -----------------------------------------------------------------------------------------

FORWARD = "<barline location='left'><repeat direction='forward'/></barline>"
BACKWARD = "<repeat direction='backward'/>"


def ending(number: str, kind: str, more: str = "") -> str:
    side = "left" if kind == "start" else "right"
    return f"<barline location='{side}'><ending number='{number}' type='{kind}'/>{more}</barline>"


def test_repeats_and_endings() -> None:
    measures = (
        FORWARD + FOUR,
        ending("1", "start") + FOUR + ending("1", "stop", BACKWARD),
        ending("2", "start") + FOUR + ending("2", "discontinue"),
    )
    form = [
        (m.kind.value, m.tick // QUARTER, m.text, m.end // QUARTER)
        for m in marks(*measures)
        if m.track == WHOLE
    ]
    assert form == [
        ("repeat-start", 0, "", -1),
        ("ending", 4, "1", 8),
        ("repeat-end", 8, "", -1),
        ("ending", 8, "2", 12),
    ]
    # Without its first ending a repeat would be another piece.
    assert not [m for m in marks(*measures, all_endings=False) if m.track == WHOLE]


def test_a_repeat_without_endings_stays() -> None:
    measures = (FORWARD + FOUR + f"<barline>{BACKWARD}</barline>", FOUR)
    found = [(m.kind.value, m.tick // QUARTER) for m in marks(*measures, all_endings=False)]
    assert found == [("repeat-start", 0), ("repeat-end", 4)]


def test_signs_and_jumps() -> None:
    measures = (
        direction("<segno/>", "<sound segno='1'/>") + FOUR,
        direction("<coda/>") + FOUR + direction("<words>D.S. al Coda</words>", "<sound dalsegno='1'/>"),
        FOUR + "<barline><bar-style>light-light</bar-style></barline>",
        FOUR,
    )
    found = marks(*measures)
    assert said(found, MarkKind.JUMP) == [(0, "segno"), (4, "coda"), (8, "dalsegno")]
    assert said(found, MarkKind.BARLINE) == [(12, "light-light")]


def test_clefs_and_transposition() -> None:
    first = (
        "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
        "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    )
    found = {m.kind: m for m in marks(FOUR, first=first)}
    assert (found[MarkKind.CLEF].text, found[MarkKind.CLEF].value) == ("G2", -1)
    assert (found[MarkKind.TRANSPOSITION].value, found[MarkKind.TRANSPOSITION].number) == (-2, -1)
