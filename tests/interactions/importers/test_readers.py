from __future__ import annotations

import builtins
import io
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from troubadour.core.errors import InputError, MissingExtraError, UnreadableFileError
from troubadour.interactions.importers.base import Malformed, NamedTrack, PlayEvent, ReadOptions, Remark
from troubadour.interactions.importers.formats import format_of, read_plays
from troubadour.interactions.importers.json_stream import BrokenJsonError, objects
from troubadour.interactions.importers.sources import Source, sources

SAMPLES = Path(__file__).parent / "samples"
NOW = 1_780_000_000
OPTIONS = ReadOptions(NOW)


def heard(path: Path, form: str = "auto", options: ReadOptions = OPTIONS) -> list[PlayEvent]:
    return [f for f in read_plays(path, form, options) if isinstance(f, PlayEvent)]


def causes(path: Path, form: str = "auto", options: ReadOptions = OPTIONS) -> dict[str, int]:
    return Counter(f.cause for f in read_plays(path, form, options) if isinstance(f, Malformed))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("listenbrainz.jsonl", "listenbrainz"),
        ("listenbrainz_feedback.jsonl", "listenbrainz"),
        ("lastfm_uts.csv", "lastfm"),
        ("lastfm_stats.csv", "lastfm"),
        ("lastfm_headerless.csv", "lastfm"),
        ("lastfm_stats.json", "lastfm"),
        ("Streaming_History_Audio_2024_0.json", "spotify"),
    ],
)
def test_the_format_is_found_out(name: str, form: str) -> None:
    assert format_of(Source(name, SAMPLES / name)) == form


def test_listens_carry_names_ids_and_lengths() -> None:
    found = heard(SAMPLES / "listenbrainz.jsonl")
    assert [f.time for f in found] == [1711965600, 1711965790, 1711966010, 1711966260, 1711966500]
    assert found[0].track.title == "The Kesh Jig"
    assert found[0].duration_seconds == 181
    assert dict(found[1].track.identifiers)["mbid"] == "11111111-2222-4333-8444-555555555501"
    assert dict(found[4].track.identifiers)["isrc"] == "GBQZX2400017"
    assert found[2].track.artist == "青い灯"


def test_loved_is_a_like_and_hated_a_rating_of_one() -> None:
    found = heard(SAMPLES / "listenbrainz_feedback.jsonl")
    assert [(f.kind, f.value) for f in found] == [("like", None), ("rating", 1.0), ("like", None)]


def test_an_export_archive_is_read_with_feedback_last(tmp_path: Path) -> None:
    path = tmp_path / "listenbrainz_greta_1711970000.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", '{"user_id": 7, "username": "greta"}\n')
        archive.write(SAMPLES / "listenbrainz_feedback.jsonl", "feedback.jsonl")
        archive.write(SAMPLES / "listenbrainz.jsonl", "listens/2024/4.jsonl")
    found = list(read_plays(path, "auto", OPTIONS))
    assert [f.kind for f in found if isinstance(f, PlayEvent)] == ["play"] * 5 + ["like", "rating", "like"]
    assert [f.text for f in found if isinstance(f, Remark)] == ["not a log of plays; skipped"]


def test_three_exports_of_lastfm_give_equal_plays() -> None:
    for name in ("lastfm_uts.csv", "lastfm_stats.csv", "lastfm_headerless.csv"):
        first = heard(SAMPLES / name)[0]
        assert first.time == 1711965600, name
        assert first.track.title in ("Kesh Jig, The", "The Kesh Jig - 2011 Remaster", "The Kesh Jig")
    assert {f.listener for f in heard(SAMPLES / "lastfm_stats.csv")} == {"greta"}
    assert heard(SAMPLES / "lastfm_stats.json")[0].time == 1711966500
    assert heard(SAMPLES / "lastfm_uts.csv")[2].time == 0


