from __future__ import annotations

import pytest

from troubadour.core.errors import InputError
from troubadour.generation.request import Brief, parse_key, parse_metre
from troubadour.music.score import MODES, Key


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("D", "D major"), ("D major", "D major"), ("Am", "A minor"), ("a minor", "A minor"), ("Bb", "Bb major"),
        ("bb minor", "Bb minor"), ("F# minor", "F# minor"), ("f#m", "F# minor"), ("D dorian", "D dorian"),
        ("E_phrygian", "E phrygian"), ("G mixolydian", "G mixolydian"), ("C# major", "C# major"),
        ("Eb aeolian", "Eb minor"), ("  C   maj ", "C major"), ("F lydian", "F lydian"), ("B locrian", "B locrian"),
    ],
)  # fmt: skip
def test_keys_as_people_write_them(text: str, name: str) -> None:
    assert Key(0, *parse_key(text)).name == name


def test_every_key_reads_back_from_its_name() -> None:
    for fifths in range(-7, 8):
        for mode in MODES:
            key = Key(0, fifths, mode)
            if key.name.split()[0] in ("Fb", "E#", "B#"):
                continue  # tonics that nobody names
            assert parse_key(key.name) == (fifths, mode)


@pytest.mark.parametrize(
    "text", ["", "H", "D fancy", "D dorian minor", "#", "m", "7", "Db locrian", "G# major"]
)
def test_what_is_no_key_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(InputError, match=r"key.*(allowed: a tonic|up to 7)"):
        parse_key(text)


def test_metres() -> None:
    assert parse_metre("6/8") == (6, 8)
    assert parse_metre(" 3 / 2 ") == (3, 2)


@pytest.mark.parametrize(
    "text",
    ["", "6", "6/", "6/8/2", "a/b", "4/3", "0/4", "99/4", "-3/4", "1/32", "4/0", "²/4", "9" * 5000 + "/4"],
)
def test_what_is_no_metre_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(InputError, match=r"metre is .*; allowed"):
        parse_metre(text)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("bars", 0, "1 to 64"), ("bars", 65, "1 to 64"), ("bars", -1, "1 to 64"), ("voices", 0, "1 to 8"),
        ("voices", 9, "1 to 8"), ("metre", (4, 3), "1/8 to 16/4"), ("metre", (0, 4), "1/8 to 16/4"),
        ("metre", (17, 4), "1/8 to 16/4"), ("metre", (1, 32), "1/8 to 16/4"), ("key", (8, "major"), "-7 to 7"),
        ("key", (0, "fancy"), "dorian"), ("tempo_bpm", 5, "20 to 336"), ("tempo_bpm", float("nan"), "20 to 336"),
        ("density", 8, "0 to 7"), ("density", -1, "0 to 7"), ("temperature", 0.0, "0.1 to 2"),
        ("temperature", float("nan"), "0.1 to 2"), ("temperature", 3.0, "0.1 to 2"), ("top_p", 0.0, "above 0 to 1"),
        ("top_p", 1.1, "above 0 to 1"), ("top_p", float("nan"), "above 0 to 1"),
    ],
)  # fmt: skip
def test_a_brief_out_of_range_says_what_is_allowed(field: str, value: object, allowed: str) -> None:
    with pytest.raises(InputError, match="allowed") as caught:
        Brief(**{field: value})  # type: ignore[arg-type]
    assert allowed in str(caught.value)
    assert field.split("_")[0] in str(caught.value)


def test_an_upbeat_needs_a_bar_to_lead_to() -> None:
    with pytest.raises(InputError, match="upbeat"):
        Brief(bars=1, upbeat=True)
