"""Decoding of recordings with limits on length, channels and rate; samples are always finite.

libsndfile reads WAV, FLAC, OGG, Opus, MP3, AIFF and others; ffmpeg, if installed, reads M4A, WMA and
others (`ffmpeg.py`). The format is detected from a file's first bytes, not from its name. Native decoders
can hang or crash on hostile files: the import calls this module in a separate process
(`troubadour.app.audio_library.pool`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio import ffmpeg
from troubadour.audio.sound import Sound
from troubadour.core.errors import InputError, UnreadableFileError

SUFFIXES: Final = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64", ".m4a", ".mp4",
    ".aac", ".wma", ".wv", ".ape", ".mka", ".webm",
)  # fmt: skip
MAX_SECONDS: Final = 36_000.0
"""Longest file that is accepted: ten hours."""
EXCERPT_SECONDS: Final = 180.0
"""Longer recordings are reduced to an excerpt of this length from the middle."""
MAX_CHANNELS: Final = 8
RATES: Final = (4_000, 384_000)
_BLOCK: Final = 65_536
_CLIPPED_RUN: Final = 3
_CLIPPED: Final = 0.999
_PICTURES: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"BM",
    b"%PDF",
    b"PK\x03\x04",
    b"<?xml",
    b"<svg",
    b"<html",
)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples of a file or of an excerpt, with facts about the whole file."""

    sound: Sound
    start_seconds: float
    """Start of the excerpt in seconds."""
    seconds: float
    """Duration of the whole file."""
    encoding: str
    """Container and sample format: `WAV PCM_16`, `OGG VORBIS`, `ffmpeg mov`."""
    warnings: tuple[str, ...]
    """Defects found, one short sentence each."""


def looks_like_audio(start: bytes) -> bool:
    """Whether a file's first bytes are those of an audio file."""
    known = (b"RIFF", b"RF64", b"riff", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff")
    frame = (
        len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and not start.startswith(b"\xff\xd8")
    )
    return start.startswith(known) or frame or ffmpeg.demuxer(start) is not None


def read_recording(path: Path, seconds: float = EXCERPT_SECONDS) -> Recording:
    """Read a recording, or the middle part of a longer one.

    Time and memory depend on `seconds`, not on the file's length: 0.2 s for three minutes of MP3.

    Args:
        path: a local file.
        seconds: longest part to read, above 0 to 600.

    Raises:
        InputError: there is no such file, or `seconds` is out of range.
        UnreadableFileError: the file is not audio, is damaged, or exceeds a limit; the message states which.
    """
    if not 0 < seconds <= 600:
        raise InputError(f"seconds is {seconds}; allowed: above 0 to 600")
    if not path.is_file():
        raise InputError(f"no file '{path}'")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error
    if not start:
        raise UnreadableFileError(str(path), "empty file")
    if start.startswith(_PICTURES):
        raise UnreadableFileError(
            str(path), f"not audio, although its name ends in {path.suffix or 'nothing'}"
        )
    demuxer = ffmpeg.demuxer(start)
    if demuxer is not None:
        samples, rate, whole, begin = ffmpeg.decode(path, demuxer, seconds, _check)
        return _recording(path, samples, rate, whole, begin, f"ffmpeg {demuxer}", [])
    return _by_soundfile(path, seconds)


def _by_soundfile(path: Path, seconds: float) -> Recording:
    import soundfile

    warnings: list[str] = []
    try:
        with soundfile.SoundFile(path) as file:
            whole = file.frames / file.samplerate if file.samplerate else 0.0
            _check(path, whole, file.channels, file.samplerate)
            wanted = round(seconds * file.samplerate)
            begin = max(0, (file.frames - wanted) // 2)
            if begin and not _moved(file, begin):
                begin = 0
                warnings.append("seeking failed; measured from the start instead of the middle")
            samples = _read(file, wanted)
            if begin and not len(samples):
                begin = 0
                file.seek(0)
                samples = _read(file, wanted)
            expected = min(wanted, file.frames - begin)
            if len(samples) < expected - file.samplerate // 10:
                warnings.append(
                    f"truncated: {whole:.1f} s announced, {(begin + len(samples)) / file.samplerate:.1f} s found"
                )
                whole = (begin + len(samples)) / file.samplerate
            encoding = f"{file.format} {file.subtype}"
            rate = int(file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        raise UnreadableFileError(
            str(path), f"not readable as audio: {_cause(error)}; convert it to FLAC or WAV"
        ) from error
    return _recording(path, samples, rate, whole, begin / rate, encoding, warnings)


def _moved(file: Any, frame: int) -> bool:
    import soundfile

    try:
        return bool(file.seekable() and file.seek(frame) == frame)
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _read(file: Any, frames: int) -> NDArray[np.float32]:
    """Samples of at most `frames` frames, read block by block: a wrong header costs no memory."""
    import soundfile

    blocks: list[NDArray[np.float32]] = []
    left = frames
    while left > 0:
        try:
            block = file.read(min(left, _BLOCK), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError):
            break  # damaged from here on: the samples read so far are used, and the caller reports the rest
        if not len(block):
            break
        blocks.append(block)
        left -= len(block)
    return np.concatenate(blocks) if blocks else np.zeros((0, file.channels), dtype=np.float32)


def _check(path: Path, seconds: float, channels: int, rate: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise UnreadableFileError(str(path), f"{rate} Hz sample rate; allowed: {RATES[0]} to {RATES[1]}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnreadableFileError(str(path), f"{channels} channels; allowed: 1 to {MAX_CHANNELS} (7.1)")
    if not seconds <= MAX_SECONDS:
        raise UnreadableFileError(
            str(path), f"lasts {seconds / 3600:.1f} hours; allowed: {MAX_SECONDS / 3600:.0f}"
        )


def _recording(
    path: Path,
    samples: NDArray[np.float32],
    rate: int,
    seconds: float,
    begin: float,
    encoding: str,
    warnings: list[str],
) -> Recording:
    if not len(samples):
        raise UnreadableFileError(str(path), "no sound in it")
    bad = ~np.isfinite(samples)
    if bad.any():
        raise UnreadableFileError(str(path), f"{bad.mean():.1%} of its samples are NaN or infinite")
    clipped = clipping(samples)
    if clipped:
        warnings.append(f"clipped: {clipped:.2%} of its samples stand at full scale")
    if seconds > len(samples) / rate + 0.1:
        warnings.append(
            f"measured from {begin:.0f} s to {begin + len(samples) / rate:.0f} s of {seconds:.0f} s"
        )
    return Recording(Sound(samples, rate), begin, seconds, encoding, tuple(warnings))


def clipping(samples: NDArray[np.float32]) -> float:
    """Share of samples, shape (n, channels), in runs of three or more at full scale, 0 to 1."""
    full = np.abs(samples) >= _CLIPPED
    if not full.any():
        return 0.0
    run = full[2:] & full[1:-1] & full[:-2]
    inside = np.zeros_like(full)
    for shift in range(_CLIPPED_RUN):
        inside[shift : len(full) - 2 + shift] |= run
    return float(inside.mean())


def _cause(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error)
    if "not a regular file" in text:  # libsndfile's message if its MPEG decoder finds no frame
        text = "no known format"
    return text.rstrip(".").replace("Format not recognised", "no known format")


__all__ = [
    "EXCERPT_SECONDS",
    "MAX_SECONDS",
    "SUFFIXES",
    "Recording",
    "clipping",
    "looks_like_audio",
    "read_recording",
]
