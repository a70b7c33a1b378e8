"""Name pitches: which of F sharp and G flat a key and its mode call for."""

from __future__ import annotations

from typing import Final, NamedTuple

from troubadour.music.score import Key

_STEPS: Final = "FCGDAEB"
_MINORISH: Final = ("minor", "dorian", "phrygian", "locrian")
_NATURAL: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Spelling(NamedTuple):
    """A written pitch."""

    step: str
    alter: int
    """-2 to 2 semitones."""
    octave: int


def spell(pitch: int, key: Key) -> Spelling:
    """Name a MIDI pitch in a key, from a window of twelve fifths around its signature.

    In major the window reaches from the flat third to the raised fifth; in minor two fifths
    further to the sharp side, for the raised sixth and seventh and the leading note of the
    dominant (as Temperley's line of fifths has it, 2001).
    """
    low = key.fifths - (2 if key.mode in _MINORISH else 3)
    fifth = (pitch % 12) * 7 % 12  # place on the line of fifths, C = 0, modulo 12
    fifth += -(-(low - fifth) // 12) * 12
    step = _STEPS[(fifth + 1) % 7]
    alter = (fifth + 1) // 7
    return Spelling(step, alter, (pitch - alter - _NATURAL[step]) // 12 - 1)


def signature(fifths: int) -> dict[str, int]:
    """Alterations that a signature puts on steps."""
    if fifths >= 0:
        return dict.fromkeys(_STEPS[:fifths], 1)
    return dict.fromkeys(_STEPS[fifths:], -1)
