"""Sound in memory, and the mix and rate at which everything is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

RATE: Final = 22_050
"""Frames a second at which features are measured: librosa's default."""
LEAST_SECONDS: Final = 0.5
"""Shorter sound has no features: fewer than twenty frames of spectrum."""
SILENCE: Final = 10 ** (-80 / 20)
"""A peak below -80 dBFS is silence."""
_LFE: Final = {6: 3, 8: 3}
"""The channel of low-frequency effects in 5.1 and 7.1; no mix has it."""

Mono = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples of one recording, or of a part of it."""

    samples: NDArray[np.float32]
    """Shape (n, channels), full scale = 1; finite."""
    rate: int
    """Frames a second."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or not 1 <= self.samples.shape[1] <= 8:
            raise InputError(f"samples have shape {self.samples.shape}; need (n, 1 to 8 channels)")
        if not np.isfinite(self.samples).all():
            raise InputError("samples hold NaN or infinity; allowed: numbers")

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self.samples) / self.rate

    @property
    def peak(self) -> float:
        """The largest sample, 1 = full scale."""
        return float(np.abs(self.samples).max(initial=0.0))

    def mono(self, rate: int = RATE) -> Mono:
        """The mean of the channels at a rate, shape (n,).

        The low-frequency channel of 5.1 and 7.1 is left out, as broadcast meters do.

        Raises:
            InputError: it is silent, or shorter than `LEAST_SECONDS`.
        """
        if self.seconds < LEAST_SECONDS:
            raise InputError(f"{self.seconds:.3g} s of sound; at least {LEAST_SECONDS} s are needed")
        if self.peak < SILENCE:
            raise InputError("silent: no sample is louder than -80 dBFS")
        kept = [c for c in range(self.samples.shape[1]) if c != _LFE.get(self.samples.shape[1])]
        mixed = self.samples[:, kept].mean(axis=1, dtype=np.float32)
        return resample(mixed, self.rate, rate)


def resample(samples: Mono, rate: int, to: int) -> Mono:
    """The same sound at another rate, shape (n * to / rate,), by a polyphase filter.

    scipy's Kaiser-windowed sinc: 0.1 s for three minutes at 44.1 kHz.
    """
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    return np.asarray(resample_poly(samples, to // common, rate // common), dtype=np.float32)
