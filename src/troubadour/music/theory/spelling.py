"""Spelling of pitches in a key: F sharp or G flat."""

from __future__ import annotations

from typing import NamedTuple

from troubadour.music.theory.keys import MINOR_MODES, Key
from troubadour.music.theory.names import FIFTHS_ORDER, NATURALS, fifth_in


class Spelling(NamedTuple):
    """A written pitch."""

    step: str
    """Letter, A to G."""
    alter: int
    """Semitones by which accidentals alter the letter, -2 to 2."""
    octave: int
    """Octave of the letter; 4 starts at middle C."""


def spell(pitch: int, key: Key) -> Spelling:
    """Spell a MIDI pitch in a key, from a window of twelve fifths around its signature.

    In major the window reaches from the flat third to the raised fifth; in modes with a minor third
    one fifth further to the sharp side, for the raised sixth and seventh and the leading note of the
    dominant (Temperley's line of fifths, 2001).

    >>> spell(68, Key(0, 0, "minor"))
    Spelling(step='G', alter=1, octave=4)
    """
    fifth = fifth_in(pitch, key.fifths - (2 if key.mode in MINOR_MODES else 3))
    alter, letter = divmod(fifth + 1, 7)
    step = FIFTHS_ORDER[letter]
    return Spelling(step, alter, (pitch - alter - NATURALS[step]) // 12 - 1)


def signature(fifths: int) -> dict[str, int]:
    """Alterations in semitones that a signature gives to letters; letters without one are left out.

    >>> signature(2), signature(-1)
    ({'F': 1, 'C': 1}, {'B': -1})
    """
    if fifths >= 0:
        return dict.fromkeys(FIFTHS_ORDER[:fifths], 1)
    return dict.fromkeys(FIFTHS_ORDER[fifths:], -1)
