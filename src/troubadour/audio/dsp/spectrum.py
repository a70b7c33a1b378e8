"""Short-time spectra, mel spectra, MFCCs and deltas, as librosa 0.11 defines them.

Equal to librosa within 1e-3 at the same settings (`tests/audio/test_reference.py`) and about twice
as fast (`docs/benchmarks/audio_features.md`). Time is the first axis of all arrays, in the memory order
of the transform.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.sound import RATE, Mono

FRAME: Final = 2048
"""Frame length in samples: 93 ms at `RATE`."""
HOP: Final = 512
"""Hop size in samples: 23 ms."""
MEL_BANDS: Final = 128
COEFFICIENTS: Final = 20
_BLOCK: Final = 64
"""Frames per FFT call: half a megabyte. Larger buffers are allocated anew by the system each time, and
their page faults take four times as long as the transform.
"""
_GROUP: Final = 16
_LEAST_POWER: Final = 1e-10
_RANGE_DB: Final = 80.0

Floats = NDArray[np.float32]


def power_spectrum(samples: Mono, frame: int = FRAME, hop: int = HOP) -> Floats:
    """Power spectrogram, shape (1 + n // hop, 1 + frame // 2), float32.

    Frames are centred and zero-padded at both ends; the window is a periodic Hann window.

    Args:
        samples: shape (n,).
        frame: frame length in samples.
        hop: hop size in samples.
    """
    import scipy.fft

    padded = np.pad(samples, frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    window = _hann(frame)
    out = np.empty((len(frames), 1 + frame // 2), dtype=np.float32)
    for start in range(0, len(frames), _BLOCK):
        found = scipy.fft.rfft(frames[start : start + _BLOCK] * window, axis=1, overwrite_x=True)
        part = out[start : start + _BLOCK]
        np.square(found.real, out=part)
        part += np.square(found.imag)
    return out


def mel_spectrum(power: Floats, rate: int = RATE, bands: int = MEL_BANDS) -> Floats:
    """Mel spectrogram on Slaney's scale, shape (n_frames, bands), float32.

    Filters are sparse, so bands are multiplied in groups with only the bins that a group covers: a sixth
    of the full product.

    Args:
        power: power spectrogram, shape (n_frames, n_bins).
        rate: sample rate in Hz.
        bands: number of mel bands.
    """
    weights = mel_filters(rate, 2 * (power.shape[1] - 1), bands)
    out = np.empty((len(power), bands), dtype=np.float32)
    for start in range(0, bands, _GROUP):
        group = weights[start : start + _GROUP]
        bins = np.flatnonzero(group.any(axis=0))
        low, high = (int(bins[0]), int(bins[-1]) + 1) if len(bins) else (0, 1)
        np.matmul(power[:, low:high], group[:, low:high].T, out=out[:, start : start + _GROUP])
    return out


def decibels(power: Floats, range_db: float | None = _RANGE_DB) -> Floats:
    """Power in decibels (10 log10), limited to `range_db` below the maximum; None = no limit."""
    out = np.maximum(power, np.float32(_LEAST_POWER))
    np.log10(out, out=out)
    out *= np.float32(10)
    if range_db is not None and out.size:
        np.maximum(out, out.max() - np.float32(range_db), out=out)
    return out


def mfcc(mel: Floats, coefficients: int = COEFFICIENTS) -> Floats:
    """Mel-frequency cepstral coefficients, shape (n_frames, coefficients), float32.

    The orthonormal DCT-II of the mel bands in decibels (Davis & Mermelstein, 1980).
    """
    return np.asarray(decibels(mel) @ _cosines(mel.shape[1])[:, :coefficients], dtype=np.float32)


def deltas(values: Floats, width: int = 9) -> Floats:
    """Deltas: slope of a least-squares line through `width` frames, same shape as `values`.

    Shorter sequences use the largest odd width that fits; with fewer than three frames the deltas are 0.
    """
    from scipy.signal import savgol_filter

    width = min(width, len(values) - 1 + len(values) % 2)
    if width < 3:
        return np.zeros_like(values)
    return np.asarray(savgol_filter(values, width, 1, deriv=1, axis=0, mode="interp"), dtype=np.float32)


@cache
def mel_filters(rate: int, frame: int, bands: int) -> Floats:
    """Triangular filters on Slaney's mel scale, each of unit area, shape (bands, 1 + frame // 2)."""
    bins = np.fft.rfftfreq(frame, 1 / rate)
    edges = _from_mel(np.linspace(0.0, _to_mel(rate / 2), bands + 2))
    width = np.diff(edges)
    ramps = edges[:, None] - bins
    rising = -ramps[:-2] / width[:-1, None]
    falling = ramps[2:] / width[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(weights, dtype=np.float32)


def _to_mel(hertz: float) -> float:
    # Linear up to 1 kHz, then logarithmic: 27 mels per factor of 6.4.
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@cache
def _hann(frame: int) -> Floats:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame), dtype=np.float32)


@cache
def _cosines(n: int) -> Floats:
    """Orthonormal DCT-II matrix, shape (n, n); column k gives coefficient k."""
    k, i = np.meshgrid(np.arange(n), np.arange(n))
    table = np.sqrt(2 / n) * np.cos(np.pi * k * (2 * i + 1) / (2 * n))
    table[:, 0] /= np.sqrt(2)
    return np.asarray(table, dtype=np.float32)
