"""Audio samples in memory, and the mono mix and sample rate of all measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

RATE: Final = 22_050
"""Sample rate of all features in Hz, librosa's default."""
LEAST_SECONDS: Final = 0.5
"""Shortest sound with features: it has about twenty spectral frames."""
SILENCE: Final = 10 ** (-80 / 20)
"""Peak amplitude below which a sound is silent: -80 dBFS."""
_LFE: Final = {6: 3, 8: 3}
"""Index of the low-frequency channel by number of channels (5.1, 7.1); it is excluded from the mono mix."""

Mono = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples of a recording or of a part of it."""

    samples: NDArray[np.float32]
    """Shape (n, channels), float32, full scale = 1, finite."""
    rate: int
    """Sample rate in Hz."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or not 1 <= self.samples.shape[1] <= 8:
            raise InputError(f"samples have shape {self.samples.shape}; need (n, 1 to 8 channels)")
        if not np.isfinite(self.samples).all():
            raise InputError("samples hold NaN or infinity; allowed: numbers")

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.rate

    @property
    def peak(self) -> float:
        """Largest absolute sample, 1 = full scale."""
        return float(np.abs(self.samples).max(initial=0.0))

    def mono(self, rate: int = RATE) -> Mono:
        """Mono mix at a sample rate, shape (n,): the mean of the channels.

        The low-frequency channel of 5.1 and 7.1 is excluded, as in broadcast meters.

        Args:
            rate: sample rate in Hz.

        Raises:
            InputError: the sound is silent, or shorter than `LEAST_SECONDS`.
        """
        if self.seconds < LEAST_SECONDS:
            raise InputError(f"{self.seconds:.3g} s of sound; at least {LEAST_SECONDS} s are needed")
        if self.peak < SILENCE:
            raise InputError("silent: no sample is louder than -80 dBFS")
        kept = [c for c in range(self.samples.shape[1]) if c != _LFE.get(self.samples.shape[1])]
        mixed = self.samples[:, kept].mean(axis=1, dtype=np.float32)
        return resample(mixed, self.rate, rate)


def resample(samples: Mono, rate: int, to: int) -> Mono:
    """Resample a mono signal, shape (n * to / rate,), with a polyphase filter.

    scipy's Kaiser-windowed sinc: 0.1 s for three minutes at 44.1 kHz.

    Args:
        samples: shape (n,).
        rate: sample rate of the input in Hz.
        to: sample rate of the output in Hz.
    """
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    return np.asarray(resample_poly(samples, to // common, rate // common), dtype=np.float32)