def test_spotify_ends_become_beginnings_and_hasty_ends_skips() -> None:
    found = heard(SAMPLES / "Streaming_History_Audio_2024_0.json")
    assert [(f.kind, f.value) for f in found] == [
        ("play", 1.0), ("play", None), ("skip", None), ("play", None), ("play", 1.0),
    ]  # fmt: skip
    assert found[0].time == 1711965781 - 181
    assert found[1].played_seconds == 90.5
    assert found[0].track.identifiers == (("spotify", "2C0KFbb4v9CNWR5c9jWcKA"),)
    assert causes(SAMPLES / "Streaming_History_Audio_2024_0.json") == {
        "not a track: a podcast, an audiobook or a video": 1,
        "played for 0 s": 1,
    }


def test_the_short_history_of_spotify_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "StreamingHistory0.json"
    one = {
        "endTime": "2024-04-01 10:03",
        "artistName": "The Quills",
        "trackName": "The Kesh Jig",
        "msPlayed": 181000,
    }
    path.write_text(json.dumps([one]))
    assert heard(path) == [
        PlayEvent(NamedTrack("The Kesh Jig", "The Quills"), "play", 1711965599, None, 181.0)
    ]


SERVICE = {
    "Who": "listener", "Song": "title", "By": "artist", "When": "time", "Did": "kind", "Stars": "rating",
    "Heard ms": "ms_played", "Length ms": "duration_ms",
}  # fmt: skip


def test_a_table_is_read_by_its_map_and_bad_rows_are_rejected() -> None:
    options = ReadOptions(NOW, SERVICE)
    found = heard(SAMPLES / "service.csv", "csv", options)
    assert [(f.listener, f.kind, f.time, f.value) for f in found] == [
        ("ines", "play", 1711959300, None),
        ("ines", "rating", 1711962000, 4.0),
        ("hugo", "like", 1711965600, None),
        ("", "play", 1711965900, None),
    ]
    assert (found[0].played_seconds, found[0].duration_seconds) == (95.0, 190.0)
    assert causes(SAMPLES / "service.csv", "csv", options) == {
        "rating outside 1 to 5": 1,
        "invalid time": 1,
        "time is in the future": 1,
        "kind is 'hum'; allowed: play, like, skip, rating": 1,
    }


