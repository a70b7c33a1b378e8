"""From MIDI to sound.

midirenderer holds the interpreter's lock for as long as it works and can hang on damaged input,
so it runs in a process of its own, with a time limit.
"""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import InputError, TroubadourError
from troubadour.music.midi import read_midi, write_midi
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

SAMPLE_RATE: Final = 48_000
MAX_SECONDS: Final = 900.0
"""Longest piece that is rendered."""
_PEAK: Final = 10 ** (-1 / 20)
_TAIL_SECONDS: Final = 1.5
_WORKER: Final = "import sys,midirenderer as m;d=sys.stdin.buffer.read();n=int(sys.argv[1]);"
_PROGRAM: Final = _WORKER + "sys.stdout.buffer.write(m.render_wave_from(d[:n],d[n:]))"

Audio = NDArray[np.float32]


class Renderer(Protocol):
    """Anything that plays a MIDI file."""

    def render(self, midi: bytes) -> Audio:
        """Stereo sound at `SAMPLE_RATE`, shape (n, 2), within -1 to 1."""
        ...


class MidiRenderer:
    """midirenderer with the shipped soundfont (Sonivox, Apache-2.0) or another `.sf2`.

    Args:
        soundfont: path of an `.sf2` file; without it the shipped one.
        timeout_seconds: after which a rendering is given up.
    """

    def __init__(self, soundfont: Path | None = None, timeout_seconds: float = 60.0) -> None:
        self.soundfont, self.timeout_seconds = soundfont, timeout_seconds

    def render(self, midi: bytes) -> Audio:
        """Play a MIDI file; about 50 times faster than real time.

        Raises:
            TroubadourError: the renderer failed or took too long.
        """
        import soundfile

        font = self._soundfont()
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", _PROGRAM, str(len(font))],
                input=font + midi,
                capture_output=True,
                timeout=self.timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TroubadourError(f"rendering took over {self.timeout_seconds:g} s and was stopped") from error
        if done.returncode or not done.stdout:
            cause = done.stderr.decode(errors="replace").strip().splitlines()
            raise TroubadourError(f"rendering failed: {cause[-1] if cause else done.returncode}")
        audio, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
        if rate != SAMPLE_RATE:
            raise TroubadourError(f"renderer gave {rate} Hz; expected {SAMPLE_RATE}")
        return cast(Audio, audio)

    def _soundfont(self) -> bytes:
        if self.soundfont is not None:
            try:
                return self.soundfont.read_bytes()
            except OSError as error:
                raise InputError(f"soundfont {self.soundfont}: {error.strerror}") from error
        with as_file(files("troubadour") / "data" / "soundfonts" / "sonivox.sf2") as path:
            return path.read_bytes()


def play(score: Score, renderer: Renderer) -> Audio:
    """The sound of a quantised score: normalised to -1 dBFS, trailing silence cut, shape (n, 2).

    Raises:
        InputError: the piece is longer than `MAX_SECONDS`.
    """
    if score.seconds > MAX_SECONDS:
        raise InputError(f"piece lasts {score.seconds:.0f} s; allowed: {MAX_SECONDS:.0f}")
    audio = renderer.render(write_midi(score))
    audio = audio[: int((score.seconds + _TAIL_SECONDS) * SAMPLE_RATE)]
    loud = np.flatnonzero(np.abs(audio).max(axis=1) > 1e-3)
    if not len(loud):
        raise TroubadourError("rendering gave silence")
    audio = audio[: loud[-1] + SAMPLE_RATE // 10]
    return (audio * (_PEAK / np.abs(audio).max())).astype(np.float32)


def write_wav(path: Path, audio: Audio) -> None:
    """Write 16-bit stereo at `SAMPLE_RATE`."""
    import soundfile

    soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")


def wav_bytes(audio: Audio) -> bytes:
    """The same as bytes."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, audio, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return out.getvalue()


def play_file(midi: bytes, renderer: Renderer) -> Audio:
    """The sound of any MIDI file, read and checked first: nothing unchecked reaches the renderer."""
    return play(quantise(read_midi(midi, "midi").score), renderer)
