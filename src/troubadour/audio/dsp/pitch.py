"""Pitch tracking of a monophonic signal, 60 Hz to 4.2 kHz: YIN candidates and a Viterbi path.

The candidates of each frame are minima of the normalised difference function (YIN: de Cheveigné &
Kawahara, 2002). A Viterbi path over the whole recording selects among them and decides on voicing, with
costs for leaps and for voicing changes (Boersma 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.sound import RATE, Mono

HOP: Final = 220
"""Hop size in samples at `RATE`: 10 ms."""
LOWEST_HERTZ: Final = 60.0
HIGHEST_HERTZ: Final = 4_200.0
_WINDOW: Final = 1_024
"""Length of the correlation window in samples: 46 ms, three periods of the lowest pitch."""
_CENTRE: Final = slice(_WINDOW // 2 - HOP, _WINDOW // 2 + HOP)
"""Samples of a frame used for its level: 20 ms."""
_LAGS: Final = int(RATE / LOWEST_HERTZ) + 2
_SIZE: Final = 2_048
"""FFT size; at least `_WINDOW` + `_LAGS`, which avoids circular wrap-around."""
_FINER: Final = 2
"""Lags per sample: whistled periods are only a few samples long."""
_CANDIDATES: Final = 5
_BLOCK: Final = 256
_OCTAVE_COST: Final = 0.06
"""Penalty of a candidate per octave below the highest; prefers the shortest of equally good periods."""
_LEAP_COST: Final = 0.35
"""Cost of a leap of one octave between frames."""
_SILENCING_COST: Final = 0.14
"""Cost of a change between voiced and unvoiced."""
_UNVOICED: Final = 0.45
"""Strength of the unvoiced state; a candidate must exceed it."""
_QUIET_DB: Final = 35.0
"""Frames this many decibels below the loud ones are unvoiced."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PitchTrack:
    """Pitch of a monophonic signal in frames of 10 ms."""

    pitch: Floats
    """MIDI pitch with fractions, NaN = unvoiced, shape (n,)."""
    level_db: Floats
    """Level of each frame in decibels, shape (n,)."""

    @property
    def hop_seconds(self) -> float:
        """Hop size in seconds."""
        return HOP / RATE


def track_pitch(samples: Mono) -> PitchTrack:
    """Track the pitch of a voice, instrument or whistle without accompaniment.

    About 20 times faster than real time. In polyphonic signals it follows one voice or none.

    Args:
        samples: at `RATE`, shape (n,).
    """
    padded = np.pad(samples.astype(np.float64), (_WINDOW // 2, _WINDOW // 2 + _LAGS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW + _LAGS)[::HOP]
    pitch = np.full((len(frames), _CANDIDATES), np.nan)
    strength = np.full((len(frames), _CANDIDATES), -np.inf)
    power = np.empty(len(frames))
    for start in range(0, len(frames), _BLOCK):
        part = frames[start : start + _BLOCK]
        rows = slice(start, start + len(part))
        pitch[rows], strength[rows] = _candidates(_difference(part))
        power[rows] = np.square(part[:, _CENTRE]).mean(axis=1)
    level = 10 * np.log10(power + 1e-12)
    loud = float(np.percentile(level, 95)) if len(level) else 0.0
    strength[level < loud - _QUIET_DB] = -np.inf
    return PitchTrack(_path(pitch, strength), level)


def _difference(frames: Floats) -> Floats:
    """YIN's cumulative mean normalised difference by lag in half samples, shape (n, _FINER * _LAGS)."""
    import scipy.fft

    fixed = scipy.fft.rfft(frames[:, :_WINDOW], _SIZE, axis=1)
    moving = scipy.fft.rfft(frames, _SIZE, axis=1)
    # Zero padding of the spectrum interpolates the correlation between samples.
    cross = scipy.fft.irfft(np.conj(fixed) * moving, _FINER * _SIZE, axis=1)[:, : _FINER * _LAGS] * _FINER
    total = np.cumsum(np.square(np.pad(frames, ((0, 0), (1, 0)))), axis=1)
    energy = total[:, _WINDOW : _WINDOW + _LAGS + 1] - total[:, : _LAGS + 1]  # window energy at each lag
    finer = np.repeat(energy[:, :-1], _FINER, axis=1)
    finer[:, 1::_FINER] = 0.5 * (energy[:, :-1] + energy[:, 1:])
    difference = np.maximum(energy[:, :1] + finer - 2 * cross, 0.0)
    mean = np.cumsum(difference, axis=1) / np.arange(1, difference.shape[1] + 1)
    normal = difference / np.maximum(mean, 1e-12)
    normal[mean[:, -1] < 1e-12] = 1.0  # digital silence has no period
    return np.asarray(normal)


def _candidates(normal: Floats) -> tuple[Floats, Floats]:
    """Best minima of each frame: MIDI pitches and strengths, each of shape (n, _CANDIDATES)."""
    least = int(_FINER * RATE / HIGHEST_HERTZ)
    lags = np.arange(least, normal.shape[1] - 1)
    before, here, after = (normal[:, lags + i] for i in (-1, 0, 1))
    trough = (here < before) & (here <= after) & (here < 1 - _UNVOICED / 2)
    worth = np.where(trough, 1 - here - _OCTAVE_COST * np.log2(lags / least), -np.inf)
    best = np.argpartition(-worth, _CANDIDATES - 1, axis=1)[:, :_CANDIDATES]
    rows = np.arange(len(normal))[:, None]
    a, b, c = before[rows, best], here[rows, best], after[rows, best]
    bend = a + c - 2 * b
    shift = np.where(bend > 1e-12, 0.5 * (a - c) / np.where(bend > 1e-12, bend, 1.0), 0.0)
    hertz = _FINER * RATE / (lags[best] + np.clip(shift, -0.5, 0.5))
    # Short periods fall between two lags: the minimum is refined by a parabola.
    strength = worth[rows, best] + 0.25 * (a - c) * shift
    return np.where(np.isfinite(strength), 69 + 12 * np.log2(hertz / 440.0), np.nan), strength


def _path(pitch: Floats, strength: Floats) -> Floats:
    """Pitch of the best path, shape (n,); the last candidate of each frame is the unvoiced state."""
    n = len(pitch)
    if not n:
        return np.zeros(0)
    worth = np.concatenate([strength, np.full((n, 1), _UNVOICED)], axis=1)
    octave = np.concatenate([pitch, np.full((n, 1), np.nan)], axis=1) / 12
    came = np.zeros(worth.shape, dtype=np.int64)
    total = worth[0]
    voiced = ~np.isnan(octave)
    for i in range(1, n):
        cost = _LEAP_COST * np.abs(octave[i][:, None] - octave[i - 1])
        both = voiced[i][:, None] & voiced[i - 1]
        change = np.where(voiced[i][:, None] ^ voiced[i - 1], _SILENCING_COST, 0.0)
        reached = total - np.where(both, cost, change)
        came[i] = reached.argmax(axis=1)
        total = reached[np.arange(len(total)), came[i]] + worth[i]
    found = np.empty(n)
    at = int(total.argmax())
    for i in range(n - 1, -1, -1):
        found[i] = 12 * octave[i, at]
        at = int(came[i, at])
    return found
