from __future__ import annotations

import pytest

from troubadour.core.errors import InputError
from troubadour.similarity.melody_search.typed import typed_skyline


def test_letters_are_pitches_as_in_abc() -> None:
    line = typed_skyline("G A B d")
    assert line.pitch.tolist() == [67, 69, 71, 74]
    assert not line.timed


def test_lengths_bars_accidentals_and_a_key_count() -> None:
    line = typed_skyline("K:D FA|d2 ^g/ _B, z c'")
    assert line.pitch.tolist() == [66, 69, 74, 80, 58, 85]
    assert line.onset.tolist() == [0.0, 1.0, 2.0, 4.0, 4.5, 6.5]
    assert line.timed


def test_a_sharp_may_follow_its_letter() -> None:
    assert typed_skyline("F# A c# e").pitch.tolist() == typed_skyline("^F A ^c e").pitch.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no notes"),
        ("G A B", "at least 4"),
        ("do re mi fa", "'o'"),
        ("K:Q A B c d", "key"),
        ("A9999999999 B c d", "impossible"),
        ("A " * 5000, "allowed: 5000"),
        ("|||", "such as"),
    ],
)
def test_what_is_not_notes_is_refused_with_an_example(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        typed_skyline(text)
