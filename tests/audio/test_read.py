"""Real-world audio files give a clear result or a clear error."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.audio.conftest import chord_song, tone

from troubadour.audio import ffmpeg
from troubadour.audio.describe import describe
from troubadour.audio.read import clipping, looks_like_audio, read_recording
from troubadour.audio.sound import Sound
from troubadour.core.errors import InputError, UnreadableFileError

FORMATS = [
    ("wav", "PCM_16"),
    ("wav", "PCM_U8"),
    ("flac", "PCM_24"),
    ("ogg", "VORBIS"),
    ("ogg", "OPUS"),
    ("mp3", None),
    ("aiff", "PCM_16"),
]


@pytest.mark.parametrize(("suffix", "subtype"), FORMATS)
def test_every_format_gives_the_same_sound(tmp_path: Path, suffix: str, subtype: str | None) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(440, 2.0, 48_000, 0.5, 2), 48_000, subtype=subtype)
    found = read_recording(path)
    assert found.seconds == pytest.approx(2.0, abs=0.06)
    assert found.sound.samples.shape[1] == 2
    assert found.warnings == ()
    mono = found.sound.mono()
    peak = np.abs(np.fft.rfft(mono[:22_050])).argmax()
    assert peak == pytest.approx(440, abs=1)
    assert np.abs(mono[5_000:-5_000]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 6, 8])
def test_any_rate_and_up_to_eight_channels(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(440, 1.0, rate, 0.5, channels), rate)
    found = describe(read_recording(path).sound)
    assert found.chroma.argmax() == 9
    assert np.isfinite(found.statistics).all()


def test_the_low_frequency_channel_is_not_mixed_in() -> None:
    samples = tone(440, 1.0, 22_050, 0.5, 6)
    samples[:, 3] = 1.0
    assert abs(float(Sound(samples, 22_050).mono().mean())) < 1e-3


def test_a_long_file_is_measured_from_its_middle(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    parts = [tone(h, 20.0, 8_000) for h in (220, 440, 880)]
    soundfile.write(path, np.concatenate(parts), 8_000)
    found = read_recording(path, seconds=5.0)
    assert found.start_seconds == pytest.approx(27.5)
    assert found.seconds == 60.0
    assert np.abs(np.fft.rfft(found.sound.samples[:8_000, 0])).argmax() == 440
    assert "measured from 28 s to 32 s of 60 s" in found.warnings[0]


def test_clipping_is_told(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.clip(4 * tone(440, 1.0), -1, 1), 44_100)
    assert any(w.startswith("clipped: ") for w in read_recording(path).warnings)
    assert clipping(tone(440, 1.0, level=0.99)) == 0.0


def mp3(seconds: float) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, tone(440, seconds, 44_100), 44_100, format="MP3")
    return out.getvalue()


def wav(samples: np.ndarray, rate: int = 44_100, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype=subtype)
    return out.getvalue()


def test_a_truncated_mp3_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    data = mp3(10.0)
    path.write_bytes(data[: len(data) // 2])
    found = read_recording(path)
    assert 3.0 < found.sound.seconds < 7.0
    assert found.sound.seconds == pytest.approx(found.seconds, abs=0.2)
    assert np.isfinite(describe(found.sound).statistics).all()


def lying_wav() -> bytes:
    data = bytearray(wav(tone(440, 1.0)))
    data[4:8] = data[40:44] = struct.pack("<I", 2**31 - 1)
    return bytes(data)


def test_a_wav_header_that_announces_too_much_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lie.wav"
    path.write_bytes(lying_wav())
    assert read_recording(path).sound.seconds == pytest.approx(1.0, abs=0.01)


BAD = {
    "empty.wav": (b"", "empty file"),
    "picture.wav": (
        b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(200),
        "not audio, although its name ends in .wav",
    ),
    "text.mp3": (b"#EXTM3U\nhttp://example.invalid/a.mp3\n", "not readable as audio"),
    "sdp.ogg": (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n", "no known format"),
    "header.wav": (wav(tone(440, 1.0))[:30], "not readable as audio"),
    "nothing.wav": (wav(np.zeros((0, 1), dtype=np.float32)), "no sound in it"),
    "nan.wav": (wav(np.full((44_100, 1), np.nan, dtype=np.float32), subtype="FLOAT"), "NaN"),
    "nine.wav": (wav(tone(440, 1.0, channels=9)), "9 channels; allowed: 1 to 8"),
    "slow.wav": (wav(tone(440, 1.0, 1_000), 1_000), "1000 Hz sample rate"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_is_no_recording_is_refused_with_its_cause(tmp_path: Path, name: str) -> None:
    data, cause = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableFileError, match=cause):
        read_recording(tmp_path / name)


def test_eleven_hours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "eleven.wav"
    with soundfile.SoundFile(path, "w", 4_000, 1, "PCM_U8") as file:
        for _ in range(11):
            file.write(np.zeros(3600 * 4_000, dtype=np.float32))
    with pytest.raises(UnreadableFileError, match=r"lasts 11\.0 hours; allowed: 10"):
        read_recording(path)


@pytest.mark.parametrize("n", [1, 100, 5_000])
def test_too_little_sound_is_refused(tmp_path: Path, n: int) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full((n, 1), 0.5, dtype=np.float32), 44_100)
    with pytest.raises(InputError, match=r"at least 0\.5 s"):
        describe(read_recording(path).sound)


def test_silence_is_refused_and_near_silence_is_not_nan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="silent"):
        describe(Sound(np.zeros((44_100, 1), dtype=np.float32), 44_100))
    hum = np.concatenate([np.zeros((44_100, 1), dtype=np.float32), tone(440, 0.1, level=0.001)])
    assert np.isfinite(describe(Sound(hum, 44_100)).statistics).all()


def test_a_constant_and_a_click_are_numbers() -> None:
    click = np.zeros((44_100, 1), dtype=np.float32)
    click[20_000] = 1.0
    for samples in (np.full((44_100, 1), 0.5, dtype=np.float32), click):
        found = describe(Sound(samples, 44_100))
        assert np.isfinite(found.statistics).all()
        assert np.isfinite(found.timbre_covariance).all()


def test_a_missing_file_and_a_bad_length_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_recording(tmp_path / "none.wav")
    with pytest.raises(InputError, match="600"):
        read_recording(tmp_path / "none.wav", seconds=0)


def test_first_bytes_decide() -> None:
    assert looks_like_audio(mp3(0.5)[:64])
    assert looks_like_audio(wav(tone())[:64])
    assert looks_like_audio(b"\0\0\0\x20ftypM4A ")
    assert not looks_like_audio(b"\xff\xd8\xff\xe0")
    assert not looks_like_audio(b"MThd")
    assert not looks_like_audio(b"X:1\nT:tune")


def test_without_ffmpeg_an_m4a_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(UnreadableFileError, match="install ffmpeg, or convert"):
        read_recording(tmp_path / "a.m4a")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="this machine has no ffmpeg")
def test_an_m4a_is_read_by_ffmpeg(tmp_path: Path) -> None:
    source, path = tmp_path / "a.wav", tmp_path / "a.m4a"
    soundfile.write(source, chord_song(6.0, 44_100), 44_100)
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, path], check=True)
    found = read_recording(path, seconds=2.0)
    assert found.encoding == "ffmpeg mov"
    assert found.seconds == pytest.approx(6.0, abs=0.1)
    assert found.sound.seconds == pytest.approx(2.0, abs=0.05)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnreadableFileError, match="mov"):
        read_recording(path)


def test_ffmpeg_is_never_asked_to_guess() -> None:
    assert ffmpeg.demuxer(b"#EXTM3U") is None
    assert ffmpeg.demuxer(b"ffconcat version 1.0") is None
    assert ffmpeg.demuxer(b"\xff\xfb\x90\x00") is None  # MP3
    assert ffmpeg.demuxer(b"\xff\xf1\x50\x80") == "aac"
