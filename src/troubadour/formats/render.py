"""From MIDI to sound.

midirenderer holds the interpreter's lock for as long as it works and can hang on damaged input,
so it runs in a process of its own, with limits on time, memory and length.
"""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, TroubadourError, UnreadableFileError
from troubadour.formats import render_worker
from troubadour.formats.midi import write_midi
from troubadour.music.score import Score

SAMPLE_RATE: Final = 48_000
"""Frames a second of all sound here."""
MAX_SECONDS: Final = 900.0
"""Longest piece that is rendered."""
PEAK: Final = 10 ** (-1 / 20)
"""No sample is louder: -1 dBFS, so that lossy encoders do not clip."""
LOUDNESS: Final = 10 ** (-16 / 20)
"""RMS of the sounding parts where the peak allows it: -16 dBFS, so that pieces follow one another evenly.
At equal peaks a flute is 12 dB louder than a banjo."""
_TAIL_SECONDS: Final = 3.0
_SILENCE: Final = 10 ** (-60 / 20)
_FADE: Final = SAMPLE_RATE // 20
_LOWEST_HERTZ: Final = 15.0
_MEMORY_BYTES: Final = 3 << 30

Audio = NDArray[np.float32]


class Renderer(Protocol):
    """Anything that plays a MIDI file."""

    def render(self, midi: bytes) -> Audio:
        """Stereo sound at `SAMPLE_RATE`, shape (n, 2), within -1 to 1, until the last note has died away.

        Raises:
            UnreadableFileError: the bytes are not MIDI, or damaged.
            InputError: it lasts longer than `MAX_SECONDS`.
            TroubadourError: the synthesiser failed or took too long.
        """
        ...


class MidiRenderer:
    """midirenderer with the shipped soundfont (Sonivox, Apache-2.0) or another `.sf2`.

    About 50 times faster than real time, and 0.1 s to start. The synthesiser itself clips beyond
    some thirty loud notes at once.

    Args:
        soundfont: path of an `.sf2` file; without it the shipped one.
        timeout_seconds: after which a rendering is given up.
    """

    def __init__(self, soundfont: Path | None = None, timeout_seconds: float = 60.0) -> None:
        self.soundfont, self.timeout_seconds = soundfont, timeout_seconds

    def render(self, midi: bytes) -> Audio:
        """As `Renderer.render`; also InputError where the soundfont cannot be read."""
        import soundfile

        font, checked = self._soundfont(), _rewritten(midi)
        command = [sys.executable, "-I", render_worker.__file__, str(len(font)), str(_MEMORY_BYTES)]
        try:
            done = subprocess.run(
                command, input=font + checked, capture_output=True, timeout=self.timeout_seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            limit = f"{self.timeout_seconds:g} s"
            raise TroubadourError(f"rendering took over {limit} and was stopped") from error
        if done.returncode:
            cause = done.stderr.decode(errors="replace").strip().splitlines()
            raise TroubadourError(f"rendering failed: {cause[-1] if cause else f'exit {done.returncode}'}")
        audio, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
        if rate != SAMPLE_RATE:
            raise TroubadourError(f"the renderer gave {rate} Hz; expected {SAMPLE_RATE}")
        return cast(Audio, audio)

    def _soundfont(self) -> bytes:
        if self.soundfont is None:
            return (files("troubadour") / "data" / "soundfonts" / "sonivox.sf2").read_bytes()
        try:
            return self.soundfont.read_bytes()
        except OSError as error:
            raise InputError(f"soundfont {self.soundfont}: {error.strerror}") from error


def _rewritten(midi: bytes) -> bytes:
    """The same music, parsed and written anew, with time for the last note to die away.

    The synthesiser hangs on some damaged files and stops dead at the last event: neither reaches it.
    """
    import symusic

    try:
        # Any: symusic picks its classes at run time, so its annotations lack their methods.
        found: Any = symusic.Score.from_midi(midi, sanitize_data=True)
        seconds = float(found.to("Second").end())
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise UnreadableFileError("midi", f"damaged: {error}") from error
    if not found.note_num():
        raise InputError("no notes to render")
    if not seconds <= MAX_SECONDS:  # NaN does not pass either
        raise InputError(f"the piece lasts {seconds:.0f} s; allowed: {MAX_SECONDS:.0f}")
    quarters_a_second = (found.tempos[-1].qpm if found.tempos else 120.0) / 60
    end = int(found.end() + _TAIL_SECONDS * quarters_a_second * found.ticks_per_quarter)
    found.tracks[0].controls.append(symusic.ControlChange(end, 64, 0))
    return bytes(found.dumps_midi())


def level(audio: Audio) -> Audio:
    """Sound at an even loudness without its trailing silence, shape (n, 2).

    Never above `PEAK`; at `LOUDNESS` where that allows it.

    Raises:
        TroubadourError: there is nothing to hear.
    """
    audio = _without_offset(audio)
    loudest = np.maximum(*np.abs(audio).T)  # of left and right; 40 times as fast as max(axis=1)
    peak = float(loudest.max(initial=0.0))
    if not peak > 0:
        raise TroubadourError("rendering gave silence")
    audio = audio[: int(np.flatnonzero(loudest > peak * _SILENCE)[-1]) + _FADE].copy()
    fade = min(_FADE, len(audio))
    audio[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    block = 2 * SAMPLE_RATE // 5  # .4 s, as broadcast meters use
    powers = np.array([np.square(audio[i : i + block]).mean() for i in range(0, len(audio), block)])
    sounding = powers[powers > powers.max() / 1000]  # rests, below -30 dB, do not count
    gain = min(LOUDNESS / float(np.sqrt(sounding.mean())), PEAK / peak)
    return cast(Audio, audio * np.float32(gain))


def _without_offset(audio: Audio) -> Audio:
    """A high-pass of one pole below hearing: some samples of the soundfont (the piano) stand off zero,
    which costs headroom and thumps where a note starts and ends."""
    from scipy.signal import lfilter

    pole = 1 - 2 * np.pi * _LOWEST_HERTZ / SAMPLE_RATE
    # float32 coefficients keep the filter in float32: three times as fast, and off by 1e-6 at most.
    coefficients = np.array([[1.0, -1.0], [1.0, -pole]], dtype=np.float32)
    return cast(Audio, lfilter(coefficients[0], coefficients[1], audio, axis=0))


def play(score: Score, renderer: Renderer) -> Audio:
    """The sound of a quantised score, levelled, shape (n, 2).

    Raises:
        InputError: the score is not quantised, has no notes, or lasts longer than `MAX_SECONDS`.
        TroubadourError: the synthesiser failed.
    """
    return level(renderer.render(write_midi(score)))


def to_wav(midi: bytes, renderer: Renderer) -> bytes:
    """A WAV file of any MIDI file. Raises as `Renderer.render` and `level`."""
    return wav_bytes(level(renderer.render(midi)))


def write_wav(path: Path, audio: Audio) -> None:
    """Write 16-bit stereo at `SAMPLE_RATE`. Raises OSError as writing any file."""
    path.write_bytes(wav_bytes(audio))


def wav_bytes(audio: Audio) -> bytes:
    """A 16-bit stereo WAV file at `SAMPLE_RATE`.

    Not dithered: the synthesiser gives 16 bits at a low level, so what `level` amplifies is already
    noise of more than one step, and equal scores should give equal files.
    """
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, audio, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return out.getvalue()
