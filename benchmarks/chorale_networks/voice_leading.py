"""Pitches of a voice that make no parallels with the voices already decided in a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from troubadour.generation.evaluation.voice_leading import PERFECT

from .voices import PITCHES

_PLACE = np.arange(1, PITCHES + 1)


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