def test_ratings_out_of_ten_become_ratings_out_of_five(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,title,rating\na,x,10\na,y,1\na,z,5.5\na,w,11\n")
    options = ReadOptions(NOW, rating_max=10)
    assert [f.value for f in heard(path, "csv", options)] == [5.0, 1.0, 3.0]
    assert causes(path, "csv", options) == {"rating outside 1 to 10": 1}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("utf-8-sig", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("utf-16", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("utf-16-le", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("utf-32", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("latin-1", "artist,title,time\nSigur Rós,Ágætis,5\n"),
        ("cp1252", "artist;title;time\r\nSigur Rós;Ágætis;5\r\n"),
        ("utf-8", "artist\ttitle\ttime\nSigur Rós\tÁgætis\t5\n"),
    ],
)
def test_every_usual_encoding_and_delimiter_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "plays.csv"
    path.write_bytes(text.encode(encoding))
    (found,) = heard(path, "csv")
    assert (found.track.artist, found.track.title, found.time) == ("Sigur Rós", "Ágætis", 5)


def test_other_scripts_survive_utf16(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_bytes("artist,title\n青い灯,夜の舟\nЖюль,Ёлка\n한강,밤\n".encode("utf-16"))
    assert [f.track.title for f in heard(path, "csv")] == ["夜の舟", "Ёлка", "밤"]


def test_a_guessed_encoding_yields_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_bytes("artist,title\nSigur Rós,x\n".encode("latin-1"))
    remarks = [f for f in read_plays(path, "csv", OPTIONS) if isinstance(f, Remark)]
    assert remarks == [Remark("plays.csv", "encoding not declared; read as cp1252")]


def test_complete_events_of_a_truncated_file_are_kept(tmp_path: Path) -> None:
    whole = (SAMPLES / "Streaming_History_Audio_2024_0.json").read_text(encoding="utf-8")
    path = tmp_path / "Streaming_History_Audio_0.json"
    path.write_text(whole[: whole.index('"Night Ferry"')], encoding="utf-8")
    assert len(heard(path)) == 2
    assert causes(path) == {"JSON breaks off": 1}


@pytest.mark.parametrize("text", ["", "\n\n", "[]", "{}", "[", "null", "\x00\x01\x02", "a,b\n1,2\n"])
def test_files_without_plays_yield_none_and_no_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plays.json"
    path.write_text(text)
    for form in ("auto", "listenbrainz", "spotify"):
        assert heard(path, form) == []


def test_a_table_of_which_nothing_is_understood_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="it has a, b"):
        heard(path, "csv")
    with pytest.raises(InputError, match="role is 'tune'"):
        heard(path, "csv", ReadOptions(NOW, {"a": "tune"}))
    with pytest.raises(InputError, match="no column 'c'"):
        heard(path, "csv", ReadOptions(NOW, {"c": "title"}))
    with pytest.raises(InputError, match="auto, listenbrainz"):
        heard(path, "tidal")
    with pytest.raises(InputError, match="no file or folder"):
        heard(tmp_path / "none")


def test_a_zip_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("listens.jsonl", b"0" * (32 * 2**20))
    with pytest.raises(UnreadableFileError, match="compression ratio of 200"):
        sources(path)


def test_a_zip_whose_header_lies_about_its_size_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troubadour.interactions.importers.sources.MAX_BYTES", 10_000)
    path = tmp_path / "plays.csv"
    path.write_text("title\n" + "x\n" * 10_000)
    with pytest.raises(UnreadableFileError, match="split it"):
        heard(path, "csv")


def test_a_damaged_archive_and_one_of_too_many_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plays.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(SAMPLES / "listenbrainz.jsonl", "listens.jsonl")
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError):
        list(read_plays(path, "auto", OPTIONS))
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(10_001):
            archive.writestr(f"{i}.json", "")
    with pytest.raises(UnreadableFileError, match="10001 files"):
        sources(path)


def test_names_in_an_archive_cannot_reach_outside(tmp_path: Path) -> None:
    path = tmp_path / "plays.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.jsonl", (SAMPLES / "listenbrainz.jsonl").read_text(encoding="utf-8"))
    assert len(heard(path)) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plays.zip"]


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "listenbrainz.jsonl", tmp_path / "1.jsonl")
    shutil.copy(SAMPLES / "lastfm_stats.csv", tmp_path / "2.csv")
    (tmp_path / "cover.png").write_bytes(b"\x89PNG")
    assert len(heard(tmp_path)) == 7


def test_json_is_streamed_across_blocks_in_every_shape() -> None:
    rows = [{"n": i, "text": "é[]{}," * 50} for i in range(3000)]
    for text in (
        json.dumps(rows),
        json.dumps(rows, indent=2),
        "\n".join(json.dumps(r) for r in rows),
        json.dumps({"username": "x", "rows": rows}),
    ):
        assert list(objects(io.StringIO(text), ("rows",))) == rows
    with pytest.raises(BrokenJsonError, match="breaks off"):
        list(objects(io.StringIO(json.dumps(rows)[:-40])))
    with pytest.raises(BrokenJsonError, match="nested"):
        list(objects(io.StringIO("[" + "[" * 100_000)))


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plays.parquet"
    path.write_bytes(b"PAR1")
    plain = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"troubadour\[parquet\]"):
        heard(path)


def test_parquet_and_csv_give_equal_events(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra: pip install 'troubadour[parquet]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "plays.parquet"
    columns = {"user": ["a", "b"], "title": ["x", "y"], "time": [5, 6], "share": [0.5, None]}
    parquet.write_table(arrow.table(columns), path)
    assert heard(path) == [
        PlayEvent(NamedTrack("x"), "play", 5, 0.5, listener="a"),
        PlayEvent(NamedTrack("y"), "play", 6, None, listener="b"),
    ]
