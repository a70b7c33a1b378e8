"""Key of chord loops, which have no cadence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from troubadour.analysis.beats import beats
from troubadour.analysis.key import find_key
from troubadour.analysis.loops import closing_loop
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track

ROOTS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def looped(chords: str, rounds: int = 4, ending: str = "") -> Score:
    """One chord per bar in close position over its root."""
    rows = []
    for bar, name in enumerate(chords.split() * rounds + ending.split()):
        root = ROOTS[name[0]] + name.count("#") - name.count("b")
        third = 3 if name.endswith("m") else 4
        rows += [(96 * bar, 96, 57 + (root + step - 9) % 12, 80, 0) for step in (0, third, 7)]
        rows.append((96 * bar, 96, 36 + root, 80, 1))
    return quantise(Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(0), Track(33))))


@pytest.mark.parametrize(
    ("chords", "key"),
    [
        ("A E F#m D", "A major"),
        ("C G Am F", "C major"),
        ("C Am F G", "C major"),
        ("D A Bm G", "D major"),
        ("E B C#m A", "E major"),
        ("F C Dm Bb", "F major"),
        ("C F G F", "C major"),
        ("Am G F E", "A minor"),
    ],
)
def test_a_loop_is_in_the_key_of_its_first_chord(chords: str, key: str) -> None:
    assert find_key(looped(chords)).key == key


def test_a_loop_that_comes_to_a_close_is_no_loop() -> None:
    score = looped("D A Bm G", ending="A D")
    assert closing_loop(score, beats(score)) is None
    assert find_key(score).key == "D major"


def test_twice_is_not_enough() -> None:
    score = looped("A E F#m D", rounds=2)
    assert closing_loop(score, beats(score)) is None


def test_a_single_chord_is_no_loop() -> None:
    score = looped("A A A A")
    assert closing_loop(score, beats(score)) is None


def test_a_tune_without_chords_has_no_loop() -> None:
    rows = [(24 * i, 24, 60 + (0, 2, 4, 7, 5, 4, 2, 0)[i % 8], 80, 0) for i in range(64)]
    score = quantise(Score.from_notes(rows, ticks_per_quarter=24))
    assert closing_loop(score, beats(score)) is None


def test_chorales_close() -> None:
    spec = importlib.util.find_spec("music21")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)), "corpus", "bach")
    for path in sorted(folder.glob("*.mxl"))[::15]:
        score = quantise(read_musicxml_file(path).score)
        assert closing_loop(score, beats(score)) is None, path.name
