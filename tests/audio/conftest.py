"""Sounds with known properties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray


def tone(
    hertz: float = 440.0, seconds: float = 1.0, rate: int = 44_100, level: float = 0.5, channels: int = 1
) -> NDArray[np.float32]:
    """A sine, shape (n, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    return np.repeat(level * np.sin(2 * np.pi * hertz * time)[:, None], channels, axis=1).astype(np.float32)


def chord_song(
    seconds: float = 4.0, rate: int = 22_050, root: int = 60, seed: int = 0
) -> NDArray[np.float32]:
    """Tonic, subdominant, dominant, tonic in turn, struck every half second, shape (n, 1)."""
    time = np.arange(round(seconds * rate)) / rate
    out = 0.003 * np.random.default_rng(seed).normal(size=len(time))
    degrees = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
    for i in range(int(seconds * 2)):
        since = time - i / 2
        on = (since >= 0) & (since < 0.5)
        for degree in degrees[i % 4]:
            for harmonic in (1, 2, 3):
                hertz = harmonic * 440 * 2 ** ((root + degree - 69) / 12)
                out += np.where(
                    on, 0.12 / harmonic * np.sin(2 * np.pi * hertz * since) * np.exp(-4 * np.abs(since)), 0
                )
    return out[:, None].astype(np.float32)


@pytest.fixture(scope="session")
def song() -> NDArray[np.float32]:
    """Four seconds in C major at 120 beats a minute, 22,050 Hz, shape (n, 1)."""
    return chord_song()
