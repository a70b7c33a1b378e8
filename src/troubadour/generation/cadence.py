"""How well a piece comes to its end, for choosing among candidates."""

from __future__ import annotations

from typing import Final

import numpy as np

from troubadour.music.score import Score

_APPROACH: Final = {7: 0.25, 5: 0.15, 11: 0.15, 2: 0.1}
"""What the bass is worth a step before the tonic, by its distance above it: V, IV, the leading note, II."""


def cadence_strength(score: Score) -> float:
    """0 (breaks off) to 1 (a full close) of a quantised score.

    A melody gets half for ending on the tonic, a quarter for coming there by step or by a third,
    fourth or fifth, and a quarter for a last note of a quarter or more. Several voices get a quarter
    each for ending together, for the tonic in the bass, for a dominant (or what often stands for
    it) before it, and for a third in the last chord.
    """
    lines = [np.flatnonzero(score.track == i) for i, t in enumerate(score.tracks) if not t.is_drum]
    lines = [line for line in lines if len(line) > 1]
    if not lines:
        return 0.0
    tonic = score.keys[-1].tonic
    quarter = score.ticks_per_quarter
    if len(lines) == 1:
        before, last = lines[0][-2:]
        leap = abs(int(score.pitch[last]) - int(score.pitch[before]))
        home = 0.5 * (score.pitch[last] % 12 == tonic)
        return float(home + 0.25 * (leap in (1, 2, 3, 4, 5, 7)) + 0.25 * (score.duration[last] >= quarter))
    lasts = [line[-1] for line in lines]
    bass = min(lines, key=lambda line: float(score.pitch[line].mean()))
    onset = score.onset[lasts]
    together = bool((onset == onset[0]).all()) and int(score.duration[lasts].min()) >= quarter
    approach = (int(score.pitch[bass[-2]]) - tonic) % 12
    chord = {(int(p) - tonic) % 12 for p in score.pitch[lasts]}
    strength = 0.25 * together + 0.25 * (score.pitch[bass[-1]] % 12 == tonic)
    return float(strength + _APPROACH.get(approach, 0.0) + 0.25 * bool(chord & {3, 4}))
