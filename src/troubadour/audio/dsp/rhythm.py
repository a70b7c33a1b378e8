"""Onset strength, tempogram, tempo and onsets of a recording, as librosa 0.11 defines them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.dsp.spectrum import FRAME, HOP, Floats, decibels
from troubadour.audio.sound import RATE

_WINDOW_SECONDS: Final = 8.0
_PREFERRED_BPM: Final = 120.0
_SPREAD_OCTAVES: Final = 1.0
_MOST_BPM: Final = 320.0
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class TempoFinding:
    """Tempo of a recording."""

    bpm: float
    """Beats per minute; 0 without periodicity."""
    strength: float
    """Autocorrelation of the onsets at the beat period, 0 to 1."""
    others: tuple[tuple[float, float], ...]
    """Further (bpm, strength) candidates, best first: mostly half and double tempi."""


def onset_strength(mel: Floats) -> Floats:
    """Onset strength envelope, shape (n_frames,): mean increase of the mel bands in decibels.

    Spectral flux (Böck & Widmer, 2013, without its maximum filter), shifted to compensate the lag.

    Args:
        mel: mel spectrum, shape (n_frames, n_bands).
    """
    rise = np.maximum(np.diff(decibels(mel), axis=0), 0).mean(axis=1)
    pad = 1 + FRAME // (2 * HOP)
    return np.asarray(np.pad(rise, (pad, 0))[: len(mel)], dtype=np.float32)


def tempogram(onsets: Floats, rate: int = RATE) -> Floats:
    """Mean autocorrelation of the onset strength in windows of eight seconds, by lag in frames, shape (n_lags,)."""
    import scipy.fft

    lags = int(_WINDOW_SECONDS * rate / HOP)
    padded = np.pad(onsets, lags // 2, mode="linear_ramp")
    frames = np.lib.stride_tricks.sliding_window_view(padded, lags)[: len(onsets)]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(lags) / lags)
    size = scipy.fft.next_fast_len(2 * lags - 1, real=True)
    total = np.zeros(lags)
    for start in range(0, len(frames), _BLOCK):
        spectra = scipy.fft.rfft(frames[start : start + _BLOCK] * window, size, axis=1)
        power = np.square(spectra.real) + np.square(spectra.imag)
        correlated = scipy.fft.irfft(power, size, axis=1)[:, :lags]
        largest = np.abs(correlated).max(axis=1, keepdims=True)
        total += (correlated / np.where(largest < np.finfo(np.float32).tiny, 1, largest)).sum(axis=0)
    return np.asarray(total / max(len(frames), 1), dtype=np.float32)


def find_tempo(onsets: Floats, rate: int = RATE) -> TempoFinding:
    """Tempo with the largest autocorrelation, weighted by a prior around 120 beats per minute.

    The prior is log-normal with a standard deviation of one octave (Ellis, 2007). Lags are whole frames:
    the resolution is about 2% at 120 beats per minute and 5% at 300.

    Args:
        onsets: onset strength, shape (n_frames,).
        rate: sample rate in Hz.
    """
    strength = tempogram(onsets, rate)
    if not strength.any():
        return TempoFinding(0.0, 0.0, ())
    bpm = np.full(len(strength), np.inf)
    bpm[1:] = 60.0 * rate / (HOP * np.arange(1, len(strength)))
    usable = bpm < _MOST_BPM
    prior = (
        -0.5
        * ((np.log2(bpm, where=usable, out=np.zeros_like(bpm)) - np.log2(_PREFERRED_BPM)) / _SPREAD_OCTAVES)
        ** 2
    )
    score = np.where(usable, np.log1p(1e6 * np.maximum(strength, -9e-7)) + prior, -np.inf)
    best = int(np.argmax(score))
    inner = np.arange(1, len(strength) - 1)
    peaks = inner[
        (strength[inner] > strength[inner - 1]) & (strength[inner] >= strength[inner + 1]) & usable[inner]
    ]
    order = peaks[np.argsort(-score[peaks], kind="stable")]
    others = tuple(
        (round(float(bpm[i]), 1), round(float(strength[i]), 3)) for i in order.tolist() if abs(i - best) > 1
    )[:3]
    return TempoFinding(float(bpm[best]), float(strength[best]), others)


def onset_frames(onsets: Floats, rate: int = RATE) -> NDArray[np.int64]:
    """Onset frames: local maxima well above their surroundings, ascending, shape (n_onsets,)."""
    if not onsets.any():
        return np.zeros(0, dtype=np.int64)
    level = onsets / onsets.max()
    near, wait = max(1, round(0.03 * rate / HOP)), max(1, round(0.1 * rate / HOP))
    padded = np.pad(level, wait, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * wait + 1)
    centre = around[:, wait - near : wait + near + 1]
    peaks = np.flatnonzero((level >= centre.max(axis=1)) & (level >= around.mean(axis=1) + 0.07))
    kept: list[int] = []
    for peak in peaks.tolist():
        if not kept or peak - kept[-1] > near:
            kept.append(peak)
    return np.asarray(kept, dtype=np.int64)
