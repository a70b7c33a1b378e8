"""Search with a hummed, whistled or played tune, through every interface."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from tests.audio.singer import GOOD, RATE, USUAL, Singer, in_voice
from typer.testing import CliRunner

from troubadour.app.audio_library.humming import HummedQuery
from troubadour.app.studio import Studio
from troubadour.audio.dsp.sung_notes import sung_notes
from troubadour.audio.sound import Sound
from troubadour.cli import app
from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.render import MidiRenderer, play, write_wav
from troubadour.server.app import create_app
from troubadour.similarity.melody_search.lines import Skyline, query_skyline

pytestmark = pytest.mark.slow

RIGHTS = {"source", "licence", "generated"}


def opening(studio: Studio, piece: str, notes: int = 24) -> Skyline:
    return query_skyline(studio.store.score(piece))[:notes]


def sing(singer: Singer, line: Skyline, semitones: float, seed: int = 0) -> NDArray[np.float32]:
    seconds = np.diff(line.onset, append=line.onset[-1] + 1)
    seconds = seconds * 0.35 / float(np.median(seconds))
    return singer.sing(line.pitch + semitones, np.minimum(seconds, 2.0), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def piece(small_home: Path) -> str:
    with Studio(small_home) as studio:
        return next(p.id for p in studio.store.pieces() if p.attributes["notes"] > 60)


@pytest.fixture(scope="module")
def hum(small_home: Path, piece: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Average singer's hum of the piece's opening, an octave down, off the semitone grid."""
    path = tmp_path_factory.mktemp("hum") / "hum.wav"
    with Studio(small_home) as studio:
        soundfile.write(path, sing(USUAL, opening(studio, piece), -12.4), RATE)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg", "flac"])
def test_a_hum_finds_its_tune_in_any_format(small_home: Path, piece: str, hum: Path, suffix: str) -> None:
    samples, rate = soundfile.read(hum)
    path = hum.with_name(f"again.{suffix}")
    soundfile.write(path, samples, rate)
    with Studio(small_home) as studio:
        heard, hits = studio.search_recording(path, 3)
    assert hits[0].piece.id == piece
    assert hits[0].match.notes >= 16
    assert 20 <= len(heard.notes) <= 28
    assert hits[0].match.score > hits[1].match.score


@pytest.mark.slow
@pytest.mark.parametrize(
    ("singer", "voice", "semitones"),
    [
        (Singer(), "hum", -24),
        (GOOD, "whistle", 19.5),
        (replace(GOOD, drift_cents=10), "la", -7.3),
        (replace(USUAL, noise_db=-18), "oo", -2.0),
        (replace(GOOD, vibrato_cents=60, scoop_cents=200), "la", -12),
        (replace(USUAL, timing=0.15), "hum", -9.6),
    ],
    ids=["two octaves down", "whistled", "drifting", "in noise", "vibrato and scoops", "uneven"],
)
def test_singers_of_every_kind_find_most_of_their_tunes(
    small_home: Path, singer: Singer, voice: str, semitones: float
) -> None:
    with Studio(small_home) as studio:
        long = [p.id for p in studio.store.pieces(generated=False) if p.attributes["notes"] > 60]
        hits = 0
        for seed, one in enumerate(long[5:35:10]):
            samples = sing(in_voice(singer, voice), opening(studio, one, 32), semitones, seed)
            notes = sung_notes(Sound(samples[:, None], RATE))
            hits += studio.search(HummedQuery(notes, 10.0, ()).queries(), 1)[0].piece.id == one
    assert hits >= 2


@pytest.mark.slow
def test_a_tune_played_on_an_instrument_is_found(small_home: Path, piece: str, tmp_path: Path) -> None:
    with Studio(small_home) as studio:
        score = studio.store.score(piece)
        start = score.where(score.onset < score.bar_starts()[8])
        write_wav(tmp_path / "played.wav", play(start, MidiRenderer()))
        heard, hits = studio.search_recording(tmp_path / "played.wav", 1)
    assert hits[0].piece.id == piece
    assert hits[0].match.semitones == 0
    assert abs(heard.notes.tuning_cents) < 10


def test_the_command_says_what_it_heard_and_what_it_found(small_home: Path, piece: str, hum: Path) -> None:
    done = CliRunner().invoke(app, ["search", str(hum), "--home", str(small_home), "--json"])
    found = json.loads(done.stdout)
    assert found["items"][0]["id"] == piece
    assert set(found["items"][0]) >= RIGHTS | {"score", "their_bars", "semitones"}
    first = found["query"]["notes"][0]
    assert set(first) == {"name", "pitch", "onset_seconds", "seconds"}
    result = CliRunner().invoke(app, ["search", str(hum), "--home", str(small_home), "--n", "1"])
    assert result.stdout.startswith(f"Heard {len(found['query']['notes'])} notes")
    assert piece in result.stdout
    wrong = CliRunner().invoke(app, ["search", str(hum), "--track", "1", "--home", str(small_home)])
    assert isinstance(wrong.exception, InputError)


def test_the_server_takes_the_file_itself_and_typed_notes(small_home: Path, piece: str, hum: Path) -> None:
    with Studio(small_home) as studio, TestClient(create_app(studio)) as client:
        found = client.post("/api/search/recording?n=2", content=hum.read_bytes())
        assert found.status_code == 200
        assert found.json()["items"][0]["id"] == piece
        assert len(found.json()["items"]) == 2
        refused = client.post("/api/search/recording", content=b"\xff\xd8\xff\xe0JFIF" + bytes(100))
        assert refused.status_code == 422
        assert "not audio" in refused.json()["detail"]
        assert "/tmp" not in refused.json()["detail"]
        assert client.post("/api/search/recording", content=b"").status_code == 422
        assert client.post("/api/search/recording", content=bytes(20_000_001)).status_code == 413
        typed = client.get("/api/search", params={"notes": "G A B c d e f g", "n": 3})
        assert typed.status_code == 200
        assert len(typed.json()["items"]) == 3
        assert client.get("/api/search", params={"notes": "G A"}).status_code == 422


def test_too_little_to_search_with_is_said(small_home: Path, tmp_path: Path) -> None:
    with Studio(small_home) as studio:
        soundfile.write(tmp_path / "a.wav", 0.3 * np.random.default_rng(0).normal(size=2 * RATE), RATE)
        with pytest.raises(InputError, match="0 notes heard"):
            studio.search_recording(tmp_path / "a.wav")
        soundfile.write(tmp_path / "b.wav", np.zeros(2 * RATE), RATE)
        with pytest.raises(UnreadableFileError, match="silent"):
            studio.search_recording(tmp_path / "b.wav")
