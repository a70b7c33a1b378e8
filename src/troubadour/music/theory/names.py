"""Names of notes on the line of fifths: `Bb` is -2, `F` -1, `C` 0, `G` 1 ... `F#` 6.

A place on the line says how a note is spelt, which a pitch class does not: F sharp is 6, G flat is
-6, and both have the pitch class 6 (Temperley, The Cognition of Basic Musical Structures, 2001,
chapter 5).
"""

from __future__ import annotations

import re
from typing import Final

from troubadour.core.errors import InputError

FIFTHS_ORDER: Final = "FCGDAEB"
"""The natural notes along the line of fifths; the order of sharps in a signature, reversed that of flats."""
NATURALS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Pitch classes of the natural notes."""
_NAME: Final = re.compile(r"([A-G])(##|bb|[#b♯♭𝄪𝄫]?)")
_WITH_OCTAVE: Final = re.compile(r"([A-Ga-g])([#b]?)(-?\d{1,2})", re.ASCII)
_SHIFTS: Final = {"": 0, "#": 7, "♯": 7, "##": 14, "𝄪": 14, "b": -7, "♭": -7, "bb": -14, "𝄫": -14}


def fifth_of(name: str) -> int:
    """The place of a name on the line of fifths, C being 0.

    Args:
        name: a letter A to G, then `#`, `b`, `##`, `bb`, or these as signs of Unicode.

    Raises:
        InputError: the text is no such name.

    >>> fifth_of("C"), fifth_of("F#"), fifth_of("Bb"), fifth_of("E♭")
    (0, 6, -2, -3)
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(f"note is '{name}'; allowed: a letter A to G with # or b, such as F# or Bb")
    return FIFTHS_ORDER.index(found[1]) - 1 + _SHIFTS[found[2]]


def name_of(fifth: int) -> str:
    """The name at a place on the line of fifths; the inverse of `fifth_of`.

    >>> name_of(0), name_of(6), name_of(-2), name_of(14)
    ('C', 'F#', 'Bb', 'C##')
    """
    accidentals, letter = divmod(fifth + 1, 7)
    return FIFTHS_ORDER[letter] + ("#" * accidentals if accidentals > 0 else "b" * -accidentals)


def pitch_class(name: str) -> int:
    """The pitch class of a name, 0 (C) to 11.

    Raises:
        InputError: the text is no name of a note.

    >>> pitch_class("F#"), pitch_class("Gb"), pitch_class("Cb")
    (6, 6, 11)
    """
    return fifth_of(name) * 7 % 12


def fifth_in(pitch: int, lowest: int) -> int:
    """The place of a MIDI pitch within the twelve places of the line of fifths from `lowest` on.

    >>> fifth_in(61, -3), fifth_in(61, -5)
    (7, -5)
    """
    place = pitch * 7 % 12
    return place + -(-(lowest - place) // 12) * 12


def pitch_of(text: str) -> int:
    """The MIDI pitch of a name with its octave, such as `C4`, `F#5` or `bb3`, or of a number as text.

    Raises:
        InputError: the text is neither, or the pitch lies outside 0 to 127.

    >>> pitch_of("C4"), pitch_of("Bb3"), pitch_of("61")
    (60, 58, 61)
    """
    word = text.strip()
    pitch = -1
    if re.fullmatch(r"\d{1,3}", word, re.ASCII):
        pitch = int(word)
    elif found := _WITH_OCTAVE.fullmatch(word):
        letter, accidental, octave = found.groups()
        alter = {"": 0, "#": 1, "b": -1}[accidental]
        pitch = 12 * (int(octave) + 1) + NATURALS[letter.upper()] + alter
    if not 0 <= pitch <= 127:
        raise InputError(f"note is '{text}'; allowed: MIDI pitches 0 to 127 or names such as C4, F#5, Bb3")
    return pitch


def note_name(pitch: int) -> str:
    """The name of a MIDI pitch with its octave, as C major spells it (E flat to G sharp); 60 is `C4`.

    >>> note_name(60), note_name(61), note_name(70), note_name(0)
    ('C4', 'C#4', 'Bb4', 'C-1')
    """
    return f"{name_of(fifth_in(pitch, -3))}{pitch // 12 - 1}"
