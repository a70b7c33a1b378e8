from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.interactions.names import artist_key, title_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Kesh Jig", "Kesh Jig, The"),
        ("Here Comes the Sun", "Here Comes The Sun - Remastered 2009"),
        ("Here Comes the Sun", "Here Comes The Sun (2019 Remaster)"),
        ("Señorita", "Senorita (feat. Rosa Ito)"),
        ("Señorita", "SEÑORITA [ft. Rosa Ito]"),
        ("Don\u2019t Stop", "Dont stop"),
        ("Rock & Roll", "Rock and Roll"),
        ("Straße", "STRASSE"),
        ("\uff26\uff55\uff4c\uff4c Width", "Full Width"),
        ("Cafe\u0301", "Café"),
        ("Ødegård", "Odegard"),
        ("Song", "Song - Single Version"),
    ],
)
def test_equivalent_names_have_one_key(one: str, other: str) -> None:
    assert title_key(one) == title_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Song", "Song (Live)"),
        ("Song", "Song - Acoustic"),
        ("Song", "Song (Karaoke Version)"),
        ("Song I", "Song II"),
        ("がんば", "かんは"),
        ("हिन्दी", "हन्दा"),
        ("???", "!!!"),
        ("Drift", "Dr"),
    ],
)
def test_other_recordings_have_other_keys(one: str, other: str) -> None:
    assert title_key(one) != title_key(other)


def test_guests_and_articles_are_ignored_and_placeholders_have_no_key() -> None:
    assert artist_key("The Quills feat. Rosa Ito") == artist_key("QUILLS") == "quills"
    assert artist_key("The The") == "the"
    assert artist_key("Trad.") == artist_key("Anonymous") == artist_key("  ") == ""
    assert artist_key("Simon & Garfunkel") == artist_key("Simon and Garfunkel")


@given(st.text(max_size=60))
def test_a_key_is_its_own_key_and_empty_only_for_nothing(text: str) -> None:
    key = title_key(text)
    assert bool(key) == bool(text.strip())
    assert key == " ".join(key.split()) or not any(c.isalnum() for c in key)
