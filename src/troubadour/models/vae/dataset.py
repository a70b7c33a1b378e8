"""Passages as arrays, and batches of them in other keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.models.vae.passages import LENGTHS, METRES, PAD, PITCH, Passage, passages
from troubadour.music.score import Score

_SHIFTS = 6
_AS_WRITTEN = 0.3
"""Share of passages in the key they are written in."""


class Stack(NamedTuple):
    """Passages of one length."""

    grid: NDArray[np.uint8]
    """(n, bars, steps)."""
    metre: NDArray[np.uint8]
    """Row in `METRES`, (n,)."""


class VaeBatch(NamedTuple):
    """Passages of one length, and what their latent vectors may cost."""

    grid: NDArray[np.uint8]
    metre: NDArray[np.uint8]
    free_nats: float
    """KL of a passage up to which it costs nothing (free bits, Kingma et al. 2016)."""
    kl_weight: float
    """Weight of what lies above."""


FREE_BITS = {2: 48.0, 4: 80.0, 16: 256.0}
"""As MusicVAE has them for 2 and 16 bars (Roberts et al. 2018)."""
SHARES = {2: 0.4, 4: 0.2, 16: 0.4}
"""How often a batch is of each length."""


def stack(found: Iterable[Passage]) -> Stack:
    """Passages of one length as arrays.

    Raises:
        InputError: there is none.
    """
    rows = list(found)
    if not rows:
        raise InputError("no passage of that length; the pieces are too short or in other metres")
    return Stack(
        np.stack([p.grid for p in rows]), np.array([METRES.index(p.metre) for p in rows], dtype=np.uint8)
    )


def stacks(scores: Iterable[Score]) -> dict[int, Stack]:
    """All passages of quantised scores by length; a length of which there is none is left out."""
    found: dict[int, list[Passage]] = {n: [] for n in LENGTHS}
    for score in scores:
        for n in LENGTHS:
            found[n] += passages(score, n)
    return {n: stack(rows) for n, rows in found.items() if rows}


def batches(
    data: Mapping[int, Stack], seed: int, bars_a_batch: int, kl_weight: float, annealing: int, first: int = 0
) -> Iterator[VaeBatch]:
    """Endless batches, each of one length and of about `bars_a_batch` bars, transposed at random.

    The n-th depends on `seed` and n alone.

    Args:
        kl_weight: weight of the KL above the free bits, reached after `annealing` batches.

    Raises:
        InputError: there is no passage.
    """
    lengths = [n for n in SHARES if n in data]
    if not lengths:
        raise InputError("no passage to train on; the pieces are too short or in other metres")
    weights = np.array([SHARES[n] for n in lengths])
    number = first
    while True:
        rng = np.random.default_rng([seed, number])
        bars = lengths[int(rng.choice(len(lengths), p=weights / weights.sum()))]
        grid, metre = data[bars]
        rows = rng.integers(len(grid), size=max(1, bars_a_batch // bars))
        share = min(1.0, number / max(annealing, 1))
        yield VaeBatch(transposed(grid[rows], rng), metre[rows], free_nats(bars), kl_weight * share)
        number += 1


def free_nats(bars: int) -> float:
    """Nats of KL that a passage of some bars may cost for nothing."""
    return FREE_BITS[bars] * float(np.log(2.0))


def transposed(grid: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grids (n, bars, steps), each by up to half an octave, as far as the range allows."""
    pitched = (grid >= PITCH) & (grid < PAD)
    wide = grid.astype(np.int16)
    low = np.where(pitched, wide, PAD).min(axis=(1, 2))
    high = np.where(pitched, wide, PITCH).max(axis=(1, 2))
    shift = rng.integers(-_SHIFTS, _SHIFTS + 1, size=len(grid)) * (rng.random(len(grid)) >= _AS_WRITTEN)
    shift = np.clip(shift, PITCH - low, PAD - 1 - high)
    return (wide + shift[:, None, None] * pitched).astype(np.uint8)
