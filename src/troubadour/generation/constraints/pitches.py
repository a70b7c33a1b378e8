"""Constraint on the pitches of each voice: range, highest and lowest pitch, scale."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.generation.constraints.base import Stateless, keep_pitches
from troubadour.music.theory import scales
from troubadour.tokens.grammar import Automaton, Mask, Phase


def scale(fifths: int, mode: str) -> frozenset[int]:
    """Pitch classes of a key; minor has both forms of the sixth and seventh (natural, harmonic and melodic).

    Args:
        fifths: key signature, -7 to 7.
        mode: one of `MODES`.

    >>> sorted(scale(1, "major"))
    [0, 2, 4, 6, 7, 9, 11]
    """
    return scales.scale(fifths, mode, raised=(6, 7) if mode == "minor" else ())


@dataclass(frozen=True, slots=True)
class Pitches(Stateless):
    """Limits each voice to a set of pitches."""

    sets: tuple[Mask, ...]
    """One mask a voice, shape (128,)."""

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Remove the pitches outside the set of the voice."""
        if automaton.phase != Phase.LENGTH and automaton.voice < len(self.sets):
            keep_pitches(mask, self.sets[automaton.voice])
