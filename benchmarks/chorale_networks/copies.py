"""Copy features: the longest earlier match of the current passage, and its continuation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BEAT = 4
_STEPS = np.array([1, 4, 8, 12, 16, 24, 32, 48])
MATCH_LEVELS = len(_STEPS) + 1


class Passages:
    """Longest earlier passage equal to the last frames, whole beats back and at least a beat long.

    State grows with the piece; a step costs O(earlier frames).
    """

    def __init__(self) -> None:
        # How many frames before each place equal those that came last.
        self._equal = np.zeros(1, dtype=np.int64)

    def add(self, agree: NDArray[np.bool_]) -> None:
        """Add one frame; the argument says which earlier frames equal it, (earlier frames,)."""
        self._equal = np.pad(np.where(agree, self._equal[:-1] + 1, 0), 1)

    def longest(self) -> tuple[int, int]:
        """The place after that passage (the latest of equals) and the level of its length, 2 (a beat) to
        8 (twelve beats); (-1, 0) if there is none."""
        time = len(self._equal) - 1
        whole = self._equal[time % BEAT : time : BEAT]
        if not len(whole) or whole.max() < BEAT:
            return -1, 0
        best = len(whole) - 1 - int(whole[::-1].argmax())
        return time % BEAT + BEAT * best, int(np.searchsorted(_STEPS, whole[best], side="right"))
