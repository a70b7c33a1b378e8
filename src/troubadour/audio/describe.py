"""Audio features of one recording, as stored in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.dsp import spectrum
from troubadour.audio.dsp.harmonic import centroid, chroma, estimate_tuning, spectral_contrast
from troubadour.audio.dsp.loudness import loudness
from troubadour.audio.dsp.rhythm import TempoFinding, find_tempo, onset_frames, onset_strength
from troubadour.audio.sound import RATE, Sound
from troubadour.core.errors import InputError

VERSION: Final = 1
"""Version of the features; stored features of another version are computed again."""
STATISTICS: Final[tuple[str, ...]] = (
    *(f"mfcc_{i}_mean" for i in range(spectrum.COEFFICIENTS)),
    *(f"mfcc_{i}_deviation" for i in range(spectrum.COEFFICIENTS)),
    *(f"mfcc_{i}_change" for i in range(spectrum.COEFFICIENTS)),
    *(f"contrast_{i}_mean" for i in range(7)),
    *(f"contrast_{i}_deviation" for i in range(7)),
    "brightness_octaves_mean", "brightness_octaves_deviation",
    "onset_mean", "onset_deviation", "onsets_a_second", "tempo_octaves",
)  # fmt: skip
"""Names of the entries of `SoundFeatures.statistics`, in order."""
_SOUNDING_DB: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class SoundFeatures:
    """Audio features of one recording. All except the loudness are independent of the recording level."""

    statistics: NDArray[np.float32]
    """Shape (len(STATISTICS),)."""
    timbre_mean: NDArray[np.float32]
    """Mean of the MFCCs over all sounding frames, shape (20,)."""
    timbre_covariance: NDArray[np.float32]
    """Full covariance of the MFCCs over all sounding frames, shape (20, 20)."""
    chroma: NDArray[np.float32]
    """Mean strength of the pitch classes from C on, shape (12,), sum 1."""
    tempo: TempoFinding
    tuning_cents: float
    """Tuning offset from A4 = 440 Hz in cents, -50 to 50."""
    loudness_lufs: float
    peak_dbfs: float
    brightness_hertz: float
    """Mean spectral centroid in Hz."""
    onsets_a_second: float
    frames: NDArray[np.float32]
    """MFCCs of all frames, shape (n_frames, 20): the input of the audio encoder. Not stored."""


def describe(sound: Sound) -> SoundFeatures:
    """Compute the audio features of a recording; about 0.25 s per minute of audio.

    Args:
        sound: the recording or an excerpt.

    Raises:
        InputError: the sound is silent or too short.
    """
    samples = sound.mono()
    power = spectrum.power_spectrum(samples)
    mel = spectrum.mel_spectrum(power)
    frames = spectrum.mfcc(mel)
    sounding = _sounding(power)
    active = frames[sounding]
    contrast, bright = spectral_contrast(power)[sounding], centroid(power)[sounding]
    onsets = onset_strength(mel)
    tempo = find_tempo(onsets)
    tuning = estimate_tuning(power)
    classes = chroma(power, tuning=tuning)[sounding].sum(axis=0, dtype=np.float64)
    a_second = len(onset_frames(onsets)) / (len(samples) / RATE)
    octaves = np.log2(np.maximum(bright, 20.0) / 1000.0)
    found = SoundFeatures(
        statistics=np.concatenate(
            [
                active.mean(axis=0), active.std(axis=0), np.abs(spectrum.deltas(frames))[sounding].mean(axis=0),
                contrast.mean(axis=0), contrast.std(axis=0), [octaves.mean(), octaves.std()],
                [onsets.mean(), onsets.std(), a_second, np.log2(max(tempo.bpm, 30.0) / 120.0)],
            ]
        ).astype(np.float32),
        timbre_mean=active.mean(axis=0, dtype=np.float64).astype(np.float32),
        timbre_covariance=np.cov(active.T.astype(np.float64)).astype(np.float32),
        chroma=(classes / max(float(classes.sum()), 1e-9)).astype(np.float32),
        tempo=tempo,
        tuning_cents=100 * tuning,
        loudness_lufs=loudness(sound),
        peak_dbfs=20 * float(np.log10(sound.peak)),
        brightness_hertz=float(bright.mean()),
        onsets_a_second=a_second,
        frames=frames,
    )  # fmt: skip
    if not (np.isfinite(found.statistics).all() and np.isfinite(found.timbre_covariance).all()):
        raise InputError("the sound cannot be measured: a feature is NaN or infinite")
    return found


def _sounding(power: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask of frames within 60 dB of the loudest, shape (n_frames,); all frames if fewer than 30 are."""
    level = power.sum(axis=1)
    sounding = np.asarray(level > level.max() * 10 ** (-_SOUNDING_DB / 10))
    return sounding if sounding.sum() >= 30 else np.ones(len(power), dtype=bool)
