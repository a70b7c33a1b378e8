"""Integrated loudness after ITU-R BS.1770-4 with the gates of EBU R 128."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.sound import Sound

QUIETEST: Final = -70.0
"""Absolute gate in LUFS; quieter blocks are ignored."""
_BLOCK_SECONDS: Final = 0.4
_PARTS: Final = 4
"""Block length in steps: blocks overlap by three quarters."""
_RELATIVE: Final = -10.0
_SURROUND: Final = 1.41
_WEIGHTS: Final = {
    # Left, right, centre, low frequencies (excluded by the standard), then surround channels.
    4: (1, 1, _SURROUND, _SURROUND),
    5: (1, 1, 1, _SURROUND, _SURROUND),
    6: (1, 1, 1, 0, _SURROUND, _SURROUND),
    7: (1, 1, 1, _SURROUND, _SURROUND, _SURROUND, _SURROUND),
    8: (1, 1, 1, 0, _SURROUND, _SURROUND, _SURROUND, _SURROUND),
}


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS; `QUIETEST` if all blocks are below the absolute gate.

    A 1 kHz sine at -23 dBFS in both channels of a stereo file measures -23.0. Sound shorter than
    0.4 s is measured as one block. About 15 ms per minute and channel.
    """
    length = max(1, min(round(_BLOCK_SECONDS * sound.rate), len(sound.samples)))
    step = max(1, length // _PARTS)
    weights = _WEIGHTS.get(sound.samples.shape[1], (1,) * sound.samples.shape[1])
    power: NDArray[np.float64] = np.zeros(0)
    for weight, channel in zip(weights, sound.samples.T, strict=True):
        if not weight:
            continue
        squares = np.square(k_weighted(channel, sound.rate))
        sums = np.add.reduceat(squares, np.arange(0, len(squares), step)) if len(squares) else np.zeros(0)
        if len(squares) % step:
            sums = sums[:-1]  # the last step is incomplete
        parts = length // step
        blocks = (
            np.convolve(sums, np.ones(parts), "valid") / (parts * step) if len(sums) >= parts else sums[:0]
        )
        power = weight * blocks if not len(power) else power + weight * blocks
    heard = power[power > _power(QUIETEST)]
    if not len(heard):
        return QUIETEST
    kept = heard[heard > heard.mean() * 10 ** (_RELATIVE / 10)]
    return max(QUIETEST, -0.691 + 10 * float(np.log10(kept.mean())))


def k_weighted(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """K-weighted samples: a shelf of 4 dB above 1.5 kHz, and a high-pass.

    The standard lists both filters for 48 kHz. Their analogue parameters (Mansbridge et al., 2012) give
    the filters for any rate.

    Args:
        samples: shape (n,) or (n, channels).
        rate: sample rate in Hz.
    """
    from scipy.signal import sosfilt

    return np.asarray(sosfilt(_filters(rate), samples.astype(np.float64)))


def _filters(rate: int) -> NDArray[np.float64]:
    hertz, quality, gain = 1681.974450955533, 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    k, middle = np.tan(np.pi * hertz / rate), gain**0.4996667741545416
    norm = 1 + k / quality + k * k
    shelf = [
        (gain + middle * k / quality + k * k) / norm,
        2 * (k * k - gain) / norm,
        (gain - middle * k / quality + k * k) / norm,
        1.0,
        2 * (k * k - 1) / norm,
        (1 - k / quality + k * k) / norm,
    ]
    hertz, quality = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * hertz / rate)
    norm = 1 + k / quality + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]
    return np.array([shelf, high_pass])


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
