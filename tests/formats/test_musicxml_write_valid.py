"""MusicXML that other programs accept: valid against the schema, marks where they belong, all pairs closed."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.musicxml.write import write_parts
from troubadour.music.marks import WHOLE, Mark, MarkKind, Syllabic
from troubadour.music.piece import Piece
from troubadour.music.quantise import NOTATION_TICKS, quantise
from troubadour.music.score import Score, Track

K = MarkKind
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
# The schema imports two others by addresses on the network; what it uses of them is this.
XML = (
    f'<xs:schema {XS} targetNamespace="http://www.w3.org/XML/1998/namespace">'
    '<xs:attribute name="lang" type="xs:language"/><xs:attribute name="space" type="xs:NCName"/></xs:schema>'
)
XLINK = (
    f'<xs:schema {XS} targetNamespace="http://www.w3.org/1999/xlink">'
    + "".join(
        f'<xs:attribute name="{name}" type="xs:string"/>'
        for name in ("href", "type", "role", "title", "show", "actuate")
    )
    + "</xs:schema>"
)


class Local(etree.Resolver):
    """Answers the schema's imports without the network."""

    def resolve(self, url: str, public_id: str, context: Any) -> Any:
        return self.resolve_string(XLINK if "xlink" in url else XML, context)


# The schema comes with the package `musicxml`, which is read and never imported.


@lru_cache(maxsize=1)
def schema() -> Any:
    spec = importlib.util.find_spec("musicxml")
    assert spec is not None, "the package `musicxml` is a development dependency"
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)), "generate_classes")
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local())
    return etree.XMLSchema(etree.fromstring((folder / "musicxml_4_0.xsd").read_bytes(), parser))


def faults(document: str) -> list[str]:
    """What the schema has against a document."""
    checker = schema()
    checker.validate(etree.fromstring(document.encode(), etree.XMLParser(no_network=True, load_dtd=False)))
    return [str(error) for error in checker.error_log]


def score_of(rows: list[tuple[int, ...]]) -> Score:
    """Rows (onset, duration, pitch, velocity, track) at 24 ticks a quarter, for a flute."""
    return quantise(Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(73),)))


def melody(pitches: list[int]) -> Score:
    return score_of([(i * 24, 24, p, 80, 0) for i, p in enumerate(pitches)])


def tree(score: Score) -> ElementTree.Element:
    return ElementTree.fromstring(write_musicxml(score))


# Validity -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_scores_are_valid_musicxml(
    quantised_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    score = data.draw(quantised_scores.filter(len))
    assert faults(write_musicxml(score)) == []
    for _, part in write_parts(score):
        assert faults(part) == []


def test_the_schema_finds_a_fault() -> None:
    assert faults(write_musicxml(melody([60])).replace("<voice>1</voice>", "<voices/>"))


MARKS = (
    Mark(0, WHOLE, K.SUBTITLE, "for two"), Mark(0, WHOLE, K.LYRICIST, "A. Poet"),
    Mark(0, 0, K.LYRIC, "Hal", 1, Syllabic.BEGIN), Mark(24, 0, K.LYRIC, "lo <&", 1, Syllabic.END, 72),
    Mark(0, WHOLE, K.CHORD, "F#m7b5/C"), Mark(30, WHOLE, K.CHORD, "N.C."), Mark(48, WHOLE, K.CHORD, "B7(b9)"),
    Mark(0, WHOLE, K.TEMPO_TEXT, "Allegro"), Mark(24, 0, K.WORDS, "dolce"), Mark(96, WHOLE, K.REHEARSAL, "A"),
    Mark(0, 0, K.ARTICULATION, "staccato"), Mark(0, 0, K.ORNAMENT, "trill-mark"),
    Mark(24, 0, K.ORNAMENT, "tremolo", 3), Mark(24, 0, K.TECHNICAL, "up-bow"),
    Mark(48, 0, K.TECHNICAL, "fingering", 2), Mark(72, 0, K.FERMATA), Mark(48, 0, K.GRACE, pitch=74, value=1),
    Mark(0, 0, K.SLUR, end=48), Mark(24, 0, K.SLUR, end=72), Mark(0, 0, K.DYNAMIC, "sfz"),
    Mark(24, 0, K.WEDGE, "crescendo", end=72), Mark(96, WHOLE, K.REPEAT_START),
    Mark(192, WHOLE, K.ENDING, "1", 1, 0, 288), Mark(288, WHOLE, K.REPEAT_END),
    Mark(288, WHOLE, K.ENDING, "2", 2, 1, 384), Mark(96, WHOLE, K.BARLINE, "light-light"),
    Mark(0, WHOLE, K.JUMP, "segno"), Mark(360, WHOLE, K.JUMP, "dalsegno"),
    Mark(0, 0, K.PEDAL, end=96), Mark(96, 0, K.OCTAVE_SHIFT, value=1, end=192),
)  # fmt: skip


