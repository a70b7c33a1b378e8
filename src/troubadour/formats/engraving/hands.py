"""Split keyboard music on one track between two hands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.score import Column

_SPLITS: Final = np.arange(47, 75)
"""Lowest pitch of the right hand, as a choice."""
_SPAN: Final = 13
"""Semitones that one hand reaches."""
_MOVE: Final = 0.12
"""Cost of a semitone by which the split moves from one chord to the next."""


def needs_two_staves(pitch: Column, onset: Column) -> bool:
    """Whether keyboard music is too wide for one staff: enough notes both well below and above middle C."""
    if not len(pitch):
        return False
    low, high = float((pitch < 57).mean()), float((pitch > 62).mean())
    chordal = len(np.unique(onset)) < 0.85 * len(onset)
    wide = int(pitch.max()) - int(pitch.min()) > 24
    return bool(wide and min(low, high) > (0.08 if chordal else 0.2))


def right_hand(onset: Column, pitch: Column) -> NDArray[np.bool_]:
    """Which notes the right hand plays, shape (n_notes,).

    A Viterbi path over the chords: each hand reaches an octave, gaps between the hands are wide,
    and the split stays near middle C and moves little. Costs about 1 ms for 1,000 notes.
    """
    starts, row = np.unique(onset, return_inverse=True)
    costs = np.zeros((len(starts), len(_SPLITS)))
    for i in range(len(starts)):
        costs[i] = _chord_costs(np.sort(pitch[row == i]).tolist())
    move = _MOVE * np.abs(_SPLITS[:, None] - _SPLITS[None, :])
    back = np.zeros(costs.shape, dtype=np.int64)
    total = costs[0].copy() if len(starts) else np.zeros(len(_SPLITS))
    for i in range(1, len(starts)):
        step = total[:, None] + move
        back[i] = step.argmin(axis=0)
        total = step.min(axis=0) + costs[i]
    path = np.zeros(len(starts), dtype=np.int64)
    if len(starts):
        path[-1] = int(total.argmin())
        for i in range(len(starts) - 1, 0, -1):
            path[i - 1] = back[i, path[i]]
    found: NDArray[np.bool_] = pitch >= _SPLITS[path][row]
    return found


def _chord_costs(chord: Sequence[int]) -> NDArray[np.float64]:
    out = np.abs(_SPLITS - 60) * 0.04
    for i, split in enumerate(_SPLITS.tolist()):
        left, right = [p for p in chord if p < split], [p for p in chord if p >= split]
        for hand in (left, right):
            if hand:
                out[i] += 0.6 * max(0, hand[-1] - hand[0] - _SPAN)
        if left and right:
            out[i] -= 0.1 * min(right[0] - left[-1], 12)
        out[i] += sum(0.12 * max(0, p - 64) for p in left) + sum(0.12 * max(0, 55 - p) for p in right)
    return out
