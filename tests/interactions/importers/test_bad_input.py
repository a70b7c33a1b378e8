"""Damaged and hostile files are rejected with a remedy, in bounded time and memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import UnreadableFileError
from troubadour.interactions.importers.base import Malformed, PlayEvent, ReadOptions
from troubadour.interactions.importers.formats import READERS, read_plays
from troubadour.interactions.importers.times import BadTimeError, unix_seconds

SAMPLES = Path(__file__).parent / "samples"
OPTIONS = ReadOptions(1_780_000_000)


def heard(path: Path, form: str = "auto") -> list[PlayEvent]:
    return [f for f in read_plays(path, form, OPTIONS) if isinstance(f, PlayEvent)]


def causes(path: Path, form: str = "auto") -> dict[str, int]:
    return Counter(f.cause for f in read_plays(path, form, OPTIONS) if isinstance(f, Malformed))


@pytest.mark.parametrize("form", [f for f in READERS if f != "csv"])
@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00" * 500, b"[[[[", b'{"recenttracks": {"track": "x"}}', b'[1, "a", null]',
     b'{"scrobbles": [{"track": 5, "time": []}, {"track": {"title": {}}, "time": 5}]}', b'{"a": tru', b"\xd8\x00\xd8",
     b'[{"name": "x", "artist": 5, "date": {"uts": {}}}]', b"#AUDIOSCROBBLER/9\n#TZ/\n\t\t\t\t\t\t\n"],
)  # fmt: skip
def test_no_reader_yields_a_play_of_nonsense_or_fails(tmp_path: Path, form: str, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    assert heard(path, form) == []
    assert heard(path) == []


def test_lines_after_a_broken_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "listens.jsonl"
    lines = (SAMPLES / "listenbrainz.jsonl").read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1][:40]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert len(heard(path)) == len(lines) - 1
    assert causes(path) == {"lines that are not JSON: 1": 1}


@pytest.mark.parametrize("unit", ["[", '{"recenttracks":', '{"track":[', '{"a":{"payload":['])
def test_deeply_nested_json_is_rejected(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "deep.json"
    path.write_text(unit * 200_000)
    for form in ("listenbrainz", "lastfm", "maloja", "spotify", "youtube"):
        assert heard(path, form) == []
        assert sum(causes(path, form).values()) == 1


@pytest.mark.parametrize("form", ["csv", "lastfm", "apple", "deezer", "rockbox"])
def test_a_table_of_one_endless_line_is_refused_in_bounded_memory(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("title,artist," + "x" * (32 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFileError, match="export it again as CSV"):
            list(read_plays(path, form, OPTIONS))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_an_endless_json_value_is_rejected_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"ts": "' + "x" * (64 * 2**20))
    tracemalloc.start()
    try:
        assert causes(path, "spotify") == {"no JSON": 1}
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()


@given(
    st.binary(max_size=300), st.sampled_from(sorted(p.name for p in SAMPLES.iterdir())), st.integers(0, 2000)
)
def test_damage_never_raises(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, name: str, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{Path('x' + name).suffix}"
    data = (SAMPLES / name).read_bytes()
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    for found in read_plays(path, "auto", OPTIONS):
        if isinstance(found, PlayEvent):
            assert found.track.title or found.track.identifiers
            assert 0 <= found.time <= OPTIONS.now + 86_400


@pytest.mark.parametrize(
    "text",
    [
        "1711965600", "1711965600.25", "1711965600000", "1711965600000000", "2024-04-01T10:00:00Z",
        "2024-04-01T12:00:00+02:00", "2024-04-01 12:00:00 +0200", "2024-04-01 10:00:00 UTC",
        "2024-04-01 12:00 GMT+2", "2024-04-01T06:00:00.000-04:00", "Mon, 01 Apr 2024 10:00:00 GMT",
        "Mon, 01 Apr 2024 12:00:00 +0200", "April 01, 2024 at 10:00AM", "01 Apr 2024, 10:00",
    ],
)  # fmt: skip
def test_times_of_every_form_are_the_same_second(text: str) -> None:
    assert unix_seconds(text, OPTIONS.now) == 1711965600


@pytest.mark.parametrize(
    "time",
    [
        *("yesterday", "2024-13-01", "2024-04-01 10:00 +99:00", "10:00", "UTC"),
        *(float("inf"), float("nan"), 10**400, True, [5], {"uts": 5}),
    ],
)
def test_implausible_times_are_invalid(time: object) -> None:
    with pytest.raises(BadTimeError, match="invalid time"):
        unix_seconds(time, OPTIONS.now)
