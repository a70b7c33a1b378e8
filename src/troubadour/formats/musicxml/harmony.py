"""Chord symbols from MusicXML `harmony` elements."""

from __future__ import annotations

import re
from typing import Any, Final

from troubadour.music.marks import transpose_chord

Element = Any
_KINDS: Final = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7",
    "major-seventh": "maj7", "minor-seventh": "m7", "diminished-seventh": "dim7", "augmented-seventh": "aug7",
    "half-diminished": "m7b5", "major-minor": "m(maj7)", "major-sixth": "6", "minor-sixth": "m6",
    "dominant-ninth": "9", "major-ninth": "maj9", "minor-ninth": "m9", "dominant-11th": "11",
    "major-11th": "maj11", "minor-11th": "m11", "dominant-13th": "13", "major-13th": "maj13",
    "minor-13th": "m13", "suspended-second": "sus2", "suspended-fourth": "sus4", "Neapolitan": "N6",
    "Italian": "It6", "French": "Fr6", "German": "Ger6", "pedal": "ped", "power": "5", "Tristan": "tristan",
}  # fmt: skip
_ACCIDENTALS: Final = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}


def chord_symbols(item: Element, fifths: int) -> list[str]:
    """The chord symbols of a `harmony` element, as they sound.

    Args:
        item: the element.
        fifths: how far the part sounds from what is written, on the line of fifths.

    Degrees stand in brackets (`C7(b9,#11)`), since `Cb5` would be a chord of C flat.
    """
    symbols: list[str] = []
    chord: list[Element] = []
    for child in item:
        if child.tag in ("root", "function", "numeral") and chord:
            symbols.append(_symbol(chord))
            chord = []
        chord.append(child)
    symbols.append(_symbol(chord))
    return [transpose_chord(s, fifths) for s in symbols if s]


def _symbol(children: list[Element]) -> str:
    kind = next((c for c in children if c.tag == "kind"), None)
    name = (kind.text or "").strip() if kind is not None else "major"
    if name == "none":
        return "N.C."
    shown = (kind.get("text") or "").strip() if kind is not None else ""
    root = bass = ""
    degrees: list[str] = []
    for child in children:
        if child.tag == "root":
            root = _pitch_name(child, "root")
        elif child.tag == "function":
            root = (child.text or "").strip()
        elif child.tag == "numeral":
            root = (
                child.find("numeral-root").get("text") if child.find("numeral-root") is not None else ""
            ) or ""
        elif child.tag == "bass":
            bass = _pitch_name(child, "bass")
        elif child.tag == "degree":
            degrees.append(_degree(child))
    if not root:
        return ""
    suffix = _KINDS.get(name, shown)
    extra = f"({','.join(d for d in degrees if d)})" if any(degrees) else ""
    return f"{root}{suffix}{extra}" + (f"/{bass}" if bass else "")


def _pitch_name(item: Element, prefix: str) -> str:
    step = (item.findtext(f"{prefix}-step") or "").strip()
    return step + _alteration(item.findtext(f"{prefix}-alter")) if re.fullmatch("[A-G]", step) else ""


def _degree(item: Element) -> str:
    value = (item.findtext("degree-value") or "").strip()
    kind = (item.findtext("degree-type") or "add").strip()
    alter = _alteration(item.findtext("degree-alter"))
    if not value.isdecimal():
        return ""
    if kind == "subtract":
        return f"no{value}"
    return f"{alter}{value}" if alter else f"add{value}" if kind == "add" else value


def _alteration(text: str | None) -> str:
    value = (text or "0").strip()
    return _ACCIDENTALS.get(int(value), "") if re.fullmatch(r"[+-]?\d", value) else ""


__all__ = ["chord_symbols"]
