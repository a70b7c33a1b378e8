"""Detection: each file has exactly one format, by its content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from troubadour.interactions.importers import formats
from troubadour.interactions.importers.base import PlayEvent, ReadOptions, Remark
from troubadour.interactions.importers.formats import READERS, format_of, read_plays
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source

SAMPLES = Path(__file__).parent / "samples"
KINDS = {
    "listenbrainz.jsonl": "listenbrainz",
    "listenbrainz_feedback.jsonl": "listenbrainz",
    "listenbrainz_api.json": "listenbrainz",
    "lastfm_uts.csv": "lastfm",
    "lastfm_stats.csv": "lastfm",
    "lastfm_stats.json": "lastfm",
    "lastfm_headerless.csv": "lastfm",
    "lastfm_api.json": "lastfm",
    "lastfm_pages.json": "lastfm",
    "lastfm_loved.json": "lastfm",
    "Streaming_History_Audio_2024_0.json": "spotify",
    "StreamingHistory_music_0.json": "spotify",
    "maloja_export.json": "maloja",
    "maloja_api.json": "maloja",
    "maloja_v2.tsv": "maloja",
    ".scrobbler.log": "rockbox",
    "scrobbler_1_0.log": "rockbox",
    "apple_play_activity.csv": "apple",
    "apple_daily_tracks.csv": "apple",
    "apple_track_play_history.csv": "apple",
    "apple_favorites.csv": "apple",
    "youtube_watch_history.json": "youtube",
    "deezer_listening_history.csv": "deezer",
    "service.csv": "csv",
}
NO_LOGS = {
    "library.json": '[{"Title": "Night Ferry", "Artist": "Marek Lund", "Track Play Count": 5}]',
    "playlists.json": '{"playlists": [{"name": "Evening", "items": [{"track": {"trackName": "Night Ferry"}}]}]}',
    "pins.jsonl": '{"recording_msid": "x", "pinned_until": 5, "track_metadata": {"track_name": "Night Ferry"}}',
    "search-history.csv": "query,result\nferry,5\n",
    "music-library-songs.csv": "Song URL,Song Title,Album Title,Artist Names\nhttp://x,Night Ferry,Crossings,M\n",
    "containers.csv": "Container Description,Container Identifier\nCrossings,5\n",
    "words.json": '[{"text": "ms_played", "more": "\\"ts\\": \\"msPlayed\\": \\"endTime\\":"}]',
    "list.txt": "scrobbles, track_metadata and ms_played are words here\n",
}


def test_every_sample_is_named_here() -> None:
    assert {p.name for p in SAMPLES.iterdir()} == set(KINDS)
    assert set(KINDS.values()) == set(READERS)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_taken_for_its_own_format_only(name: str, tmp_path: Path) -> None:
    head = Source(name, SAMPLES / name).head()
    signs = [form for form, sign in formats._SIGNS if sign(name, head)]
    # A table whose columns are ours has no sign of a service.
    assert signs == ([] if KINDS[name] == "csv" else [KINDS[name]])
    # Neither the file name nor the encoding matters.
    suffix = Path(name).suffix if not name.startswith(".") else ".log"
    other = tmp_path / f"renamed{suffix}"
    shutil.copy(SAMPLES / name, other)
    options = ReadOptions(1_780_000_000)
    if KINDS[name] != "csv":  # this sample is the one that needs a map
        assert format_of(Source(other.name, other)) == KINDS[name]
        plain = [f for f in read_plays(other, "auto", options) if isinstance(f, PlayEvent)]
        assert plain
        text = other.read_bytes().decode("utf-8-sig")
        for encoding in ("utf-16", "utf-16-le", "utf-8-sig"):
            other.write_bytes(text.encode(encoding))
            assert [f for f in read_plays(other, "auto", options) if isinstance(f, PlayEvent)] == plain, (
                encoding
            )


@pytest.mark.parametrize("name", NO_LOGS)
def test_other_files_of_an_export_are_no_logs(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(NO_LOGS[name], encoding="utf-8")
    assert format_of(Source(name, path)) == ""
    assert list(read_plays(path, "auto", ReadOptions(1))) == [Remark(name, "not a log of plays; skipped")]


@pytest.mark.parametrize("form", [f for f in READERS if f != "csv"])
def test_a_reader_that_is_given_a_file_of_another_format_yields_no_play(form: str, tmp_path: Path) -> None:
    for name, kind in KINDS.items():
        if kind not in (form, "csv"):
            path = tmp_path / ("x" + name)
            shutil.copy(SAMPLES / name, path)
            plays = [
                f for f in read_plays(path, form, ReadOptions(1_780_000_000)) if isinstance(f, PlayEvent)
            ]
            assert plays == [], (form, name)


def test_unreadable_files_yield_a_remedy(tmp_path: Path) -> None:
    for name, remedy in (
        ("deezer-data_1.xlsx", "save its sheet"),
        ("watch-history.html", "request the history"),
        ("inner.zip", "unpack it first"),
    ):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        (remark,) = read_plays(tmp_path / name, "auto", ReadOptions(1))
        assert isinstance(remark, Remark)
        assert remedy in remark.text


def test_key_paths_of_truncated_text() -> None:
    whole = json.dumps([{"a": {'b"c': 'd": {'}, "e": [1, {"f": None}]}])
    assert key_paths(whole) == {"a", 'a.b\\"c', "e", "e.f"}
    for end in range(len(whole)):
        assert key_paths(whole[:end]) <= key_paths(whole)
    assert key_paths("[" * 1000 + '{"x": 1}') == frozenset()
    assert key_paths('no {"json": 1}') == frozenset()
