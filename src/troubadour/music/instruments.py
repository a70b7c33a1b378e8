"""General MIDI instruments: names of programs and playable ranges."""

from __future__ import annotations

import difflib
from typing import Final

from troubadour.core.errors import InputError

NAMES: Final = (
    "piano", "bright piano", "electric grand", "honky-tonk", "electric piano", "electric piano 2",
    "harpsichord", "clavinet", "celesta", "glockenspiel", "music box", "vibraphone", "marimba",
    "xylophone", "tubular bells", "dulcimer", "drawbar organ", "percussive organ", "rock organ", "organ",
    "reed organ", "accordion", "harmonica", "bandoneon", "guitar", "steel guitar", "jazz guitar",
    "electric guitar", "muted guitar", "overdriven guitar", "distorted guitar", "guitar harmonics",
    "acoustic bass", "bass guitar", "picked bass", "fretless bass", "slap bass", "slap bass 2",
    "synth bass", "synth bass 2", "violin", "viola", "cello", "double bass", "tremolo strings",
    "pizzicato", "harp", "timpani", "strings", "slow strings", "synth strings", "synth strings 2",
    "choir", "voice", "synth voice", "orchestra hit", "trumpet", "trombone", "tuba", "muted trumpet",
    "horn", "brass", "synth brass", "synth brass 2", "soprano sax", "alto sax", "tenor sax",
    "baritone sax", "oboe", "english horn", "bassoon", "clarinet", "piccolo", "flute", "recorder",
    "pan flute", "bottle", "shakuhachi", "whistle", "ocarina", "square lead", "saw lead", "calliope",
    "chiff lead", "charang", "voice lead", "fifths lead", "bass lead", "new age pad", "warm pad",
    "polysynth", "choir pad", "bowed pad", "metallic pad", "halo pad", "sweep pad", "rain",
    "soundtrack", "crystal", "atmosphere", "brightness", "goblins", "echoes", "sci-fi", "sitar",
    "banjo", "shamisen", "koto", "kalimba", "bagpipe", "fiddle", "shanai", "tinkle bell", "agogo",
    "steel drums", "woodblock", "taiko", "melodic tom", "synth drum", "reverse cymbal", "fret noise",
    "breath noise", "seashore", "bird tweet", "telephone", "helicopter", "applause", "gunshot",
)  # fmt: skip
_RANGES: Final = {
    6: (29, 89), 8: (60, 108), 9: (79, 108), 11: (53, 89), 12: (45, 96), 13: (65, 108), 14: (60, 77),
    15: (60, 84), 19: (36, 96), 21: (41, 96), 22: (48, 96), 24: (40, 88), 25: (40, 88), 32: (28, 60),
    33: (28, 60), 40: (55, 100), 41: (48, 86), 42: (36, 77), 43: (28, 60), 45: (36, 96), 46: (24, 103),
    47: (38, 57), 48: (28, 100), 49: (28, 100), 52: (38, 81), 53: (43, 84), 56: (54, 84), 57: (40, 74),
    58: (28, 58), 59: (54, 84), 60: (41, 77), 61: (34, 84), 64: (56, 88), 65: (49, 81), 66: (44, 76),
    67: (36, 69), 68: (58, 91), 69: (52, 81), 70: (34, 74), 71: (50, 91), 72: (74, 108), 73: (60, 96),
    74: (60, 86), 75: (60, 96), 77: (55, 86), 78: (74, 96), 79: (60, 89), 104: (48, 79), 105: (48, 86),
    107: (50, 91), 108: (60, 84), 109: (57, 79), 110: (55, 100), 114: (52, 89),
}  # fmt: skip
_KEYBOARD: Final = (21, 108)


def program_of(name: str) -> int:
    """The General MIDI program (0 to 127) of a name, or of a number as text.

    Raises:
        InputError: the instrument is not known; the message lists similar names.

    >>> program_of("Flute"), program_of("40")
    (73, 40)
    """
    text = name.strip().lower()
    if text.isdigit() and int(text) < len(NAMES):
        return int(text)
    if text in NAMES:
        return NAMES.index(text)
    near = difflib.get_close_matches(text, NAMES, n=3)
    hint = f"; similar: {', '.join(near)}" if near else ""
    raise InputError(f"instrument is '{name}'; allowed: a General MIDI name or program 0 to 127{hint}")


def playable(program: int) -> tuple[int, int]:
    """Lowest and highest playable MIDI pitch of a General MIDI program; that of a piano if none is known.

    >>> playable(73)
    (60, 96)
    """
    return _RANGES.get(program, _KEYBOARD)
