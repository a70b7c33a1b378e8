"""Decoding by ffmpeg of formats that libsndfile does not support, with restricted access.

ffmpeg can read playlists, open network addresses and follow references. Therefore the demuxer is named
explicitly, and only local files are allowed.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import UnreadableFileError

_TIMEOUT_SECONDS: Final = 60.0
_DURATION: Final = re.compile(rb"Duration: (\d+):(\d+):(\d+\.\d+)")
_HEADER_BYTES: Final = 24
_FLOAT: Final = 6

Check = Callable[[Path, float, int, int], None]
"""Callback (path, seconds, channels, rate) that raises if a limit is exceeded."""


def demuxer(start: bytes) -> str | None:
    """Name of ffmpeg's demuxer for a file's first bytes; None for formats that ffmpeg is not used for."""
    if start[4:8] == b"ftyp":
        return "mov"
    for mark, name in (
        (b"\x30\x26\xb2\x75", "asf"),
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"wvpk", "wv"),
        (b"MAC ", "ape"),
        (b"TTA1", "tta"),
    ):
        if start.startswith(mark):
            return name
    # ADTS (AAC without a container): sync word, layer 0. MPEG audio has another layer.
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def decode(
    path: Path, container: str, seconds: float, check: Check
) -> tuple[NDArray[np.float32], int, float, float]:
    """Decode the middle part of a file.

    Args:
        path: a local file.
        container: demuxer from `demuxer`.
        seconds: longest part to decode.
        check: callback for the limits.

    Returns:
        Samples of shape (n, channels), float32; sample rate; duration of the whole file in seconds; start of
        the part in seconds.

    Raises:
        UnreadableFileError: ffmpeg is not installed, or it cannot read the file.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UnreadableFileError(
            str(path), f"a {container} file, which needs ffmpeg; install ffmpeg, or convert it to FLAC or WAV"
        )
    whole = _length(program, path, container)
    check(path, whole, 1, 48_000)
    begin = max(0.0, (whole - seconds) / 2)
    output = _run(program, path, container, ["-ss", f"{begin:.3f}", "-t", f"{seconds:.3f}"], _to_au())
    if len(output) < _HEADER_BYTES or output[:4] != b".snd":
        raise UnreadableFileError(str(path), f"no sound in this {container} file")
    offset, _, encoding, rate, channels = struct.unpack(">5I", output[4:_HEADER_BYTES])
    if encoding != _FLOAT:
        raise UnreadableFileError(str(path), f"ffmpeg gave samples of kind {encoding}; expected {_FLOAT}")
    check(path, whole, channels, rate)
    samples = np.frombuffer(output, dtype=">f4", offset=offset, count=(len(output) - offset) // 4)
    samples = samples[: len(samples) // channels * channels].reshape(-1, channels).astype(np.float32)
    return samples, rate, max(whole, len(samples) / rate), begin


def _to_au() -> list[str]:
    # AU has a 24-byte header with rate and channels, and allows an unknown length, as a pipe requires.
    return ["-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]


def _length(program: str, path: Path, container: str) -> float:
    command = [*_open(program, "info"), "-f", container, "-i", f"file:{path}"]
    done = subprocess.run(
        command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    found = _DURATION.search(done.stderr)
    if found is None:
        return 0.0
    hours, minutes, seconds = (float(part) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _run(program: str, path: Path, container: str, before: list[str], after: list[str]) -> bytes:
    command = [*_open(program, "error"), "-f", container, *before, "-i", f"file:{path}", *after]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFileError(
            str(path), f"ffmpeg took over {_TIMEOUT_SECONDS:.0f} s and was stopped"
        ) from error
    if done.returncode and not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        cause = lines[-1].removeprefix(f"file:{path}: ") if lines else f"exit {done.returncode}"
        raise UnreadableFileError(str(path), f"a {container} file that ffmpeg cannot read: {cause}")
    return done.stdout


def _open(program: str, level: str) -> list[str]:
    return [program, "-nostdin", "-hide_banner", "-v", level, "-protocol_whitelist", "file,pipe"]
