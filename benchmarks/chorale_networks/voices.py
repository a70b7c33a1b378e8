"""Four voices on a grid, and the input features of each frame.

A frame is one step of the grid: one pitch for each voice. Features use earlier frames
only, and are independent of transposition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

from .copies import Passages

VOICES = 4
LOWEST, PITCHES = 27, 64
"""Pitches 27 to 90: the range of choirs plus six semitones on either side."""
LONGEST_HOLD = 24
NEUTRAL = np.array([70, 65, 59, 50]) - LOWEST + 1
"""Reference pitch of a voice before its first note."""

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class VoiceGrid:
    """A piece with the input features of each frame. `frames` is the piece; the features use
    earlier frames only."""

    frames: Ids
    """(time, 4): 0 = rest, else MIDI pitch - 26; soprano, alto, tenor, bass."""
    before: Ids
    """(time, 4): the frame before; all rests before the first."""
    reference: Ids
    """(time, 4): last sounded pitch of each voice, never a rest."""
    earlier: Ids
    """(time, 4): the last pitch of each voice that differs from `reference`; `reference` itself if there is none."""
    held: Ids
    """(time, 4): number of frames since each voice's onset, 0 to 24."""
    matched: Ids
    """(time, 2): frame after the longest earlier match: of all
    voices, and of the soprano; -1 without a match."""
    match_level: Ids
    """(time, 2): length level of that match, 0 (none) to 8 (three bars of 4/4)."""

    def __len__(self) -> int:
        return len(self.frames)


def prepare(pitches: NDArray[np.integer]) -> VoiceGrid:
    """Input features of each frame of a piece; O(time²).

    Args:
        pitches: (time, 4) MIDI pitches, -1 = rest.

    Raises:
        InputError: not four voices, no frame, or a pitch out of 27 to 90.
    """
    pitches = np.asarray(pitches, dtype=np.int64)
    if pitches.ndim != 2 or pitches.shape[1] != VOICES or not len(pitches):
        raise InputError(f"pitches have shape {pitches.shape}; allowed: (frames, {VOICES})")
    sung = pitches >= 0
    if ((pitches < LOWEST) | (pitches >= LOWEST + PITCHES))[sung].any():
        raise InputError(
            f"pitches go from {pitches[sung].min()} to {pitches[sung].max()}; "
            f"allowed: {LOWEST} to {LOWEST + PITCHES - 1}, -1 for rests"
        )
    frames = np.where(sung, pitches - LOWEST + 1, 0)
    past, rows = Past(), []
    for frame in frames:
        rows.append(past.known())
        past.add(frame)
    columns = (np.stack(column) for column in zip(*rows, strict=True))
    return VoiceGrid(frames, *columns)


class Past:
    """Input features of the next frame; the state grows with each added frame."""

    def __init__(self) -> None:
        self._lines = np.zeros((64, VOICES), dtype=np.int64)
        self._length = 0
        self._before = np.zeros(VOICES, dtype=np.int64)
        self._reference, self._earlier = NEUTRAL.copy(), NEUTRAL.copy()
        self._held = np.zeros(VOICES, dtype=np.int64)
        # Of all voices, and of the soprano.
        self._passages = Passages(), Passages()

    def known(self) -> tuple[Ids, Ids, Ids, Ids, Ids, Ids]:
        """`before`, `reference`, `earlier`, `held`, `matched` and `match_level` of the next frame."""
        found = [passages.longest() for passages in self._passages]
        matched, level = (np.array(column) for column in zip(*found, strict=True))
        return self._before, self._reference, self._earlier, self._held, matched, level

    def add(self, frame: Ids) -> None:
        """Add the next frame, (4,) ids."""
        length = self._length
        if length == len(self._lines):
            self._lines = np.concatenate([self._lines, np.zeros_like(self._lines)])
        past = self._lines[:length]
        for passages, agree in zip(
            self._passages, ((past == frame).all(axis=1), past[:, 0] == frame[0]), strict=True
        ):
            passages.add(agree)
        same = frame == self._before if length else np.zeros(VOICES, dtype=bool)
        self._held = np.where(same, np.minimum(self._held + 1, LONGEST_HOLD), 1)
        moved = (frame > 0) & (frame != self._reference)
        self._earlier = np.where(moved, self._reference, self._earlier)
        self._reference = np.where(moved, frame, self._reference)
        self._before = frame.copy()
        self._lines[length] = frame
        self._length += 1


def transpose(piece: VoiceGrid, semitones: int) -> VoiceGrid:
    """The transposed piece; rests stay rests.

    Raises:
        InputError: a pitch would leave the range 27 to 90.
    """
    sung = piece.frames[piece.frames > 0]
    if len(sung) and not (sung.min() + semitones >= 1 and sung.max() + semitones <= PITCHES):
        raise InputError(
            f"semitones is {semitones}; the piece would leave {LOWEST} to {LOWEST + PITCHES - 1}"
        )
    return VoiceGrid(
        np.where(piece.frames > 0, piece.frames + semitones, 0),
        np.where(piece.before > 0, piece.before + semitones, 0),
        np.clip(piece.reference + semitones, 1, PITCHES),
        np.clip(piece.earlier + semitones, 1, PITCHES),
        piece.held,
        piece.matched,
        piece.match_level,
    )


def room(piece: VoiceGrid, most: int) -> tuple[int, int]:
    """Lowest and highest transposition, at most `most` either way, that `transpose` accepts."""
    sung = piece.frames[piece.frames > 0]
    if not len(sung):
        return 0, 0
    return max(-most, 1 - int(sung.min())), min(most, PITCHES - int(sung.max()))


def read_chorales(path: Path) -> dict[str, list[NDArray[np.int64]]]:
    """Pitches (time, 4) by split (`train`, `valid`, `test`) of `Jsb16thSeparated.json`.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    try:
        document = json.loads(path.read_text())
        return {
            split: [np.array(piece, dtype=np.int64).reshape(-1, VOICES) for piece in document[split]]
            for split in ("train", "valid", "test")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no chorales in four columns can be read there: {error}") from error
