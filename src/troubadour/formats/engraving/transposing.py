"""Transposing instruments: what they read where they sound, and the key that stands before it."""

from __future__ import annotations

from typing import Final, NamedTuple

from troubadour.music.score import Key

_MOST_FIFTHS: Final = 6
"""A signature of seven accidentals is written as the one of five."""


class Transposition(NamedTuple):
    """From written to sounding pitch, as in MusicXML's `transpose`."""

    diatonic: int
    """Steps of the scale."""
    chromatic: int
    """Semitones."""
    octaves: int = 0
    """Octaves beside these."""

    @property
    def semitones(self) -> int:
        """From written to sounding pitch in all."""
        return self.chromatic + 12 * self.octaves

    @property
    def fifths(self) -> int:
        """Sharps that the sounding signature has more than the written one."""
        return 7 * self.chromatic - 12 * self.diatonic


CONCERT: Final = Transposition(0, 0)
_B_FLAT, _E_FLAT, _F = Transposition(-1, -2), Transposition(-5, -9), Transposition(-4, -7)
_DOWN, _UP = Transposition(0, 0, -1), Transposition(0, 0, 1)
_BY_PROGRAM: Final = {
    8: _UP, 9: Transposition(0, 0, 2), 13: _UP, **dict.fromkeys(range(32, 40), _DOWN), 43: _DOWN,
    56: _B_FLAT, 59: _B_FLAT, 60: _F, 64: _B_FLAT, 65: _E_FLAT, 66: _B_FLAT._replace(octaves=-1),
    67: _E_FLAT._replace(octaves=-1), 69: _F, 71: _B_FLAT, 72: _UP, 78: _UP,
}  # fmt: skip
# Middle lines of the staves of octave-transposing instruments; written notes should lie about them.
_MIDDLE: Final = {8: 71, 9: 71, 13: 71, 72: 71, 78: 71, **dict.fromkeys((*range(32, 40), 43), 50)}


def transposition_of(program: int, mean_pitch: float) -> Transposition:
    """How a General MIDI program is written.

    Args:
        mean_pitch: of the notes as they sound. An instrument that is written an octave away is
            written at pitch where that lies nearer to its staff.
    """
    found = _BY_PROGRAM.get(program, CONCERT)
    middle = _MIDDLE.get(program)
    if middle is not None and abs(mean_pitch - found.semitones - middle) > abs(mean_pitch - middle) + 3:
        return CONCERT
    return found


def written_key(key: Key, transposition: Transposition) -> tuple[Key, Transposition]:
    """The key that a transposing instrument reads, and the interval in that spelling.

    Where the plain interval would need seven accidentals or more, the enharmonic key is written.

    >>> written_key(Key(0, 0, "major"), Transposition(-1, -2))[0].name
    'D major'
    >>> written_key(Key(0, 5, "major"), Transposition(-5, -9))
    (Key(tick=0, fifths=-4, mode='major'), Transposition(diatonic=-6, chromatic=-9, octaves=0))
    """
    fifths = key.fifths - transposition.fifths
    diatonic = transposition.diatonic
    if transposition.fifths:
        if fifths > _MOST_FIFTHS:
            fifths, diatonic = fifths - 12, diatonic - 1
        elif fifths < -_MOST_FIFTHS:
            fifths, diatonic = fifths + 12, diatonic + 1
    return key._replace(fifths=fifths), transposition._replace(diatonic=diatonic)
