from __future__ import annotations

import pytest

from troubadour.music.score import MODES, Key
from troubadour.music.theory.spelling import signature, spell

SIGNS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "x"}


def named(pitch: int, fifths: int, mode: str) -> str:
    found = spell(pitch, Key(0, fifths, mode))
    return f"{found.step}{SIGNS[found.alter]}{found.octave}"


@pytest.mark.parametrize(
    ("pitch", "fifths", "mode", "name"),
    [
        (68, 0, "minor", "G#4"),  # the leading note of A minor
        (66, -2, "minor", "F#4"),  # of G minor
        (77, 3, "minor", "E#5"),  # of F# minor
        (61, -1, "minor", "C#4"),  # of D minor
        (70, -1, "major", "Bb4"),  # F major's own fourth
        (66, 0, "major", "F#4"),  # the dominant's leading note
        (70, 0, "major", "Bb4"),  # the flat seventh of C
        (63, -3, "major", "Eb4"),
        (71, -7, "major", "Cb5"),
        (60, 7, "major", "B#3"),
        (66, 2, "mixolydian", "F#4"),
        (65, 0, "dorian", "F4"),
    ],
)
def test_notes_are_called_what_a_musician_calls_them(pitch: int, fifths: int, mode: str, name: str) -> None:
    assert named(pitch, fifths, mode) == name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fifths", range(-7, 8))
def test_spelling_sounds_right_and_scale_notes_need_no_accidental(fifths: int, mode: str) -> None:
    key = Key(0, fifths, mode)
    signs = signature(fifths)
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    scale = {(natural[s] + signs.get(s, 0)) % 12 for s in natural}
    assert len(scale) == 7
    for pitch in range(128):
        found = spell(pitch, key)
        assert 12 * (found.octave + 1) + natural[found.step] + found.alter == pitch
        assert -2 <= found.alter <= 2
        if pitch % 12 in scale:
            assert found.alter == signs.get(found.step, 0)


def test_signatures() -> None:
    assert signature(2) == {"F": 1, "C": 1}
    assert signature(-3) == {"B": -1, "E": -1, "A": -1}
    assert signature(0) == {}