@pytest.fixture(scope="module")
def marked() -> Score:
    return melody([69, 71, 72, 74] * 4).replace(marks=MARKS)


def test_a_score_with_marks_of_all_kinds_is_valid(marked: Score) -> None:
    assert faults(write_musicxml(marked)) == []
    assert all(faults(text) == [] for _, text in write_parts(marked))


def test_marks_stand_where_they_belong(marked: Score) -> None:
    document = tree(marked)
    notes = [n for n in document.iter("note") if n.find("grace") is None]
    assert [n.findtext("lyric/text") for n in notes[:2]] == ["Hal", "lo <&"]
    assert notes[1].find("lyric/extend") is not None
    assert notes[0].find("notations/articulations/staccato") is not None
    assert notes[3].find("notations/fermata") is not None
    starts = [[s.get("number") for s in n.iter("slur") if s.get("type") == "start"] for n in notes[:2]]
    stops = [[s.get("number") for s in n.iter("slur") if s.get("type") == "stop"] for n in notes[2:4]]
    assert starts == stops  # the slurs overlap: each has its number
    assert starts[0] != starts[1]
    measures = document.findall("part/measure")
    assert [e.get("number") for e in measures[2].iter("ending")] == ["1", "1"]
    assert measures[2].find("barline[@location='right']/repeat") is not None
    assert measures[1].find("barline[@location='left']/repeat").get("direction") == "forward"  # type: ignore[union-attr]
    assert measures[3].findall("barline/ending")[-1].get("type") == "discontinue"
    assert document.findtext("movement-title") == "for two"


def test_chord_symbols_are_harmonies(marked: Score) -> None:
    found = list(tree(marked).iter("harmony"))
    assert [(h.findtext("root/root-step"), h.findtext("kind")) for h in found] == [
        ("F", "half-diminished"), ("C", "none"), ("B", "dominant"),
    ]  # fmt: skip
    assert found[0].findtext("bass/bass-step") == "C"
    assert [found[2].findtext(f"degree/degree-{x}") for x in ("value", "alter")] == ["9", "-1"]
    assert found[1].findtext("offset") == "6"


def test_a_slur_without_a_note_at_its_end_is_left_out() -> None:
    score = melody([60, 62, 64, 65]).replace(marks=(Mark(0, 0, K.SLUR, end=30), Mark(24, 0, K.SLUR, end=48)))
    assert [s.get("type") for s in tree(score).iter("slur")] == ["start", "stop"]


def test_fermatas_stand_over_rests_and_credits_on_the_page() -> None:
    score = score_of([(0, 24, 60, 80, 0), (192, 24, 60, 80, 0)])
    score = score.replace(
        marks=(Mark(0, WHOLE, K.CREDIT, "for M.", 1), Mark(24, 0, K.FERMATA), Mark(96, 0, K.FERMATA))
    )
    held = [n for n in tree(score).iter("note") if n.find("notations/fermata") is not None]
    assert len(held) == 2
    assert all(n.find("rest") is not None for n in held)
    assert tree(score).findtext("credit/credit-words") == "for M."
    assert faults(write_musicxml(score)) == []


def test_a_mark_in_a_bar_of_rest_is_kept() -> None:
    score = score_of([(0, 24, 60, 80, 0), (192, 24, 60, 80, 0)])
    score = score.replace(marks=(Mark(120, 0, K.WORDS, "wait"), Mark(96, WHOLE, K.CHORD, "G")))
    bar = tree(score).findall("part/measure")[1]
    assert [w.text for w in bar.iter("words")] == ["wait"]
    assert bar.find("harmony") is not None


def test_tuplets_of_five_and_seven_are_valid() -> None:
    rows = [(i * 168, 168, 60 + i, 80, 0) for i in range(5)] + [
        (840 + i * 120, 120, 60, 80, 0) for i in range(7)
    ]
    assert faults(write_musicxml(Score.from_notes(rows, ticks_per_quarter=NOTATION_TICKS))) == []


def test_tuplets_beams_and_ties_close(tunes: list[Piece], chorales: list[Piece]) -> None:
    for piece in [*tunes[::3], *chorales[::3]]:
        text = write_musicxml(quantise(piece.score))
        assert faults(text) == [], piece.title
        for part in ElementTree.fromstring(text).findall("part"):
            notes = [n for n in part.iter("note") if n.find("chord") is None and n.find("grace") is None]
            for level in ("1", "2"):
                marks = [b.text for n in notes for b in n.findall("beam") if b.get("number") == level]
                opened = [m for m in marks if m in ("begin", "end")]
                assert all(a != b for a, b in pairwise(opened)), piece.title
            assert len(list(part.iter("tuplet"))) % 2 == 0
            ties = [t.get("type") for n in part.iter("note") for t in n.findall("tie")]
            assert ties.count("start") == ties.count("stop")
