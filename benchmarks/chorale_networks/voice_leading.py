"""Pitches of a voice without parallels to the decided voices of a frame."""

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
    """Ids of a voice without parallels to the decided voices of this frame.

    Holds and rests are always allowed. Stricter than `check`: a fifth reached
    from a fifth by contrary motion is excluded, too.

    Args:
        before: ids of the frame before, (4,).
        frame: ids of this frame; only those of `given` are valid.
        voice: voice to decide.
        given: decided voices.
        crossing: whether voices may cross; if not, a voice without an allowed pitch rests.

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
