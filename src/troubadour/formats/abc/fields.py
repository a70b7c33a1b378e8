"""What the fields of an ABC tune say: keys, metres, unit lengths, tempos, titles."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from troubadour.core.errors import InputError
from troubadour.music.score import Key, Metre

_MODES: Final = {
    "": "major", "maj": "major", "ion": "major", "m": "minor", "min": "minor", "aeo": "minor",
    "dor": "dorian", "mix": "mixolydian", "lyd": "lydian", "phr": "phrygian", "loc": "locrian",
}  # fmt: skip
_MODE_FIFTHS: Final = {
    "major": 0, "minor": -3, "dorian": -2, "mixolydian": -1, "lydian": 1, "phrygian": -4, "locrian": -5,
}  # fmt: skip
_TONICS: Final = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1}
_SHARPS: Final = "FCGDAEB"
_KEY: Final = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_EXPLICIT: Final = re.compile(r"(?<![A-Za-z])(\^\^?|__?|=)([A-Ga-g])(?![A-Za-z])")
_LENGTH: Final = re.compile(r"\s*(\d{1,4})/(\d{1,4})")
_ACCIDENTALS: Final = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}


def parse_key(text: str) -> tuple[Key, dict[str, int]]:
    """Key, and the alterations that it puts on note names (explicit ones included).

    An unreadable key counts as C major, as ABC programs take it.
    """
    text = text.strip()
    found = _KEY.match(text)
    if text[:2] in ("HP", "Hp"):
        # Highland bagpipes: A mixolydian, with the signature of D written out or not.
        key = Key(0, 2, "mixolydian")
    elif not found or text.lower().startswith("none"):
        key = Key(0, 0, "major")
    else:
        word = found[3].lower()
        mode = _MODES.get("m" if word == "m" else word[:3], "major")
        fifths = _TONICS[found[1]] + {"#": 7, "b": -7, "": 0}[found[2]] + _MODE_FIFTHS[mode]
        key = Key(0, fifths, mode) if -7 <= fifths <= 7 else Key(0, 0, "major")
    altered = {
        (_SHARPS[i] if key.fifths > 0 else _SHARPS[6 - i]): (1 if key.fifths > 0 else -1)
        for i in range(abs(key.fifths))
    }
    for sign, name in _EXPLICIT.findall(text):
        altered[name.upper()] = _ACCIDENTALS[sign]
    return key, altered


def parse_metre(text: str) -> Metre:
    """`6/8`, `C`, `C|`, `2+3/8`; `none` counts as 4/4.

    Raises:
        InputError: the metre is impossible.
    """
    text = text.strip()[:60]
    if text.upper().startswith("C|"):
        return Metre(0, 2, 2)
    if text.upper().startswith("C") or text.lower() in ("none", ""):
        return Metre(0, 4, 4)
    found = re.fullmatch(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3})*)\s*\)?\s*/\s*(\d{1,4})\b.*", text)
    if not found:
        raise InputError(f"metre 'M:{text}' cannot be read; a metre looks like M:6/8")
    numerator = sum(int(n) for n in found[1].split("+"))
    denominator = int(found[2])
    if not 1 <= numerator <= 64 or denominator not in (1, 2, 4, 8, 16, 32):
        raise InputError(f"metre 'M:{text}' is impossible; allowed: 1 to 64 over 1, 2, 4, 8, 16 or 32")
    return Metre(0, numerator, denominator)


def parse_length(text: str) -> Fraction | None:
    """`L:1/8` in whole notes; nothing where it cannot be read."""
    found = _LENGTH.match(text)
    if not found or not int(found[1]) or not int(found[2]):
        return None
    return Fraction(int(found[1]), int(found[2]))


def default_length(metre: Metre) -> Fraction:
    """The unit length of a tune without `L:`: a sixteenth below three quarters a bar, else an eighth."""
    return (
        Fraction(1, 8) if Fraction(metre.numerator, metre.denominator) >= Fraction(3, 4) else Fraction(1, 16)
    )


def parse_tempo(text: str, metre: Metre, unit: Fraction) -> float | None:
    """`Q:3/8=120`, `Q:120`, `Q:C=100` in quarter notes a minute; nothing where there is no number."""
    text = re.sub(r'"[^"]*"', "", text).strip()[:60]
    found = re.match(r"((?:\d{1,4}/\d{1,4}\s+)*\d{1,4}/\d{1,4})\s*=\s*(\d{1,4}(?:\.\d+)?)", text)
    if found:
        pairs = (part.split("/") for part in found[1].split())
        beat = sum((Fraction(int(a), int(b)) for a, b in pairs if int(b)), Fraction(0))
        bpm = float(beat * 4) * float(found[2])
    elif found := re.match(r"(?:C\d?\s*=\s*)?(\d{1,4}(?:\.\d+)?)\s*$", text):
        beat = unit if text.startswith("C") else _beat(metre)
        bpm = float(beat * 4) * float(found[1])
    else:
        return None
    return bpm if 10 <= bpm <= 600 else None


def _beat(metre: Metre) -> Fraction:
    compound = metre.denominator >= 8 and metre.numerator % 3 == 0 and metre.numerator > 3
    return Fraction(3 if compound else 1, metre.denominator)


def clean_title(text: str) -> str:
    """A title in sensible case, without control characters or trailing dots."""
    text = "".join(c for c in text if c.isprintable()).strip().rstrip(".").strip()
    letters = [c for c in text if c.isalpha()]
    if letters and all(c.isupper() for c in letters):
        text = " ".join(w if w.startswith("(") else w.capitalize() for w in text.split())
    return text[:200]
