"""Voice leading on a grid: counts of parallel fifths and octaves, crossings and wide spacing.

Two voices move in parallel if both move by the same interval from one frame to the next and are a fifth,
an octave or a unison apart (plus any octaves).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERFECT = (0, 7)


@dataclass(frozen=True, slots=True)
class VoiceLeading:
    """Counts of events of voice leading over all pieces."""

    frames: int
    changes: int
    """Frames in which the pitch of some voice differs from that in the frame before."""
    fifths: int
    octaves: int
    """Parallel octaves and unisons."""
    crossed: int
    """Frames in which a voice lies above the next higher voice."""
    spread: int
    """Frames with more than an octave between neighbouring voices, the lowest pair excepted."""

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
        """Share of frames with crossing voices, 0 to 1."""
        return self.crossed / max(self.frames, 1)


def check(pieces: Sequence[NDArray[np.integer]]) -> VoiceLeading:
    """Counts of parallels, crossings and wide spacing in pieces.

    Args:
        pieces: pitches of each piece, shape (n_frames, n_voices), highest voice first; 0 or less = rest.
    """
    frames = changes = crossed = spread = 0
    parallels = dict.fromkeys(PERFECT, 0)
    for piece in pieces:
        old, new = piece[:-1], piece[1:]
        frames += len(piece)
        changes += int((old != new).any(axis=1).sum())
        upper, lower = piece[:, :-1], piece[:, 1:]
        both = (upper > 0) & (lower > 0)
        crossed += int((both & (upper < lower)).any(axis=1).sum())
        spread += int((both & (upper - lower > 12))[:, : piece.shape[1] - 2].any(axis=1).sum())
        for i in range(piece.shape[1]):
            for j in range(i + 1, piece.shape[1]):
                sung = (old[:, [i, j]] > 0).all(axis=1) & (new[:, [i, j]] > 0).all(axis=1)
                step = new[:, i] - old[:, i]
                together = sung & (step != 0) & (step == new[:, j] - old[:, j])
                for interval in PERFECT:
                    parallels[interval] += int((together & ((old[:, i] - old[:, j]) % 12 == interval)).sum())
    return VoiceLeading(frames, changes, parallels[7], parallels[0], crossed, spread)
