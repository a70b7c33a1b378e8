"""One scorer for all models of four voices, in nats a note by the exact chain rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .voices import VoiceGrid

_GRAM = 12


class CellModel(Protocol):
    """Model of each note's probability given the earlier notes in a fixed order."""

    def cell_nats(self, pieces: Sequence[VoiceGrid]) -> list[np.ndarray]:
        """Nats of each cell of each piece, (time, 4)."""
        ...


@dataclass(frozen=True, slots=True)
class CellScore:
    """Means over cells (one voice in one frame), in nats."""

    pieces: int
    cells: int
    nats: float
    """Mean of all cells; most are held."""
    changed: float
    """Mean of cells with another pitch than in the previous frame."""
    held: float
    """Mean of the others; NaN if all changed."""


def score(nats: Sequence[np.ndarray], pieces: Sequence[VoiceGrid]) -> CellScore:
    """Means of `cell_nats` over these pieces."""
    every = np.concatenate(nats)
    changed = np.concatenate([piece.frames != piece.before for piece in pieces])
    held = float(every[~changed].mean()) if not changed.all() else float("nan")
    return CellScore(len(pieces), every.size, float(every.mean()), float(every[changed].mean()), held)


def new_tunes(pieces: Sequence[VoiceGrid], train: Sequence[VoiceGrid], share: float = 0.5) -> list[int]:
    """Whether each piece shares less than `share` of its soprano's n-grams of 12 intervals with every
    piece of `train`, in any key. A soprano too short for an n-gram counts as new."""
    known = [_runs(piece) for piece in train]
    found = []
    for i, piece in enumerate(pieces):
        runs = _runs(piece)
        if not runs or all(len(runs & other) < share * len(runs) for other in known):
            found.append(i)
    return found


def _runs(piece: VoiceGrid) -> set[tuple[int, ...]]:
    soprano = piece.frames[:, 0]
    line = soprano[(soprano > 0) & np.append(True, soprano[1:] != soprano[:-1])]
    steps = np.diff(line).tolist()
    return {tuple(steps[i : i + _GRAM]) for i in range(len(steps) - _GRAM + 1)}
