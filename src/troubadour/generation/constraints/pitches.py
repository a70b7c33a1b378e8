"""Constraint on the pitches of each voice: range, highest and lowest pitch, scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from troubadour.generation.constraints.base import Stateless, keep_pitches
from troubadour.music.score import Key
from troubadour.tokens.grammar import Automaton, Mask, Phase

_STEPS: Final = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
}


def scale(fifths: int, mode: str) -> frozenset[int]:
    """Pitch classes of a key; minor has both forms of the sixth and seventh (natural, harmonic and melodic).

    Args:
        fifths: key signature, -7 to 7.
        mode: one of `MODES`.

    >>> sorted(scale(1, "major"))
    [0, 2, 4, 6, 7, 9, 11]
    """
    tonic = Key(0, fifths, mode).tonic
    return frozenset((tonic + step) % 12 for step in _STEPS[mode])


@dataclass(frozen=True, slots=True)
class Pitches(Stateless):
    """Limits each voice to a set of pitches."""

    sets: tuple[Mask, ...]
    """One mask a voice, shape (128,)."""

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Remove the pitches outside the set of the voice."""
        if automaton.phase != Phase.LENGTH and automaton.voice < len(self.sets):
            keep_pitches(mask, self.sets[automaton.voice])
