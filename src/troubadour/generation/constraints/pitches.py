"""Which pitches each voice may sound at all: range, highest and lowest note, scale."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.generation.constraints.base import Stateless, keep_pitches
from troubadour.music.theory import scales
from troubadour.tokens.grammar import Automaton, Mask, Phase


def scale(fifths: int, mode: str) -> frozenset[int]:
    """Pitch classes of a key; minor with its sixth and seventh natural and raised (harmonic, melodic).

    >>> sorted(scale(1, "major"))
    [0, 2, 4, 6, 7, 9, 11]
    """
    return scales.scale(fifths, mode, raised=(6, 7) if mode == "minor" else ())


@dataclass(frozen=True, slots=True)
class Pitches(Stateless):
    """Each voice keeps to a set of pitches of its own."""

    sets: tuple[Mask, ...]
    """One mask a voice, shape (128,)."""

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Strike out what is not in the voice's set."""
        if automaton.phase != Phase.LENGTH and automaton.lane < len(self.sets):
            keep_pitches(mask, self.sets[automaton.lane])
