"""Pitch tracking and transcription of a monophonic signal."""

from __future__ import annotations

import numpy as np
import pytest
from tests.audio.conftest import tone
from tests.audio.singer import GOOD, RATE, USUAL, Singer, in_voice

from troubadour.audio.dsp.pitch import track_pitch
from troubadour.audio.dsp.sung_notes import SungNotes, in_tune, sung_notes
from troubadour.audio.sound import Sound
from troubadour.core.errors import InputError

TUNE = np.array([55, 57, 59, 60, 60, 59, 57, 55, 62, 62, 64, 60, 59, 55.0])
SECONDS = np.array([0.4, 0.4, 0.4, 0.8, 0.4, 0.3, 0.3, 0.8, 0.4, 0.4, 0.6, 0.4, 0.4, 0.8])


def heard(samples: np.ndarray) -> SungNotes:
    return sung_notes(Sound(samples.reshape(len(samples), -1), RATE))


@pytest.mark.parametrize("hertz", [65.4, 110.0, 220.0, 440.0, 987.8, 2093.0, 3520.0])
def test_a_tone_is_followed_within_three_cents_from_a_bass_to_a_whistle(hertz: float) -> None:
    found = track_pitch(tone(hertz, 1.0, RATE)[:, 0])
    inside = found.pitch[10:-10]
    assert np.isfinite(inside).all()
    assert np.abs(inside - (69 + 12 * np.log2(hertz / 440))).max() < 0.03


def test_the_fundamental_is_found_where_it_is_weaker_than_its_overtones() -> None:
    time = np.arange(RATE) / RATE
    parts = [(1, 0.05), (2, 0.4), (3, 0.4), (4, 0.2)]
    found = track_pitch(sum(a * np.sin(2 * np.pi * 150 * k * time) for k, a in parts).astype(np.float32))
    assert np.nanmedian(found.pitch) == pytest.approx(69 + 12 * np.log2(150 / 440), abs=0.05)


def test_noise_and_silence_have_no_pitch() -> None:
    rng = np.random.default_rng(0)
    noise = track_pitch((0.1 * rng.normal(size=RATE)).astype(np.float32))
    assert np.isfinite(noise.pitch).mean() < 0.05
    assert not np.isfinite(track_pitch(np.zeros(RATE, dtype=np.float32)).pitch).any()
    with pytest.raises(InputError, match="silent"):
        heard(np.zeros(RATE, dtype=np.float32))


@pytest.mark.parametrize(("voice", "octaves"), [("hum", 0), ("la", 0), ("oo", 1), ("whistle", 2)])
@pytest.mark.parametrize("singer", [Singer(), GOOD], ids=["exact", "good"])
def test_every_note_is_heard_in_every_voice(singer: Singer, voice: str, octaves: int) -> None:
    found = heard(in_voice(singer, voice).sing(TUNE + 12 * octaves, SECONDS, np.random.default_rng(3)))
    assert np.rint(in_tune(found, 0.1) - 12 * octaves).tolist() == TUNE.tolist()
    if singer == Singer():
        assert np.abs(np.diff(found.onset) - SECONDS[:-1]).max() < 0.05


def test_vibrato_and_glides_make_no_notes_of_their_own() -> None:
    singer = Singer(vibrato_cents=60, glide_seconds=0.04, scoop_cents=200)
    found = heard(singer.sing(np.array([60.0, 67, 60, 64]), np.full(4, 0.8), np.random.default_rng(0)))
    assert np.rint(found.pitch).tolist() == [60, 67, 60, 64]


def test_a_note_struck_again_on_one_pitch_is_two() -> None:
    found = heard(Singer(gap=0.15).sing(np.full(5, 60.0), np.full(5, 0.4), np.random.default_rng(0)))
    assert len(found) == 5
    joined = heard(Singer(gap=0.0).sing(np.array([60.0, 62]), np.full(2, 0.6), np.random.default_rng(0)))
    assert len(joined) == 2


def test_a_singer_whose_tuning_drifts_by_a_semitone_keeps_the_tune() -> None:
    drift = np.linspace(0, 1.2, len(TUNE))
    found = heard(Singer(off_cents=37).sing(TUNE + drift, SECONDS, np.random.default_rng(0)))
    followed = np.rint(in_tune(found, 0.5))
    assert np.diff(followed).tolist() == np.diff(TUNE).tolist()
    held = np.rint(in_tune(found, 0.0))
    assert np.diff(held).tolist() != np.diff(TUNE).tolist(), "which is what following is for"


def test_the_tuning_is_told_in_cents() -> None:
    found = heard(Singer(off_cents=-30).sing(TUNE, SECONDS, np.random.default_rng(0)))
    assert found.tuning_cents == pytest.approx(-30, abs=5)


def test_most_notes_survive_a_noisy_room() -> None:
    found = heard(USUAL.sing(TUNE, SECONDS, np.random.default_rng(5)))
    assert abs(len(found) - len(TUNE)) <= 2
