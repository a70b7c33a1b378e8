"""Names, keys, scales and metres, against what a textbook says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.theory.keys import MODES, TONICS, Key, signature_fifths, simplest_signature
from troubadour.music.theory.metre import Metre
from troubadour.music.theory.names import fifth_in, fifth_of, name_of, note_name, pitch_class, pitch_of
from troubadour.music.theory.scales import degrees, scale

QUARTER = 24


@pytest.mark.parametrize(
    ("name", "fifth", "pitch"),
    [("C", 0, 0), ("F", -1, 5), ("B", 5, 11), ("F#", 6, 6), ("Gb", -6, 6), ("E♭", -3, 3), ("C##", 14, 2),
     ("Bbb", -9, 9), ("B#", 12, 0), ("Cb", -7, 11)],
)  # fmt: skip
def test_names_have_a_place_on_the_line_of_fifths(name: str, fifth: int, pitch: int) -> None:
    assert fifth_of(name) == fifth
    assert pitch_class(name) == pitch


@given(st.integers(-15, 19))
def test_a_name_returns_from_its_place(fifth: int) -> None:
    assert fifth_of(name_of(fifth)) == fifth
    assert fifth_in(pitch_class(name_of(fifth)), fifth) == fifth


@pytest.mark.parametrize("text", ["", "H", "c", "C###", "C#b", "F4"])
def test_text_that_is_no_name_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(InputError, match="allowed: a letter A to G"):
        fifth_of(text)


@given(st.integers(0, 127))
def test_a_pitch_returns_from_its_name(pitch: int) -> None:
    assert pitch_of(note_name(pitch)) == pitch_of(str(pitch)) == pitch


@pytest.mark.parametrize(("text", "pitch"), [("C4", 60), ("bb3", 58), (" F#5 ", 78), ("C-1", 0), ("B#3", 60)])
def test_pitches_as_people_type_them(text: str, pitch: int) -> None:
    assert pitch_of(text) == pitch


@pytest.mark.parametrize("text", ["", "128", "C", "H4", "C##4", "G#9", "Cb-1", "C--1", "4C"])
def test_no_pitch_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="allowed: MIDI pitches 0 to 127"):
        pitch_of(text)


@pytest.mark.parametrize(
    ("tonic", "mode", "fifths", "pitch"),
    [("C", "major", 0, 0), ("A", "minor", 0, 9), ("D", "dorian", 0, 2), ("G", "mixolydian", 0, 7),
     ("F", "lydian", 0, 5), ("E", "phrygian", 0, 4), ("B", "locrian", 0, 11), ("Eb", "minor", -6, 3),
     ("F#", "major", 6, 6), ("A", "dorian", 1, 9)],
)  # fmt: skip
def test_keys(tonic: str, mode: str, fifths: int, pitch: int) -> None:
    assert signature_fifths(tonic, mode) == fifths
    key = Key(0, fifths, mode)
    assert (key.tonic, key.tonic_name, key.name) == (pitch, tonic, f"{tonic} {mode}")


def test_every_key_has_a_tonic_that_is_named_and_listed() -> None:
    for mode in MODES:
        for fifths in range(-7, 8):
            key = Key(0, fifths, mode)
            assert pitch_class(key.tonic_name) == key.tonic
            assert signature_fifths(key.tonic_name, mode) == fifths
            assert key.tonic_name in TONICS


@pytest.mark.parametrize(
    ("fifths", "before", "simplest"), [(0, 0, 0), (8, 1, -4), (-7, 0, 5), (6, 1, 6), (6, -1, -6), (19, 0, -5)]
)
def test_signatures_fold_to_the_fewest_accidentals(fifths: int, before: int, simplest: int) -> None:
    assert simplest_signature(fifths, before) == simplest


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        ("major", (0, 2, 4, 5, 7, 9, 11)),
        ("minor", (0, 2, 3, 5, 7, 8, 10)),
        ("dorian", (0, 2, 3, 5, 7, 9, 10)),
        ("mixolydian", (0, 2, 4, 5, 7, 9, 10)),
        ("lydian", (0, 2, 4, 6, 7, 9, 11)),
        ("phrygian", (0, 1, 3, 5, 7, 8, 10)),
        ("locrian", (0, 1, 3, 5, 6, 8, 10)),
    ],
)
def test_modes(mode: str, steps: tuple[int, ...]) -> None:
    assert degrees(mode) == steps


def test_raised_degrees_stand_beside_the_natural_ones() -> None:
    assert degrees("minor", raised=(7,)) == (0, 2, 3, 5, 7, 8, 10, 11)
    assert degrees("minor", raised=(6, 7)) == (0, 2, 3, 5, 7, 8, 9, 10, 11)
    assert scale(-3, "minor", raised=(7,)) == {0, 2, 3, 5, 7, 8, 10, 11}
    assert scale(2, "major") == {2, 4, 6, 7, 9, 11, 1}


METRES = {
    # metre: (compound, additive, bar, beat, beat that is counted, groups), lengths in ticks, 24 a quarter
    (2, 4): (False, False, 48, 24, 24, (1, 1)),
    (3, 4): (False, False, 72, 24, 24, (1, 1, 1)),
    (4, 4): (False, False, 96, 24, 24, (2, 2)),
    (2, 2): (False, False, 96, 48, 48, (1, 1)),
    (3, 2): (False, False, 144, 48, 48, (1, 1, 1)),
    (3, 8): (False, False, 36, 12, 12, (3,)),
    (6, 8): (True, False, 72, 36, 36, (3, 3)),
    (9, 8): (True, False, 108, 36, 36, (3, 3, 3)),
    (12, 8): (True, False, 144, 36, 36, (3, 3, 3, 3)),
    (9, 16): (True, False, 54, 18, 18, (3, 3, 3)),
    (6, 4): (True, False, 144, 72, 24, (3, 3)),
    (15, 4): (True, False, 360, 72, 24, (3, 3, 3, 3, 3)),
    (5, 4): (False, True, 120, 24, 24, (3, 2)),
    (7, 4): (False, True, 168, 24, 24, (4, 3)),
    (5, 8): (False, True, 60, 12, 12, (3, 2)),
    (7, 8): (False, True, 84, 12, 12, (2, 2, 3)),
    (8, 8): (False, True, 96, 12, 12, (3, 3, 2)),
    (4, 8): (False, False, 48, 12, 12, (2, 2)),
}


@pytest.mark.parametrize("metre", METRES)
def test_metres(metre: tuple[int, int]) -> None:
    found = Metre(0, *metre)
    assert (
        found.compound,
        found.additive,
        found.bar_ticks(QUARTER),
        found.beat_ticks(QUARTER),
        found.tactus_ticks(QUARTER),
        found.groups,
    ) == METRES[metre]


@given(st.integers(1, 64), st.sampled_from((1, 2, 4, 8, 16, 32)))
def test_groups_fill_the_bar_and_strong_places_contain_weak_ones(numerator: int, denominator: int) -> None:
    metre = Metre(0, numerator, denominator)
    places = 32 // denominator
    for groups in metre.groupings:
        assert sum(groups) == numerator
        strengths = metre.strengths(groups)
        assert len(strengths) == numerator * places + 1
        assert strengths[0] == strengths[-1] == 0
        assert 0 not in strengths[1:-1]
        units = strengths[::places]
        between = [s for i, s in enumerate(strengths) if i % places]
        assert not between or max(units) < min(between)


def strong(metre: tuple[int, int], level: int) -> list[int]:
    """Units of a bar with one strength."""
    found = Metre(0, *metre)
    return [i for i, s in enumerate(found.strengths()[:: 32 // found.denominator]) if s == level]


def test_strong_places() -> None:
    assert strong((4, 4), 1) == [2]
    assert strong((4, 4), 2) == [1, 3]
    assert strong((6, 8), 1) == [3]
    assert strong((6, 4), 1) == [3]
    assert strong((9, 8), 1) == [3, 6]
    assert strong((12, 8), 1) == [6]
    assert strong((12, 8), 2) == [3, 9]
    assert strong((5, 8), 1) == [3]
    assert strong((7, 8), 1) == [2, 4]
    assert strong((8, 8), 1) == [3, 6]
    assert strong((3, 8), 1) == [1, 2]
