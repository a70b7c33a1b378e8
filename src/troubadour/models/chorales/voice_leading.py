"""Voice-leading on a grid: parallel fifths and octaves, crossings, ranges; and pitches that keep clear.

Two voices run parallel where both move, from one frame to the next, by the same interval and are a
fifth or an octave (or unison), taken within the octave, apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.models.chorales.voices import PITCHES, VOICES

PERFECT = (0, 7)
_PLACE = np.arange(1, PITCHES + 1)


@dataclass(frozen=True, slots=True)
class VoiceLeading:
    """Counts over pieces."""

    frames: int
    changes: int
    """Frames in which a voice does not do what it did in the frame before."""
    fifths: int
    octaves: int
    """Unisons too."""
    crossed: int
    """Frames in which a voice is above the next higher one."""
    spread: int
    """Frames with more than an octave between soprano and alto or alto and tenor."""

    @property
    def fifths_per_100(self) -> float:
        """Parallel fifths in 100 vertical changes."""
        return 100 * self.fifths / max(self.changes, 1)

    @property
    def octaves_per_100(self) -> float:
        """Parallel octaves and unisons in 100 vertical changes."""
        return 100 * self.octaves / max(self.changes, 1)

    @property
    def crossed_share(self) -> float:
        """Share of frames with a crossing."""
        return self.crossed / max(self.frames, 1)


def check(pieces: Sequence[NDArray[np.integer]]) -> VoiceLeading:
    """Count in pieces of (time, voices) pitches, highest voice first; below 1 is a rest."""
    frames = changes = crossed = spread = 0
    parallels = dict.fromkeys(PERFECT, 0)
    for piece in pieces:
        old, new = piece[:-1], piece[1:]
        frames += len(piece)
        changes += int((old != new).any(axis=1).sum())
        upper, lower = piece[:, :-1], piece[:, 1:]
        both = (upper > 0) & (lower > 0)
        crossed += int((both & (upper < lower)).any(axis=1).sum())
        spread += int((both & (upper - lower > 12))[:, : VOICES - 2].any(axis=1).sum())
        for i in range(piece.shape[1]):
            for j in range(i + 1, piece.shape[1]):
                sung = (old[:, [i, j]] > 0).all(axis=1) & (new[:, [i, j]] > 0).all(axis=1)
                step = new[:, i] - old[:, i]
                together = sung & (step != 0) & (step == new[:, j] - old[:, j])
                for interval in PERFECT:
                    parallels[interval] += int((together & ((old[:, i] - old[:, j]) % 12 == interval)).sum())
    return VoiceLeading(frames, changes, parallels[7], parallels[0], crossed, spread)


def clear(
    before: NDArray[np.integer], frame: NDArray[np.integer], voice: int, given: Sequence[int], crossing: bool
) -> NDArray[np.bool_]:
    """Which ids of a voice make no parallels with the voices already given in this frame.

    Holding and resting make none, so that there is a way on. Stricter than `check`: a fifth that is
    reached from a fifth by contrary motion is out too.

    Args:
        before: ids of the frame before, (4,).
        frame: ids of this frame, of which those of `given` hold.
        voice: whose pitch is sought.
        given: voices that have theirs.
        crossing: whether voices may cross; if not, only rests remain where no pitch fits.

    Returns:
        (65,), rest first.
    """
    allowed = np.ones(PITCHES + 1, dtype=bool)
    pitches, old = allowed[1:], int(before[voice])
    for other in given:
        then, now = int(before[other]), int(frame[other])
        if not now:
            continue
        if old and then and then != now:
            interval = (old - then) % 12
            if interval in PERFECT or -interval % 12 in PERFECT:
                pitches &= ((_PLACE - now) % 12 != interval) | (old == _PLACE)
        if not crossing:
            pitches &= now >= _PLACE if voice > other else now <= _PLACE
    return allowed
