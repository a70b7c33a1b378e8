from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from troubadour.analysis.draw import feature_map, piano_roll, principal, similarity_matrix, timeline
from troubadour.analysis.report import analyse
from troubadour.cli import app
from troubadour.core.errors import InputError
from troubadour.music.score import Score, Track

NAME = "{http://www.w3.org/2000/svg}"


def scale() -> Score:
    rows = [[i * 24, 24, 60 + p, 80, 0] for i, p in enumerate([0, 2, 4, 5, 7, 9, 11, 12] * 2)]
    return Score.from_notes(rows, ticks_per_quarter=24)


def texts(svg: str) -> list[str]:
    return [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{NAME}text")]


def test_a_piano_roll_has_a_mark_for_each_note_rising_with_its_pitch() -> None:
    svg = ElementTree.fromstring(piano_roll(scale(), "Up & <down>\x00"))
    marks = [r for r in svg.iter(f"{NAME}rect") if r.get("rx")]
    assert len(marks) == 16
    heights = [float(m.get("y", "0")) for m in marks[:8]]
    assert heights == sorted(heights, reverse=True)
    assert "Up & <down>" in texts(piano_roll(scale(), "Up & <down>\x00"))


def test_equal_bars_are_dark_and_phrases_named() -> None:
    found = analyse(scale())
    assert found.form.likeness[0, 2] == 1.0
    assert {p.letter for p in found.form.phrases} <= set(texts(similarity_matrix(found, "x")))


def test_a_timeline_shows_key_and_chords() -> None:
    found = analyse(scale())
    shown = texts(timeline(scale(), found))
    assert found.key.regions[0].key in shown
    assert found.chords[0].numeral in shown


def test_principal_components_follow_the_widest_direction() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(200, 5)) * [0.1, 5.0, 0.1, 1.0, 0.1]
    places, shares = principal(table)
    assert abs(np.corrcoef(places[:, 0], table[:, 1])[0, 1]) > 0.99
    assert shares[0] > 0.9
    assert texts(feature_map(table, ["jig", "reel"] * 100))[:2] == ["jig", "reel"]


def test_nothing_to_draw_is_said() -> None:
    empty = Score.from_notes([], ticks_per_quarter=24)
    drums = Score.from_notes([[0, 12, 38, 80, 0]], ticks_per_quarter=24, tracks=(Track(0, True),))
    with pytest.raises(InputError, match="no note"):
        piano_roll(empty)
    assert "<rect" in piano_roll(drums)
    for picture in (similarity_matrix, lambda found: timeline(drums, found)):
        with pytest.raises(InputError, match="no pitched note"):
            picture(analyse(drums))
    with pytest.raises(InputError, match="n >= 3"):
        feature_map(np.zeros((2, 2)), ["", ""])


@pytest.mark.parametrize("what", ["roll", "similarity", "timeline", "map"])
def test_pictures_come_from_the_command_line(small_home: Path, tmp_path: Path, what: str) -> None:
    tune = tmp_path / "a.abc"
    tune.write_text("X:1\nT:First\nM:4/4\nL:1/8\nK:G\nGABc dedB|dedB dedB|c2ec B2dB|c2A2 A2BA|\n")
    path = tmp_path / "a.svg"
    words = [
        "draw",
        what,
        *([] if what == "map" else [str(tune)]),
        "--out",
        str(path),
        "--home",
        str(small_home),
    ]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert len(list(ElementTree.parse(path).getroot().iter())) > 20
