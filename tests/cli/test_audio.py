"""Audio commands on real-world files: an answer or a clear error, and no NaN in the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.audio.conftest import chord_song, tone
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.audio.describe import VERSION
from troubadour.catalogue.store import Store
from troubadour.cli import app
from troubadour.core.errors import TroubadourError

pytestmark = pytest.mark.slow


def call(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Valid files of unusual kinds, and invalid ones."""
    folder = tmp_path_factory.mktemp("odd")
    song = chord_song(3.0, 96_000)
    soundfile.write(folder / "song96k.wav", song, 96_000)
    soundfile.write(folder / "eight-bits.wav", chord_song(3.0, root=62), 22_050, subtype="PCM_U8")
    soundfile.write(folder / "surround.wav", np.repeat(chord_song(3.0, root=57), 8, axis=1), 22_050)
    soundfile.write(folder / "steady.wav", tone(440, 2.0), 44_100)
    soundfile.write(folder / "whole.mp3", chord_song(6.0, 44_100, root=65), 44_100)
    data = (folder / "whole.mp3").read_bytes()
    (folder / "truncated.mp3").write_bytes(data[: len(data) // 2 + 7])
    (folder / "photo.wav").write_bytes(b"\xff\xd8\xff\xe0JFIF" + bytes(2000))
    soundfile.write(folder / "silence.flac", np.zeros(44_100), 44_100)
    soundfile.write(folder / "one.wav", np.ones(1), 44_100)
    return folder


@pytest.fixture(scope="module")
def home(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("heard")
    found = CliRunner().invoke(app, ["import", str(folder), "--home", str(home), "--workers", "1", "--json"])
    assert found.exit_code == 0, found.output
    return home


def test_odd_files_come_in_or_are_refused_and_nothing_stored_is_nan(home: Path) -> None:
    with Store.open(home) as store:
        titles = {p.title for p in store.pieces(medium="audio")}
        assert {"song96k", "eight-bits", "surround", "steady", "whole"} <= titles
        assert titles.isdisjoint({"photo", "silence", "one"})
        causes = {Path(f.path).name: f.cause for f in store.sounds.files().values() if not f.piece}
        assert "not audio" in causes["photo.wav"]
        assert "silent" in causes["silence.flac"]
        assert "0.5 s" in causes["one.wav"]
        for row in store.sounds.all(VERSION):
            for values in (row.statistics, row.timbre_mean, row.timbre_covariance):
                assert np.isfinite(values).all(), row.piece
            assert "NaN" not in json.dumps(row.facts)
        for piece in store.pieces():
            json.dumps(piece.attributes, allow_nan=False)


@pytest.mark.parametrize("by", ["timbre", "sound"])
def test_what_sounds_alike_is_listed_for_a_piece_and_for_a_file(home: Path, folder: Path, by: str) -> None:
    with Store.open(home) as store:
        piece = next(p.id for p in store.pieces() if p.title == "surround")
    for query in (piece, str(folder / "surround.wav")):
        found = call("similar", query, "--by", by, "--n", "3", "--home", str(home))
        assert found["by"] == by
        assert len(found["items"]) == 3
        assert found["items"][-1]["score"] <= found["items"][0]["score"]
        assert {"source", "licence", "generated", "origin"} <= set(found["items"][0])


def test_a_recording_is_analysed(home: Path, folder: Path) -> None:
    found = call("analyse", str(folder / "song96k.wav"), "--home", str(home))
    assert found["key"] == "C major"
    assert found["rate"] == 96_000
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["photo.wav", "silence.flac", "one.wav"])
@pytest.mark.parametrize("command", ["analyse", "similar", "search"])
def test_what_is_no_sound_is_refused_with_the_cause(
    home: Path, folder: Path, command: str, name: str
) -> None:
    done = CliRunner().invoke(app, [command, str(folder / name), "--home", str(home)])
    assert done.exit_code != 0
    assert isinstance(done.exception, TroubadourError), done.exception


def test_recordings_in_the_home_disturb_neither_melodies_nor_what_needs_notes(home: Path) -> None:
    with Studio(home) as studio:
        assert len(studio.melodies.index()) == 0
        piece = studio.store.pieces(medium="audio")[0].id
        with pytest.raises(TroubadourError, match="at least 3"):
            studio.analysis.map()
        for words in (
            ("draw", "roll", piece),
            ("originality", piece),
            ("search", piece),
            ("export-piece", piece),
        ):
            done = CliRunner().invoke(app, [*words, "--home", str(home)])
            assert isinstance(done.exception, TroubadourError), (words, done.exception, done.output)
