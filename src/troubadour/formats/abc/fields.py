"""What the fields of an ABC tune say: keys, metres, unit lengths, tempos, titles."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from troubadour.core.errors import InputError
from troubadour.formats.abc.text import plain_text
from troubadour.music.theory.keys import Key, signature_fifths, simplest_signature
from troubadour.music.theory.metre import Metre
from troubadour.music.theory.names import FIFTHS_ORDER, NATURALS

_MODES: Final = {
    "": "major", "maj": "major", "ion": "major", "m": "minor", "min": "minor", "aeo": "minor",
    "dor": "dorian", "mix": "mixolydian", "lyd": "lydian", "phr": "phrygian", "loc": "locrian",
}  # fmt: skip
_KEY: Final = re.compile(r"([A-G])([#b♯♭]?)\s*([A-Za-z]*)")
_SMALL_KEY: Final = re.compile(
    r"[a-g][#b]?(?:m|min|minor|maj|major|dor|mix|phr|lyd|loc|aeo|ion)?(?:\s|$)", re.I
)
_EXPLICIT: Final = re.compile(r"(?<![A-Za-z])(\^\^?|__?|=)([A-Ga-g])(?![A-Za-z])")
_LENGTH: Final = re.compile(r"\s*(\d{1,4})(?:\s*/\s*(\d{1,4}))?(?!\d)")
_PROPERTY: Final = re.compile(r'([A-Za-z][A-Za-z:-]{0,20})\s?=\s?("[^"]*"|[^\s"]*)')
_CLEF: Final = re.compile(
    r"(?:treble|alto|tenor|bass|perc(?:ussion)?|drum|none|(?:mezzo-?)?soprano|baritone|[GCFP])\d?(?:([+-])(8|15))?$",
    re.I,
)
_BARE_CLEF: Final = re.compile(r"(?<![\w=])((?:treble|alto|tenor|bass|perc)\d?(?:[+-](?:8|15))?)(?![\w+-])")
_NOTE: Final = re.compile(r"(\^\^?|__?|=)?([A-Ga-g])([,']*)")
_ACCIDENTALS: Final = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}


class KeyField(NamedTuple):
    """Content of a K: field."""

    key: Key
    altered: dict[str, int]
    """Alterations by note name, explicit ones included."""
    given: bool
    """Whether the field names a key; clefs and transpositions may stand alone."""
    understood: bool


def parse_key(text: str) -> KeyField:
    """Key and alterations of a K: field.

    An unreadable key counts as C major, as ABC programs take it.
    """
    text = text.strip()
    given = understood = True
    fifths, mode = 0, "major"
    found = _KEY.match(text.capitalize() if _SMALL_KEY.match(text) else text)
    if text[:2] in ("HP", "Hp"):
        # Highland bagpipes: A mixolydian, with the signature of D written out or not.
        fifths, mode = 2, "mixolydian"
    elif text.lower().startswith("none"):
        pass
    elif not found:
        rest = _BARE_CLEF.sub("", _PROPERTY.sub("", text)).strip()
        given = not text or bool(_EXPLICIT.search(rest))
        understood = not _EXPLICIT.sub("", rest).strip()
    else:
        word = found[3].lower()
        mode = _MODES.get("m" if word == "m" else word[:3], "major")
        fifths = signature_fifths(found[1] + found[2], mode)
    names = FIFTHS_ORDER if fifths > 0 else FIFTHS_ORDER[::-1]
    altered: dict[str, int] = {}
    if not re.search(r"\bexp\b", text):  # `exp`: the signature is only what is written out
        for i in range(abs(fifths)):
            altered[names[i % 7]] = altered.get(names[i % 7], 0) + (1 if fifths > 0 else -1)
    for sign_text, name in _EXPLICIT.findall(_PROPERTY.sub("", text)):
        altered[name.upper()] = _ACCIDENTALS[sign_text]
    if not -7 <= fifths <= 7:  # G# major sounds as Ab major
        fifths -= 12 if fifths > 0 else -12
    return KeyField(Key(0, fifths, mode), altered, given, understood)


def sounding(key: Key, semitones: int) -> Key:
    """The key of a transposing voice as it sounds: the signature with the fewest accidentals."""
    if not semitones % 12:
        return key
    return key._replace(fifths=simplest_signature(key.fifths + 7 * semitones))


class Properties(NamedTuple):
    """Properties of a voice that a V: or K: field sets; None: not named."""

    clef_octave: int | None = None
    octave: int | None = None
    transpose: int | None = None
    """Semitones."""
    name: str | None = None
    is_drum: bool | None = None


def parse_properties(text: str) -> Properties:
    """`clef=treble-8 octave=-1 transpose=2 name="Flute"`, and clefs without `clef=`."""
    if "=" not in text and not _BARE_CLEF.search(text):
        return Properties()
    clef_octave, octave, transpose, name, is_drum = None, None, None, None, None
    clef = ""
    for key, quoted in _PROPERTY.findall(text):
        value = quoted.strip('"')
        if key == "clef":
            clef = value
        elif key == "octave":
            octave = _number(value)
        elif key in ("transpose", "t"):
            transpose = _number(value)
        elif key in ("shift", "sound"):
            transpose = _interval(value)
        elif key in ("name", "nm"):
            name = " ".join(plain_text(value.replace("\\n", " ")).split())[:80]
    bare = _BARE_CLEF.search(_PROPERTY.sub("", text))
    if found := _CLEF.match(clef or (bare[1] if bare else "")):
        clef_octave = 0
        if found[1]:
            clef_octave = (1 if found[2] == "8" else 2) * (1 if found[1] == "+" else -1)
        is_drum = found[0].lower().startswith(("perc", "drum", "p"))
    return Properties(clef_octave, octave, transpose, name, is_drum)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d{1,3}", text) else None


def _interval(text: str) -> int | None:
    """Semitones from the first of two notes to the second: `shift=cB` is -1."""
    notes = [
        NATURALS[n.upper()] + 12 * (n.islower() + m.count("'") - m.count(",")) + _ACCIDENTALS.get(a, 0)
        for a, n, m in _NOTE.findall(text[:40])
    ]
    if len(notes) == 1:
        notes.insert(0, NATURALS["C"] + 12)
    return notes[1] - notes[0] if len(notes) == 2 else None


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
    if not found or not int(found[1]) or not int(found[2] or 1):
        return None
    return Fraction(int(found[1]), int(found[2] or 1))


def default_length(metre: Metre) -> Fraction:
    """The unit length of a tune without `L:`: a sixteenth below three quarters a bar, else an eighth."""
    return (
        Fraction(1, 8) if Fraction(metre.numerator, metre.denominator) >= Fraction(3, 4) else Fraction(1, 16)
    )


def parse_tempo(text: str, metre: Metre, unit: Fraction) -> float | None:
    """`Q:3/8=120`, `Q:120`, `Q:C=100` in quarter notes a minute; nothing where there is no number."""
    text = re.sub(r'"[^"]*"', "", text).strip()[:60]
    found = re.match(
        r"((?:\d{1,4}/\d{1,4}\s+)*\d{1,4}/\d{1,4})\s*=\s*(?:ca?\.?\s*)?(\d{1,4}(?:\.\d+)?)", text
    )
    if found:
        pairs = (part.split("/") for part in found[1].split())
        beat = sum((Fraction(int(a), int(b)) for a, b in pairs if int(b)), Fraction(0))
        bpm = float(beat * 4) * float(found[2])
    elif found := re.match(r"(?:C(\d{0,2})(/\d{1,2})?\s*=\s*)?(\d{1,4}(?:\.\d+)?)\s*$", text):
        # `C3=40` counts unit lengths; a bare number counts beats, as abc2midi has it.
        beat = unit * int(found[1] or 1) if text.startswith("C") else _beat(metre)
        if found[2]:
            beat /= max(1, int(found[2][1:]))
        bpm = float(beat * 4) * float(found[3])
    else:
        return None
    return bpm if (1 if "=" in text else 10) <= bpm <= (2000 if "=" in text else 600) else None


def _beat(metre: Metre) -> Fraction:
    return Fraction(metre.tactus_units, metre.denominator)


def clean_title(text: str) -> str:
    """A title in sensible case, without control characters or trailing dots."""
    text = "".join(c for c in plain_text(text) if c.isprintable()).strip().rstrip(".").strip()
    letters = [c for c in text if c.isalpha()]
    if letters and all(c.isupper() for c in letters):
        text = " ".join(w if w.startswith("(") else w.capitalize() for w in text.split())
    return text[:200]
