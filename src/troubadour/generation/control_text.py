"""How people write the values of the composing controls: keys, metres, notes, ranges, instruments.

Each parser takes text as on the command line, or the value as JSON holds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from troubadour.core.errors import InputError
from troubadour.music.instruments import NAMES, program_of
from troubadour.music.theory.keys import MODES, TONICS, Key, signature_fifths
from troubadour.music.theory.metre import Metre
from troubadour.music.theory.names import pitch_of

_TICKS_PER_QUARTER: Final = 24
_DENOMINATORS: Final = (1, 2, 4, 8, 16, 32)


class GivenNote(NamedTuple):
    """A note that the piece must contain."""

    voice: int
    """From 1, the highest."""
    onset: int
    """Ticks from the first whole bar, 24 a quarter."""
    duration: int
    """Ticks."""
    pitch: int
    """MIDI pitch."""


def parse_key(text: str) -> tuple[int, str]:
    """`D`, `D dorian`, `Bb minor`, `f# minor`, `Am` as (fifths, mode).

    Raises:
        InputError: no such key; the message says what is allowed.
    """
    words = text.replace("_", " ").split()
    tonic, mode = (words[0], words[1].lower()) if len(words) == 2 else (words[0] if words else "", "major")
    if len(words) == 1 and tonic.endswith("m") and len(tonic) > 1:
        tonic, mode = tonic[:-1], "minor"
    mode = {"maj": "major", "min": "minor", "aeolian": "minor", "ionian": "major"}.get(mode, mode)
    allowed = f"a tonic A to G with # or b, and one of {', '.join(MODES)} (such as 'D dorian')"
    if len(words) not in (1, 2) or tonic.capitalize() not in TONICS or mode not in MODES:
        raise InputError(f"key is '{text}'; allowed: {allowed}")
    fifths = signature_fifths(tonic.capitalize(), mode)
    if not -7 <= fifths <= 7:
        raise InputError(f"key '{text}' would need {abs(fifths)} accidentals; allowed: up to 7")
    return fifths, mode


def check_key(key: tuple[int, str]) -> None:
    """Check (fifths, mode).

    Raises:
        InputError: too many accidentals, or no such mode.
    """
    if not (-7 <= key[0] <= 7 and key[1] in MODES):
        raise InputError(f"key is {key}; allowed: -7 to 7 fifths and one of {', '.join(MODES)}")


def key_name(key: tuple[int, str]) -> str:
    """(2, "major") as `D major`."""
    return Key(0, *key).name


def parse_metre(text: str) -> tuple[int, int]:
    """`6/8` as (6, 8).

    Raises:
        InputError: not a metre, or shorter than 1/8 or longer than 16/4.
    """
    found = re.fullmatch(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*", text)
    if not found:
        raise InputError(f"metre is '{text}'; allowed: two numbers such as 4/4, 6/8 or 3/2")
    metre = int(found[1]), int(found[2])
    check_metre(metre)
    return metre


def check_metre(metre: tuple[int, int]) -> None:
    """Check (numerator, denominator).

    Raises:
        InputError: shorter than 1/8, longer than 16/4, or another denominator.
    """
    numerator, denominator = metre
    fits = denominator in _DENOMINATORS and 1 <= numerator <= 64
    if not fits or not 12 <= Metre(0, numerator, denominator).bar_ticks(_TICKS_PER_QUARTER) <= 384:
        allowed = "1/8 to 16/4, with denominators 1, 2, 4, 8, 16 or 32"
        raise InputError(f"metre is {numerator}/{denominator}; allowed: {allowed}")


def metre_name(metre: tuple[int, int]) -> str:
    """(6, 8) as `6/8`."""
    return Metre(0, *metre).name


def parse_pitch(value: str | int) -> int:
    """`60` or `C4`, `F#5`, `Bb3` as a MIDI pitch.

    Raises:
        InputError: no such note.

    >>> parse_pitch("C4"), parse_pitch("Bb3"), parse_pitch(61)
    (60, 58, 61)
    """
    return value if isinstance(value, int) else pitch_of(value)


def parse_ranges(value: str | Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """`60-79,C3-A4`, or a list of pairs, as lowest and highest pitch of each voice.

    Raises:
        InputError: not two notes each.

    >>> parse_ranges("60-79,C3-A4"), parse_ranges([[60, "G5"]])
    (((60, 79), (48, 69)), ((60, 79),))
    """
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(_range(part) for part in parts)


def check_ranges(ranges: Sequence[tuple[int, int]]) -> None:
    """Check pairs of MIDI pitches.

    Raises:
        InputError: a pitch is out of range, or the second is below the first.
    """
    for low, high in ranges:
        if not 0 <= low <= high <= 127:
            raise InputError(f"range is {low} to {high}; allowed: two MIDI pitches from 0 to 127, rising")


def parse_instruments(value: str | Sequence[str]) -> tuple[int, ...]:
    """`violin,cello`, or a list of names, as General MIDI programs.

    Raises:
        InputError: no such instrument; the message names the nearest.
    """
    names = value.split(",") if isinstance(value, str) else value
    return tuple(program_of(name) for name in names)


def check_instruments(programs: Sequence[int]) -> None:
    """Check General MIDI programs.

    Raises:
        InputError: a program is out of range, or there are none or more than eight.
    """
    for program in programs:
        if not 0 <= program <= 127:
            raise InputError(f"instrument is {program}; allowed: General MIDI programs 0 to 127")
    if not 1 <= len(programs) <= 8:
        raise InputError(f"instruments are {len(programs)}; allowed: 1 to 8")


def instrument_names(programs: Sequence[int]) -> list[str]:
    """(73,) as `["flute"]`."""
    return [NAMES[program] for program in programs]


def parse_notes(value: str | Sequence[Any]) -> tuple[GivenNote, ...]:
    """`1:0:1:D4 1:1:1:E4` (voice, start and length in quarters from the first bar, note) as given notes.

    A list holds (voice, onset, duration, pitch) of each note in ticks, as `GivenNote`.

    Raises:
        InputError: a note is not written so.

    >>> parse_notes("1:0:1.5:D4"), parse_notes([[1, 0, 36, 62]])
    ((GivenNote(voice=1, onset=0, duration=36, pitch=62),), (GivenNote(voice=1, onset=0, duration=36, pitch=62),))
    """
    if not isinstance(value, str):
        return tuple(GivenNote(*note) for note in value)
    found = []
    for word in value.replace(",", " ").split():
        try:
            voice, start, length, name = word.split(":")
            onset, duration = (round(float(quarters) * _TICKS_PER_QUARTER) for quarters in (start, length))
            found.append(GivenNote(int(voice), onset, duration, parse_pitch(name)))
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"given note is '{word}'; allowed: VOICE:START:LENGTH:NOTE in quarters, such as 1:0:1.5:D4"
            ) from error
    return tuple(found)


def as_lists(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Tuples as JSON holds them."""
    return [list(row) for row in rows]


def _range(part: str | Sequence[Any]) -> tuple[int, int]:
    if not isinstance(part, str):
        if len(part) == 2:
            return parse_pitch(part[0]), parse_pitch(part[1])
    else:
        for place in range(1, len(part)):
            if part[place] == "-" and part[place - 1] != "-":
                return parse_pitch(part[:place]), parse_pitch(part[place + 1 :])
    raise InputError(f"range is '{part}'; allowed: two notes, such as 60-79 or C4-G5")
