"""Where the instruments of a drum set stand on the staff, and their noteheads (Weinberg, 1998)."""

from __future__ import annotations

from typing import Final, NamedTuple


class Drum(NamedTuple):
    """One General MIDI percussion sound."""

    name: str
    step: str
    octave: int
    head: str
    """MusicXML's notehead; empty for the usual one."""
    foot: bool
    """Whether a foot plays it: stems down, in a voice of its own."""


def _drum(name: str, place: str, head: str = "", foot: bool = False) -> Drum:
    return Drum(name, place[0], int(place[1]), head, foot)


DRUMS: Final = {
    35: _drum("Acoustic Bass Drum", "E4", foot=True),
    36: _drum("Bass Drum", "F4", foot=True),
    37: _drum("Side Stick", "C5", "x"),
    38: _drum("Snare Drum", "C5"),
    39: _drum("Hand Clap", "C5", "slash"),
    40: _drum("Electric Snare", "C5"),
    41: _drum("Low Floor Tom", "G4"),
    42: _drum("Closed Hi-hat", "G5", "x"),
    43: _drum("High Floor Tom", "A4"),
    44: _drum("Pedal Hi-hat", "D4", "x", foot=True),
    45: _drum("Low Tom", "B4"),
    46: _drum("Open Hi-hat", "G5", "circle-x"),
    47: _drum("Low-mid Tom", "D5"),
    48: _drum("High-mid Tom", "D5"),
    49: _drum("Crash Cymbal", "A5", "x"),
    50: _drum("High Tom", "E5"),
    51: _drum("Ride Cymbal", "F5", "x"),
    52: _drum("China Cymbal", "B5", "x"),
    53: _drum("Ride Bell", "F5", "diamond"),
    54: _drum("Tambourine", "B4", "triangle"),
    55: _drum("Splash Cymbal", "B5", "x"),
    56: _drum("Cowbell", "E5", "triangle"),
    57: _drum("Crash Cymbal 2", "A5", "x"),
    59: _drum("Ride Cymbal 2", "F5", "x"),
    70: _drum("Maracas", "B5", "x"),
    75: _drum("Claves", "E5", "x"),
    81: _drum("Open Triangle", "B5", "triangle"),
}
_STEPS: Final = ("E", "F", "G", "A", "B", "C", "D")


def drum_of(pitch: int) -> Drum:
    """Name, place and notehead of a percussion key; those of no set stand on places by turns."""
    if pitch in DRUMS:
        return DRUMS[pitch]
    place = pitch % 8 + 1
    return Drum(f"Percussion {pitch}", _STEPS[place % 7], 4 if place < 5 else 5, "triangle", False)
