"""Difficulty of a score for a player, independent of the instrument: a weighted sum of features.

The features follow studies of sight-reading and grading (Sebastien et al. 2012; Chiu & Chen 2012): note
rate, range, leaps, number of simultaneous notes, rhythmic variety, syncopation, chromatic notes. Each is
scaled between an easy and a hard value of common music. The weights are set by hand, not fitted to
teachers' grades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from troubadour.music.features import attributes
from troubadour.music.score import Score

_PARTS: Final = {
    # attribute: (label, easy value, hard value, weight)
    "notes_per_second": ("speed", 1.0, 10.0, 0.30),
    "range_semitones": ("range", 7.0, 40.0, 0.15),
    "leaps": ("leaps", 0.05, 0.45, 0.15),
    "polyphony": ("notes at once", 1.0, 4.0, 0.15),
    "rhythm_entropy": ("variety of rhythm", 0.3, 2.8, 0.10),
    "syncopation": ("syncopation", 0.0, 0.3, 0.075),
    "out_of_scale": ("notes outside the key", 0.0, 0.2, 0.075),
}


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Difficulty of a score with the contribution of each feature."""

    level: float
    """0 (a beginner's first tune) to 1 (virtuoso)."""
    word: str
    """`easy`, `moderate` or `hard`."""
    parts: tuple[tuple[str, float, float], ...]
    """(label, measured value, contribution to the level), largest contribution first."""


def find_difficulty(score: Score, known: Mapping[str, float | str] | None = None) -> Difficulty | None:
    """Difficulty of a quantised score; None for a score without notes.

    Args:
        score: quantised score.
        known: `features.attributes` of the score, if already computed.
    """
    if not len(score):
        return None
    found = dict(known or attributes(score))
    found["out_of_scale"] = 1.0 - float(found["in_scale"]) if float(found["drums"]) < 1 else 0.0
    parts: list[tuple[str, float, float]] = []
    for name, (what, easy, hard, weight) in _PARTS.items():
        value = float(found[name])
        level = min(max((value - easy) / (hard - easy), 0.0), 1.0)
        parts.append((what, round(value, 3), round(level * weight, 4)))
    level = sum(p[2] for p in parts)
    word = "easy" if level < 0.25 else "moderate" if level < 0.5 else "hard"
    return Difficulty(round(level, 4), word, tuple(sorted(parts, key=lambda p: -p[2])))
