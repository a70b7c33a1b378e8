"""Tokens of ABC's music code, and what each does to the voice that it stands in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.abc.signs import Sign
from troubadour.formats.abc.voice import Voice
from troubadour.music.marks import MarkKind

# Every repetition that has to find its end is bounded: on hostile text the cost stays linear.
TOKEN: Final = re.compile(
    r"""(?P<note>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)
    |(?P<accidental>\^\^?|__?|=)(?P<altered>[A-Ga-g])(?P<altered_octave>[,']*)(?P<altered_length>\d*/*\d*)
    |(?P<bar>:*\|+[\]:]*|\[\|[\]:]*|::+)(?P<number>\s?[1-9](?:[,\-][1-9])*(?![0-9/]))?
    |(?P<rest>[zxy])(?P<rest_length>\d*/*\d*)
    |(?P<bars_rest>[ZX])(?P<bars>\d{0,9})
    |(?P<text>"[^"]*(?P<quote>"?))
    |\((?P<tuplet>\d\d?)(?::(?P<in_time>\d{0,2}))?(?::(?P<notes>\d{0,2}))?
    |(?P<tie>-)
    |(?P<broken>>+|<+)
    |(?P<inline>\[[A-Za-z]:[^\]\n]{0,500}\])
    |(?P<ending>\[\s?[1-9][0-9,\-]*)
    |(?P<open>\[)
    |(?P<close>\])(?P<chord_length>\d*/*\d*)
    |(?P<grace>\{/?|\})
    |(?P<decoration>!(?:[^!\s|\[\]:]{1,40}|[A-Za-z.]{0,20}[h-wH-W][A-Za-z.:]{0,20})!)
    |\(?(?P<overlay>&+)\)?
    |(?P<slur>[()])
    |(?P<sign>\.(?![|()\-])|[~h-wH-W])
    |(?P<micro>[\^_]\d*/\d*)(?P<micro_note>[A-Ga-g])(?P<micro_octave>[,']*)(?P<micro_length>\d*/*\d*)""",
    re.X,
)
"""One token; all other characters are passed over."""


def scaled(text: str) -> tuple[int, int]:
    """Multiplier of a length: `3/2`, `/`, `//`, `2` ...

    Raises:
        InputError: a length of zero, or an absurd one.
    """
    if len(text) > 12:
        raise InputError(f"note length '{text[:20]}' is absurd; allowed: up to 10000, down to /1024")
    above, slash, below = text.partition("/")
    numerator = int(above) if above else 1
    slashes = slash + below
    digits = slashes.strip("/")
    denominator = int(digits) if digits else 2 ** slashes.count("/")
    if not numerator or not denominator or numerator > 10_000 or denominator > 1024:
        raise InputError(f"note length '{text}' is impossible; allowed: up to 10000, down to /1024")
    return numerator, denominator


def _length(unit: int, text: str) -> int:
    if not text:
        return unit
    if text in "23468":
        return unit * int(text)
    numerator, denominator = scaled(text)
    return max(1, unit * numerator // denominator)


def _note(voice: Voice, accidental: str | None, note: str, marks: str, length: str) -> None:
    if voice.chord is None:
        if voice.in_grace:
            voice.graces += 1
            held, written = voice.held, voice.written
            pitch = voice.pitch_of(accidental, note, marks)
            voice.grace_run += 1
            voice.marks.sign(Sign(MarkKind.GRACE, "", voice.grace_run, int(voice.slashed), pitch))
            voice.held, voice.written = held, written[:]
            return
        voice.written = []
        pitch = voice.pitch_of(accidental, note, marks)
        if voice.held:
            voice.held = {}
        voice.place([pitch], _length(voice.unit, length))
        return
    chord = voice.chord
    chord.pitches.append(voice.pitch_of(accidental, note, marks))
    ticks = _length(voice.unit, length)
    chord.lengths.append(ticks)
    chord.unit = chord.unit or ticks


def _plain(voice: Voice, found: re.Match[str]) -> None:
    _note(voice, None, found["note"], found["octave"], found["length"])


def _altered(voice: Voice, found: re.Match[str]) -> None:
    _note(voice, found["accidental"], found["altered"], found["altered_octave"], found["altered_length"])


def _micro(voice: Voice, found: re.Match[str]) -> None:
    _note(voice, found["micro"], found["micro_note"], found["micro_octave"], found["micro_length"])


def _rest(voice: Voice, found: re.Match[str]) -> None:
    if found["rest"] == "y" or voice.in_grace:  # y only spaces the print
        return
    length = _length(voice.unit, found["rest_length"])
    if voice.chord is not None:
        voice.chord.unit = voice.chord.unit or length
    else:
        voice.held = {}
        voice.place([], length)


def _bars_rest(voice: Voice, found: re.Match[str]) -> None:
    voice.close_chord_unfinished()
    if not found["bars"] and voice.time:
        voice.place([], voice.unit)  # `Z` within a bar is a slip for `z`
    else:
        voice.rest_bars(int(found["bars"] or 1))


def _bar(voice: Voice, found: re.Match[str]) -> None:
    voice.close(found["bar"])
    if found["number"]:
        voice.start_ending(int(found["number"].strip()[0]))


def _ending(voice: Voice, found: re.Match[str]) -> None:
    voice.start_ending(int(re.findall(r"\d+", found["ending"])[0][:3]))


def _tuplet(voice: Voice, found: re.Match[str]) -> None:
    voice.start_tuplet(found[0], found["tuplet"], found["in_time"], found["notes"])


def _tie(voice: Voice, _found: re.Match[str]) -> None:
    if not voice.in_grace:
        voice.tie()


def _broken(voice: Voice, found: re.Match[str]) -> None:
    if not voice.in_grace:
        voice.dot(found["broken"])


def _open(voice: Voice, _found: re.Match[str]) -> None:
    if not voice.in_grace:
        voice.open_chord()


def _close(voice: Voice, found: re.Match[str]) -> None:
    if not voice.in_grace:
        voice.close_chord(*(scaled(found["chord_length"]) if found["chord_length"] else (1, 1)))


def _grace(voice: Voice, found: re.Match[str]) -> None:
    voice.in_grace = found["grace"].startswith("{")
    voice.grace_run = 0 if voice.in_grace else voice.grace_run
    voice.slashed = found["grace"] == "{/"


def _slur(voice: Voice, found: re.Match[str]) -> None:
    if not voice.in_grace:
        voice.marks.slur(found["slur"])


def _overlay(voice: Voice, found: re.Match[str]) -> None:
    if not found[0].startswith("(") and not found[0].endswith(")"):
        voice.overlay(len(found["overlay"]))


READ: Final[dict[str, Callable[[Voice, re.Match[str]], None]]] = {
    "length": _plain,
    "altered_length": _altered,
    "micro_length": _micro,
    "rest_length": _rest,
    "bars": _bars_rest,
    "bar": _bar,
    "number": _bar,
    "ending": _ending,
    "tuplet": _tuplet,
    "in_time": _tuplet,
    "notes": _tuplet,
    "tie": _tie,
    "broken": _broken,
    "open": _open,
    "chord_length": _close,
    "grace": _grace,
    "overlay": _overlay,
    "slur": _slur,
}
"""What to do by the name of the last group that matched."""
