"""Regression cases: real files that were misread."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from troubadour.interactions.importers.base import NOW_PLAYING, Malformed, PlayEvent, ReadOptions
from troubadour.interactions.importers.formats import format_of, read_plays
from troubadour.interactions.importers.sources import Source

HORNPIPE, VILLAGE = "The Glasgow Hornpipe", "Village -- Hornpipe"


@pytest.mark.parametrize(
    ("name", "form", "plays", "left_out"),
    [
        (
            "p01_maloja_export.json",
            "maloja",
            [("play", HORNPIPE, 1672653600), ("play", VILLAGE, 1672653900)],
            {},
        ),
        ("p02_lastfm_api.json", "lastfm", [("play", HORNPIPE, 1672653600)], {NOW_PLAYING: 1}),
        (
            "p03_rockbox.scrobbler.log",
            "rockbox",
            [("play", HORNPIPE, 1672653600), ("skip", VILLAGE, 1672653800)],
            {},
        ),
        (
            "p04_listens_playing_now.json",
            "listenbrainz",
            [("play", HORNPIPE, 1672653600), ("play", VILLAGE, 1672653700), ("play", VILLAGE, 0)],
            {NOW_PLAYING: 1},
        ),
        (
            "p05_ghan_now_playing.csv",
            "lastfm",
            [("play", HORNPIPE, 1672653600), ("play", VILLAGE, 1672653900)],
            {NOW_PLAYING: 1},
        ),
    ],
)
def test_a_case_is_read_right(
    shared_data: Path,
    name: str,
    form: str,
    plays: list[tuple[str, str, int]],
    left_out: dict[str, int],
) -> None:
    path = shared_data.parent / "cases" / name
    assert format_of(Source(name, path)) == form
    found = list(read_plays(path, "auto", ReadOptions(1_780_000_000)))
    assert [(f.kind, f.track.title, f.time) for f in found if isinstance(f, PlayEvent)] == plays
    assert Counter(f.cause for f in found if isinstance(f, Malformed)) == left_out
