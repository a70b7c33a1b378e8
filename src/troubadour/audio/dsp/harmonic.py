"""Chroma, tuning, spectral contrast and centroid, as librosa 0.11 defines them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.dsp.spectrum import Floats, decibels
from troubadour.audio.sound import RATE

CONTRAST_BANDS: Final = 6
_CONTRAST_LOWEST: Final = 200.0
_QUANTILE: Final = 0.02
_CENTRE_OCTAVE: Final = 5.0
_WIDTH_OCTAVES: Final = 2.0
_TUNING_HERTZ: Final = (150.0, 4000.0)
_TUNING_STEP: Final = 0.01


def chroma(power: Floats, rate: int = RATE, tuning: float | None = None) -> Floats:
    """Chromagram, shape (n_frames, 12), from C on; the maximum of each frame is 1.

    Args:
        power: power spectrum from `power_spectrum`, shape (n_frames, n_bins).
        rate: sample rate in Hz.
        tuning: offset from A4 = 440 Hz in semitones, -0.5 to 0.5. Default: estimated.
    """
    if tuning is None:
        tuning = estimate_tuning(power, rate)
    raw = power @ chroma_filters(rate, 2 * (power.shape[1] - 1), round(tuning, 4)).T
    largest = np.abs(raw).max(axis=1, keepdims=True)
    return np.asarray(raw / np.where(largest < np.finfo(np.float32).tiny, 1, largest), dtype=np.float32)


@lru_cache(maxsize=8)
def chroma_filters(rate: int, frame: int, tuning: float) -> Floats:
    """Weights of the spectral bins for each pitch class, shape (12, 1 + frame // 2)."""
    hertz = np.linspace(0, rate, frame, endpoint=False)[1:]
    semitones = 12 * np.log2(hertz / (440.0 * 2 ** (tuning / 12) / 16))
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # bin 0 (0 Hz) is placed far below bin 1
    width = np.concatenate([np.maximum(np.diff(semitones), 1.0), [1.0]])
    distance = np.remainder(semitones - np.arange(12)[:, None] + 6 + 120, 12) - 6
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((semitones / 12 - _CENTRE_OCTAVE) / _WIDTH_OCTAVES) ** 2)
    weights = np.roll(weights, -3, axis=0)  # from A to C
    return np.asarray(weights[:, : 1 + frame // 2], dtype=np.float32)


def estimate_tuning(power: Floats, rate: int = RATE) -> float:
    """Tuning offset from A4 = 440 Hz in semitones, -0.5 to 0.5, resolution 0.01; 0 without spectral peaks.

    The offset is the mode of the fractional semitones of the louder spectral peaks. Peak frequencies are
    refined by parabolic interpolation.

    Args:
        power: power spectrum, shape (n_frames, n_bins).
        rate: sample rate in Hz.
    """
    hertz_a_bin = rate / (2 * (power.shape[1] - 1))
    low, high = (round(h / hertz_a_bin) for h in _TUNING_HERTZ)
    high = min(high, power.shape[1] - 1)
    left, here, right = power[:, low - 1 : high - 1], power[:, low:high], power[:, low + 1 : high + 1]
    loud = here > 0.1 * power.max(axis=1, keepdims=True)
    frame, bin_ = np.nonzero(loud & (here > left) & (here >= right))
    if not len(frame):
        return 0.0
    a, b, c = (part[frame, bin_].astype(np.float64) for part in (left, here, right))
    slope, bend = (c - a) / 2, a + c - 2 * b
    shift = np.where(np.abs(slope) < np.abs(bend), -slope / np.where(bend == 0, 1, bend), 0.0)
    height = b + 0.5 * slope * shift
    strong = height >= np.median(height)
    hertz = (bin_[strong] + low + shift[strong]) * hertz_a_bin
    rest = np.mod(12 * np.log2(hertz / 27.5), 1.0)
    rest[rest >= 0.5] -= 1.0
    edges = np.linspace(-0.5, 0.5, round(1 / _TUNING_STEP) + 1)
    counts, _ = np.histogram(rest, edges)
    return float(edges[int(np.argmax(counts))])


def spectral_contrast(power: Floats, rate: int = RATE, bands: int = CONTRAST_BANDS) -> Floats:
    """Spectral contrast in decibels between peaks and valleys of octave bands, shape (n_frames, bands + 1).

    High for tonal sounds, low for noise (Jiang et al., 2002).

    Args:
        power: power spectrum, shape (n_frames, n_bins).
        rate: sample rate in Hz.
        bands: number of octave bands above the lowest band.
    """
    magnitude = np.sqrt(power)
    bins = np.fft.rfftfreq(2 * (power.shape[1] - 1), 1 / rate)
    edges = np.concatenate([[0.0], _CONTRAST_LOWEST * 2.0 ** np.arange(bands + 1)])
    peak = np.empty((len(power), bands + 1), dtype=np.float32)
    valley = np.empty_like(peak)
    for k in range(bands + 1):
        inside = np.flatnonzero((bins >= edges[k]) & (bins <= edges[k + 1]))
        first = int(inside[0]) - (1 if k else 0)
        last = int(inside[-1]) if k < bands else len(bins) - 1
        count = max(int(np.rint(_QUANTILE * (last - first + 1))), 1)
        part = magnitude[:, first : last + (1 if k == bands else 0)]
        # Only the few smallest and largest values are needed: partition instead of sort.
        part = np.partition(part, (count - 1, part.shape[1] - count), axis=1)
        valley[:, k] = part[:, :count].mean(axis=1)
        peak[:, k] = part[:, -count:].mean(axis=1)
    return decibels(peak) - decibels(valley)


def centroid(power: Floats, rate: int = RATE) -> NDArray[np.float32]:
    """Spectral centroid of the magnitude spectrum in Hz, shape (n_frames,)."""
    magnitude = np.sqrt(power)
    bins = np.fft.rfftfreq(2 * (power.shape[1] - 1), 1 / rate).astype(np.float32)
    total = magnitude.sum(axis=1)
    return np.asarray((magnitude @ bins) / np.where(total > 0, total, 1), dtype=np.float32)
