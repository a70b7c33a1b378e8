"""Values read from the exports of each service."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from troubadour.interactions.importers.base import (
    NOW_PLAYING,
    Malformed,
    NamedTrack,
    PlayEvent,
    ReadOptions,
    Remark,
)
from troubadour.interactions.importers.formats import read_plays

SAMPLES = Path(__file__).parent / "samples"
OPTIONS = ReadOptions(1_780_000_000)
KESH, FERRY = 1711965600, 1711966500


def heard(path: Path, form: str = "auto") -> list[PlayEvent]:
    return [f for f in read_plays(path, form, OPTIONS) if isinstance(f, PlayEvent)]


def causes(path: Path, form: str = "auto") -> dict[str, int]:
    return Counter(f.cause for f in read_plays(path, form, OPTIONS) if isinstance(f, Malformed))


def remarks(path: Path) -> list[str]:
    return [f.text for f in read_plays(path, "auto", OPTIONS) if isinstance(f, Remark)]


def test_maloja_scrobbles_have_artists_and_the_album_of_every_version() -> None:
    found = heard(SAMPLES / "maloja_export.json")
    assert found == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills", "Evening Set"), "play", KESH, None, 170.0, 181.0),
        PlayEvent(NamedTrack("Night Ferry", "Marek Lund, Anna Berg", "Crossings"), "play", 1711965900),
        PlayEvent(NamedTrack("夜の舟", "青い灯", "港"), "play", 1711966200),
    ]
    assert causes(SAMPLES / "maloja_export.json") == {"no title": 1}
    assert [f.time for f in heard(SAMPLES / "maloja_api.json")] == [KESH]


def test_the_tables_of_maloja_2_are_read() -> None:
    path = SAMPLES / "maloja_v2.tsv"
    assert heard(path) == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills", "Evening Set"), "play", KESH, None, 170.0),
        PlayEvent(NamedTrack("Night Ferry", "Marek Lund, Anna Berg", "1989"), "play", FERRY),
    ]
    assert causes(path) == {"no title": 1}


def test_an_empty_maloja_export_is_no_export_of_lastfm(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text('{"maloja": {"export_time": 5}, "scrobbles": []}')
    assert list(read_plays(path, "auto", OPTIONS)) == []


def test_lastfm_answers_are_read_without_what_plays_now() -> None:
    found = heard(SAMPLES / "lastfm_api.json")
    assert [(f.track.title, f.track.artist, f.time) for f in found] == [
        ("The Kesh Jig", "The Quills", KESH),
        ("Night Ferry", "Marek Lund", FERRY),
    ]
    assert found[0].track.identifiers == (("mbid", "11111111-2222-4333-8444-555555555501"),)
    assert causes(SAMPLES / "lastfm_api.json") == {NOW_PLAYING: 1}


def test_pages_of_lastfm_are_read_as_a_list_a_folder_or_an_archive(tmp_path: Path) -> None:
    assert [f.time for f in heard(SAMPLES / "lastfm_pages.json")] == [KESH, FERRY]
    pages = json.loads((SAMPLES / "lastfm_pages.json").read_text(encoding="utf-8"))
    folder = tmp_path / "pages"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "pages.zip", "w") as archive:
        for i, page in enumerate(pages):
            text = json.dumps({"recenttracks": page}, indent=1)
            (folder / f"{i}.json").write_text(text)
            archive.writestr(f"{i}.json", text)
    tracks = [t for p in pages for t in (p["track"] if isinstance(p["track"], list) else [p["track"]])]
    for name, shape in (
        ("answers.json", [{"recenttracks": p} for p in pages]),
        ("tracks.json", tracks),
        ("lists.json", [[t] for t in tracks]),
    ):
        (tmp_path / name).write_text(json.dumps(shape))
        assert [f.time for f in heard(tmp_path / name)] == [KESH, FERRY], name
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(t) for t in tracks))
    for path in (folder, tmp_path / "pages.zip", tmp_path / "lines.jsonl"):
        assert [f.time for f in heard(path)] == [KESH, FERRY], path.name


def test_an_answer_larger_than_memory_should_hold_is_streamed(tmp_path: Path) -> None:
    one = {
        "artist": {"#text": "A" * 200},
        "name": "x",
        "date": {"uts": "1711965600"},
        "image": ["u" * 300] * 4,
    }
    path = tmp_path / "all.json"
    text = json.dumps({"recenttracks": {"@attr": {"user": "g"}, "track": [one] * 6000}})
    assert len(text) > 2 * 2**22
    path.write_text(text)
    assert len(heard(path)) == 6000
    path.write_text(text[: len(text) // 2])  # and of a cut one what is whole is kept
    assert 2990 < len(heard(path)) < 3000
    assert causes(path) == {"JSON breaks off": 1}


def test_loved_tracks_are_likes_and_api_errors_are_rejected(tmp_path: Path) -> None:
    assert heard(SAMPLES / "lastfm_loved.json") == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills"), "like", 1711965700)
    ]
    path = tmp_path / "page.json"
    path.write_text('{"error": 29, "message": "Rate limit exceeded"}')
    assert causes(path, "lastfm") == {"an error of the API instead of a page: Rate limit exceeded": 1}


def test_rows_without_a_time_are_playing_now_where_every_play_has_one(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('uts,utc_time,artist,album,track\n,,A,,x\n0,,A,,y\n,"01 Apr 2024, 10:00",A,,z\n')
    assert [(f.track.title, f.time) for f in heard(path)] == [("y", 0), ("z", KESH)]
    assert causes(path) == {NOW_PLAYING: 1}
    path.write_text("Artist;Album;AlbumId;Track;Date#greta\nA;;;x;\nA;;;y;1711965600000\n")
    assert [(f.track.title, f.listener) for f in heard(path)] == [("y", "greta")]
    path = tmp_path / "x.json"
    path.write_text(
        '{"username": "g", "scrobbles": [{"track": "x", "date": null}, {"track": "y", "date": 5}]}'
    )
    assert [f.track.title for f in heard(path)] == ["y"]


@pytest.mark.parametrize(
    "text",
    [
        '{"payload": {"count": 1, "playing_now": true, "listens": [%s]}}',
        '{"listen_type": "playing_now", "payload": [%s]}',
        "[%s]",
        "%s",
    ],
)
def test_what_plays_now_on_listenbrainz_is_left_out_in_every_shape(tmp_path: Path, text: str) -> None:
    path = tmp_path / "now.json"
    path.write_text(text % '{"playing_now": true, "track_metadata": {"track_name": "x", "artist_name": "A"}}')
    assert heard(path) == []
    assert causes(path) == {NOW_PLAYING: 1}
    path.write_text(text % '{"listened_at": 5, "track_metadata": {"track_name": "x", "artist_name": "A"}}')
    assert [f.time for f in heard(path)] == [5]


def test_pins_are_no_plays(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    path.write_text('{"pinned_until": 5, "created": 4, "track_metadata": {"track_name": "x"}}')
    assert causes(path, "listenbrainz") == {"a pin, not a play": 1}


def test_rockbox_listens_are_plays_and_skips_skips(tmp_path: Path) -> None:
    folder = tmp_path / "player"
    folder.mkdir()
    shutil.copy(SAMPLES / ".scrobbler.log", folder)
    for path in (SAMPLES / ".scrobbler.log", folder):  # found in a folder although its name begins with a dot
        assert [(f.kind, f.track.title, f.time, f.duration_seconds) for f in heard(path)] == [
            ("play", "The Kesh Jig", KESH, 181.0),
            ("skip", "Night Ferry", FERRY, 240.0),
        ]
        assert causes(path) == {"fewer than 7 fields separated by tabs": 1}
    first = heard(folder)[0].track
    assert first.identifiers == (("mbid", "11111111-2222-4333-8444-555555555501"),)
    assert (first.artist, first.album) == ("The Quills", "Evening Set")


@pytest.mark.parametrize(
    ("zone", "time", "told"),
    [
        ("UTC", KESH, False),
        ("UNKNOWN", KESH, True),
        ("Europe/Berlin", KESH - 7200, False),
        ("America/New_York", KESH + 4 * 3600, False),
        ("+0530", KESH - 19800, False),
        ("../../etc/passwd", KESH, True),
    ],
)
def test_the_time_zone_of_a_player_is_applied(tmp_path: Path, zone: str, time: int, told: bool) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"#AUDIOSCROBBLER/1.0\n#TZ/{zone}\nA\t\tx\t\t100\tL\t{KESH}\nA\t\ty\t\t100\tK\t{KESH}\n")
    assert [f.time for f in heard(path)] == [time]
    assert bool(remarks(path)) == told
    assert causes(path) == {"rating is 'K'; allowed: L, S": 1}


def test_apple_plays_end_with_a_reason() -> None:
    path = SAMPLES / "apple_play_activity.csv"
    assert heard(path) == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills", "Evening Set"), "play", KESH, None, 181.0, 181.0),
        PlayEvent(NamedTrack("Night Ferry", "", "Crossings"), "skip", FERRY, None, 12.0, 240.0),
        PlayEvent(NamedTrack("Night Ferry", "", "Crossings"), "play", 1711966680, None, 120.0, 240.0),
    ]
    assert causes(path) == {
        "not the end of a play": 2,
        "played for less than 30 s, and not a skip": 1,
        "a video or a radio station": 1,
        "failed to load": 1,
    }


def test_a_narrow_or_old_apple_table_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "Artist Name,Content Name,Event End Timestamp,Event End Reason Type,Play Duration Milliseconds\n"
        "A,x,2024-04-01T10:03:00Z,NATURAL_END_OF_TRACK,180000\nA,y,2024-04-01 10:03:00,,-5\nA,z,2024-04-01,,\n"
    )
    assert [(f.track.title, f.time) for f in heard(path)] == [("x", KESH), ("z", 1711929600)]
    assert causes(path) == {"play duration is invalid": 1}


def test_apple_summaries_are_read_alone_and_not_beside_the_log(tmp_path: Path) -> None:
    daily = heard(SAMPLES / "apple_daily_tracks.csv")
    assert [(f.kind, f.track.artist, f.track.title, f.time) for f in daily] == [
        ("play", "The Quills", "The Kesh Jig", KESH),
        ("play", "The Quills", "The Kesh Jig", KESH + 1),
        ("skip", "Marek Lund", "Night Ferry - Live", KESH + 7200),
    ]
    assert causes(SAMPLES / "apple_daily_tracks.csv") == {"play or skip count is not a number up to 1000": 1}
    assert [f.time for f in heard(SAMPLES / "apple_track_play_history.csv")] == [KESH]
    for path in SAMPLES.glob("apple_*.csv"):
        shutil.copy(path, tmp_path)
    assert Counter(f.kind for f in heard(tmp_path)) == {"play": 2, "skip": 1, "like": 1, "rating": 1}
    assert remarks(tmp_path) == ["repeats the plays of apple_play_activity.csv; skipped"] * 2


def test_apple_favourites_are_likes_and_dislikes_ratings_of_one() -> None:
    found = heard(SAMPLES / "apple_favorites.csv")
    assert [(f.kind, f.value, f.track.title) for f in found] == [
        ("like", None, "The Kesh Jig"),
        ("rating", 1.0, "Night Ferry"),
    ]
    assert causes(SAMPLES / "apple_favorites.csv") == {"a favourite other than a song": 1}


def test_of_a_watch_history_only_music_is_taken() -> None:
    path = SAMPLES / "youtube_watch_history.json"
    assert heard(path) == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills"), "play", KESH),
        PlayEvent(NamedTrack("Night Ferry", "Marek Lund"), "play", FERRY),
    ]
    assert causes(path) == {
        "not identified as music: neither YouTube Music nor a channel '- Topic'": 1,
        "removed video: title or artist is missing": 1,
        "an advertisement": 1,
        "a search or a page, not a track": 1,
    }


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Watched Night Ferry", "Night Ferry"),
        ("Vous avez regardé Night Ferry", "Night Ferry"),
        ("„Night Ferry“ angesehen", "Night Ferry"),
        ("Night Ferry を視聴しました", "Night Ferry"),
        ('"Heroes"', '"Heroes"'),
    ],
)
def test_the_words_around_a_title_are_taken_off_in_several_languages(
    tmp_path: Path, said: str, title: str
) -> None:
    path = tmp_path / "h.json"
    entry = {
        "header": "YouTube Music",
        "title": said,
        "time": "2024-04-01T10:00:00Z",
        "products": ["YouTube"],
    }
    path.write_text(json.dumps([entry | {"subtitles": [{"name": "MarekLundVEVO"}]}]), encoding="utf-8")
    assert [(f.track.title, f.track.artist) for f in heard(path)] == [(title, "MarekLund")]


def test_deezer_rows_of_half_a_minute_are_plays() -> None:
    path = SAMPLES / "deezer_listening_history.csv"
    track = NamedTrack("The Kesh Jig", "The Quills", "Evening Set", (("isrc", "GBQZX2400017"),))
    assert heard(path) == [PlayEvent(track, "play", KESH, None, 181.0)]
    assert causes(path) == {"played for less than 30 s; the file does not distinguish skips": 1}
