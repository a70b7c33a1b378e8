"""Scores and parts on paper: pages of SVG, PDF, PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from defusedxml import ElementTree

from troubadour.analysis.png import to_png
from troubadour.formats.engrave import Engraver
from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.pdf import PDF_FONT, pages_to_pdf
from troubadour.formats.print_pages import Titles, outlined, without_size
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track


@pytest.fixture(scope="module")
def engraver() -> Iterator[Engraver]:
    engraver = Engraver()
    yield engraver
    engraver.close()


def long_score(bars: int) -> Score:
    rows = [(24 * i, 24, 60 + i % 12, 80, t) for i in range(4 * bars) for t in range(3)]
    score = Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(73), Track(71), Track(42)))
    return quantise(score).replace(marks=(Mark(0, WHOLE, MarkKind.CHORD, "Bb7"),))


def test_pages_carry_title_composer_rights_and_numbers(engraver: Engraver) -> None:
    titles = Titles("Song <&>", "subtitle", "A. Nonymous", "Flute", "CC0")
    pages = engraver.pages(write_musicxml(long_score(60)), titles)
    assert len(pages) > 1
    texts = [
        [t.text for t in ElementTree.fromstring(p).iter("{http://www.w3.org/2000/svg}text")] for p in pages
    ]
    assert {"Song <&>", "subtitle", "A. Nonymous", "Flute", "CC0", f"1 / {len(pages)}"} <= set(texts[0])
    assert "CC0" not in texts[1]
    assert any(t and t.startswith("Song <&> (Flute)") for t in texts[1])


def test_musical_signs_within_texts_are_outlines(engraver: Engraver) -> None:
    (page,) = engraver.pages(write_musicxml(long_score(2)), Titles("x"))
    assert '"Leipzig"' not in page
    assert not re.search("[\ue000-\uf8ff]", page)
    assert "@font-face" not in page


def test_texts_without_signs_stay_as_they_are() -> None:
    text = '<text x="1" y="2" font-size="0px"><tspan font-size="405px">dolce</tspan></text>'
    assert outlined(text) == text


def test_outlines_stand_one_after_the_other() -> None:
    sign = '<tspan font-family="Leipzig" font-size="1000px">\ue260</tspan>'
    text = f'<text x="10" y="20"><tspan font-size="1000px">B</tspan>{sign}<tspan font-size="1000px">7</tspan></text>'
    places = [
        float(x) for x in re.findall(r'x="([0-9.]+)"|translate\(([0-9.]+)', outlined(text)) for x in x if x
    ]
    assert places == sorted(places)
    assert places[0] == 10
    assert places[1] > 400  # the width of a B


def test_pdf_has_a_page_for_each(engraver: Engraver) -> None:
    pages = engraver.pages(write_musicxml(long_score(60)), Titles('A "quoted" title'), PDF_FONT)
    data = pages_to_pdf(pages, 'A "quoted" \\ title')
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == len(pages)


def test_png(engraver: Engraver) -> None:
    (page,) = engraver.pages(write_musicxml(long_score(2)), Titles("x"), "DejaVu Sans")
    assert to_png(without_size(page), 400).startswith(b"\x89PNG")
