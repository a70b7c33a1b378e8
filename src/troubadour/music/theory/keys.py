"""Keys: a signature in fifths and a mode."""

from __future__ import annotations

from typing import Final, NamedTuple

from troubadour.music.theory.names import fifth_of, name_of

MODES: Final = ("major", "minor", "dorian", "mixolydian", "lydian", "phrygian", "locrian")
MODE_FIFTHS: Final = {
    "major": 0, "minor": -3, "dorian": -2, "mixolydian": -1, "lydian": 1, "phrygian": -4, "locrian": -5,
}  # fmt: skip
"""Sharps that the signature of a mode has more than that of the major key on the same tonic."""
MINOR_MODES: Final = ("minor", "dorian", "phrygian", "locrian")
"""Modes with a minor third."""
TONICS: Final = {name_of(fifth): fifth for fifth in range(-8, 13)}
"""Places on the line of fifths of the names that a tonic can have, `Fb` to `B#`."""


class Key(NamedTuple):
    """A key from `tick` on: signature and mode."""

    tick: int
    fifths: int
    """Sharps of the signature (negative: flats), -7 to 7."""
    mode: str
    """One of `MODES`."""

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic, 0 (C) to 11."""
        return (self.fifths - MODE_FIFTHS[self.mode]) * 7 % 12

    @property
    def tonic_name(self) -> str:
        """Name of the tonic: `D`, `Bb`, `F#`."""
        return name_of(self.fifths - MODE_FIFTHS[self.mode])

    @property
    def name(self) -> str:
        """Tonic and mode: `D dorian`, `Bb major`."""
        return f"{self.tonic_name} {self.mode}"


def signature_fifths(tonic: str, mode: str) -> int:
    """Sharps (negative: flats) of the signature of a key; beyond -7 to 7 no key is written so.

    Args:
        tonic: name such as `D` or `Bb`.
        mode: one of `MODES`.

    Raises:
        InputError: the tonic is no name of a note.

    >>> signature_fifths("D", "dorian"), signature_fifths("Bb", "major"), signature_fifths("G#", "major")
    (0, -2, 8)
    """
    return fifth_of(tonic) + MODE_FIFTHS[mode]


def simplest_signature(fifths: int, before: int = 0) -> int:
    """The enharmonic signature with the fewest accidentals, -6 to 6.

    Args:
        before: signature that the key is derived from; if it has sharps, six sharps are preferred to
            six flats.

    >>> simplest_signature(8), simplest_signature(-7), simplest_signature(6), simplest_signature(6, before=1)
    (-4, 5, -6, 6)
    """
    wrapped = (fifths + 6) % 12 - 6
    return 6 if wrapped == -6 and before > 0 else wrapped
