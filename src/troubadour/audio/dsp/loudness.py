"""Integrated loudness as broadcasters measure it: ITU-R BS.1770-4 with the gates of EBU R 128."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.sound import Sound

QUIETEST: Final = -70.0
"""LUFS; below it nothing is measured."""
_BLOCK_SECONDS: Final = 0.4
_PARTS: Final = 4
"""Blocks overlap by three quarters."""
_RELATIVE: Final = -10.0
_SURROUND: Final = 1.41
_WEIGHTS: Final = {
    # Left, right, centre, low frequencies (never counted), then what comes from the sides and behind.
    4: (1, 1, _SURROUND, _SURROUND),
    5: (1, 1, 1, _SURROUND, _SURROUND),
    6: (1, 1, 1, 0, _SURROUND, _SURROUND),
    7: (1, 1, 1, _SURROUND, _SURROUND, _SURROUND, _SURROUND),
    8: (1, 1, 1, 0, _SURROUND, _SURROUND, _SURROUND, _SURROUND),
}


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS, `QUIETEST` where nothing is louder than that.

    A 1 kHz sine at -23 dBFS in both channels of a stereo file measures -23.0. Sound shorter than
    0.4 s is measured as one block. About 15 ms a minute and channel.
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
            sums = sums[:-1]  # the rest is no whole part of a block
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
    """Samples as the ear weighs them: a shelf that lifts what is above 1.5 kHz by 4 dB, and a high-pass.

    The standard lists its two filters for 48 kHz; their analogue parameters (as given by Mansbridge
    et al., 2012) make them for any rate.
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
