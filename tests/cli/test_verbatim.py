"""A file that goes through a command comes back as it was but for what was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mido
import pytest
from tests.cli.test_cli import call, refused
from tests.formats.pop import events_of, five_tracks

from troubadour.corpora.folder import read_file
from troubadour.music.piece import Piece


def test_infilling_a_file_changes_the_bars_of_one_track_alone(small_home: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(five_tracks())
    made = call(
        "infill", str(song), "--bars", "3-4", "--tracks", "4", "--home", str(small_home), "--seed", "1", "--out",
        str(tmp_path / "out"), "--json",
    )  # fmt: skip
    before = Counter(events_of(song.read_bytes()))
    after = Counter(events_of(Path(made["files"]["midi"]).read_bytes()))
    for tick, chunk, text in before - after:
        assert (chunk, 3840 - 240 <= tick <= 7680 + 240) == (4, True), text
    for tick, chunk, text in after - before:
        label = chunk == 0 and tick == 0 and ("text" in text or "copyright" in text)
        assert label or (chunk, 3840 <= tick <= 7680 + 240) == (4, True), text
    assert made["duration_seconds"] == pytest.approx(mido.MidiFile(song).length, abs=0.5)


def test_a_file_with_drums_is_refused_unless_tracks_are_chosen(
    small_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(five_tracks())
    said = refused(capsys, monkeypatch, "infill", str(song), "--bars", "3-4", "--home", str(small_home))
    assert "track 1 'Drums' is a drum part" in said
    assert "--tracks 3 (Bass), 4 (Lead)" in said


@pytest.mark.parametrize("bpm", ["121", "97.3"])
def test_the_tempo_that_is_asked_for_is_in_the_files(small_home: Path, tmp_path: Path, bpm: str) -> None:
    made = call(
        "compose", "--style", "jig", "--bars", "4", "--tempo", bpm, "--home", str(small_home), "--seed", "1", "--out",
        str(tmp_path), "--json",
    )  # fmt: skip
    tempos = [m for t in mido.MidiFile(made["files"]["midi"]).tracks for m in t if m.type == "set_tempo"]
    assert [60e6 / m.tempo for m in tempos] == [pytest.approx(float(bpm), abs=1e-3)]
    (page,) = read_file(Path(made["files"]["musicxml"]))
    assert isinstance(page, Piece)
    assert page.score.tempos[0].bpm == pytest.approx(float(bpm))
