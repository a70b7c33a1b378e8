"""Strength of the final cadence of a piece, a criterion for ranking candidates."""

from __future__ import annotations

from typing import Final

import numpy as np

from troubadour.music.score import Score

_APPROACH: Final = {7: 0.25, 5: 0.15, 11: 0.15, 2: 0.1}
"""Points for the last bass note but one, by its semitones above the tonic: V, IV, leading note, II."""


def cadence_strength(score: Score) -> float:
    """Strength of the final cadence of a quantised score, 0 (none) to 1 (full close).

    A single voice gets 0.5 for the tonic as its last note, 0.25 for an approach by step, third, fourth or
    fifth, and 0.25 for a last note of at least a quarter. Several voices get 0.25 each for a common last
    onset with notes of at least a quarter, for the tonic in the bass, for a dominant before it (less for
    its substitutes), and for a third in the last chord.
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
