"""Passages as arrays, and batches of them in other keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.composers.vae.passages import LENGTHS, METRES, PAD, PITCH, Passage, passages
from troubadour.errors import InputError
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
    data: Mapping[int, Stack], seed: int, bars_a_batch: int, shares: Mapping[int, float], first: int = 0
) -> Iterator[Stack]:
    """Endless batches, each of one length and of about `bars_a_batch` bars, transposed at random.

    The n-th depends on `seed` and n alone.

    Args:
        shares: how often each length is drawn.

    Raises:
        InputError: there is no passage.
    """
    lengths = [n for n in shares if n in data]
    if not lengths:
        raise InputError("no passage to train on; the pieces are too short or in other metres")
    weights = np.array([shares[n] for n in lengths])
    number = first
    while True:
        rng = np.random.default_rng([seed, number])
        bars = lengths[int(rng.choice(len(lengths), p=weights / weights.sum()))]
        grid, metre = data[bars]
        rows = rng.integers(len(grid), size=max(1, bars_a_batch // bars))
        yield Stack(transposed(grid[rows], rng), metre[rows])
        number += 1


def transposed(grid: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grids (n, bars, steps), each by up to half an octave, as far as the range allows."""
    pitched = (grid >= PITCH) & (grid < PAD)
    wide = grid.astype(np.int16)
    low = np.where(pitched, wide, PAD).min(axis=(1, 2))
    high = np.where(pitched, wide, PITCH).max(axis=(1, 2))
    shift = rng.integers(-_SHIFTS, _SHIFTS + 1, size=len(grid)) * (rng.random(len(grid)) >= _AS_WRITTEN)
    shift = np.clip(shift, PITCH - low, PAD - 1 - high)
    return (wide + shift[:, None, None] * pitched).astype(np.uint8)
