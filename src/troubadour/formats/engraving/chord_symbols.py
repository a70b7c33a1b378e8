"""Chord symbols as MusicXML's `harmony`: root, kind, added and altered degrees, bass."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ROOT: Final = re.compile(r"([A-G])(##|bb|x|[#b♯♭]?)")
_ALTER: Final = {"": 0, "#": 1, "♯": 1, "##": 2, "x": 2, "b": -1, "♭": -1, "bb": -2}
# The longest spelling that fits comes first.
_KINDS: Final = (
    ("maj13", "major-13th"), ("maj11", "major-11th"), ("maj9", "major-ninth"), ("maj7", "major-seventh"),
    ("ma7", "major-seventh"), ("M7", "major-seventh"), ("M9", "major-ninth"), ("Δ7", "major-seventh"),
    ("Δ", "major-seventh"), ("mmaj7", "major-minor"), ("mM7", "major-minor"), ("m(maj7)", "major-minor"),
    ("minmaj7", "major-minor"), ("m7b5", "half-diminished"), ("min7b5", "half-diminished"),
    ("ø7", "half-diminished"), ("ø", "half-diminished"), ("%7", "half-diminished"), ("%", "half-diminished"),
    ("m13", "minor-13th"), ("m11", "minor-11th"), ("m9", "minor-ninth"), ("m7", "minor-seventh"),
    ("min7", "minor-seventh"), ("-7", "minor-seventh"), ("m6", "minor-sixth"), ("min6", "minor-sixth"),
    ("min", "minor"), ("m", "minor"), ("-", "minor"), ("dim7", "diminished-seventh"), ("°7", "diminished-seventh"),
    ("o7", "diminished-seventh"), ("dim", "diminished"), ("°", "diminished"), ("o", "diminished"),
    ("aug7", "augmented-seventh"), ("+7", "augmented-seventh"), ("7#5", "augmented-seventh"),
    ("aug", "augmented"), ("+", "augmented"), ("sus2", "suspended-second"), ("sus4", "suspended-fourth"),
    ("sus", "suspended-fourth"), ("13", "dominant-13th"), ("11", "dominant-11th"), ("9", "dominant-ninth"),
    ("7", "dominant"), ("69", "major-sixth"), ("6/9", "major-sixth"), ("6", "major-sixth"), ("5", "power"),
    ("maj", "major"), ("M", "major"),
)  # fmt: skip
_SUSPENDED: Final = re.compile(r"(7|9|13)?sus([24]?)")
_DEGREE: Final = re.compile(r"\(?(add|no|omit|[#b♯♭+-])?(maj)?(2|4|5|6|7|9|11|13)\)?,?")


@dataclass(frozen=True, slots=True)
class ChordSymbol:
    """A chord symbol taken apart."""

    step: str
    """Letter of the root; empty for N.C."""
    alter: int
    kind: str
    """One of MusicXML's kinds."""
    text: str
    """What stands after the root, as written, without degrees."""
    degrees: tuple[tuple[int, int, str], ...]
    """(degree, alteration, `add`, `alter` or `subtract`)."""
    bass: tuple[str, int] | None


def parse_chord(text: str) -> ChordSymbol | None:
    """A chord symbol taken apart; none where it does not begin with a root.

    >>> parse_chord("F#m7/C#")
    ChordSymbol(step='F', alter=1, kind='minor-seventh', text='m7', degrees=(), bass=('C', 1))
    """
    text = text.strip()
    if text.upper() in ("N.C.", "NC", "N.C"):
        return ChordSymbol("", 0, "none", "N.C.", (), None)
    root = _ROOT.match(text)
    if not root:
        return None
    rest = text[root.end() :]
    bass = None
    head, slash, tail = rest.rpartition("/")
    if slash and (found := _ROOT.fullmatch(tail.strip())):
        rest, bass = head, (found[1], _ALTER[found[2]])
    kind, used = "major", 0
    fits = [(spelling, name) for spelling, name in _KINDS if rest.startswith(spelling)]
    if fits:
        spelling, kind = max(fits, key=lambda f: len(f[0]))
        used = len(spelling)
    if rest.startswith(("69", "6/9")):
        return ChordSymbol(root[1], _ALTER[root[2]], kind, "6", ((9, 0, "add"),), bass)
    if (found := _SUSPENDED.fullmatch(rest)) is not None:
        kind = "suspended-second" if found[2] == "2" else "suspended-fourth"
        return ChordSymbol(root[1], _ALTER[root[2]], kind, rest, (), bass)
    return ChordSymbol(root[1], _ALTER[root[2]], kind, rest[:used], _degrees(rest[used:]), bass)


def _degrees(text: str) -> tuple[tuple[int, int, str], ...]:
    out: list[tuple[int, int, str]] = []
    for sign, _, number in _DEGREE.findall(text):
        degree = int(number)
        if sign in ("no", "omit"):
            out.append((degree, 0, "subtract"))
        else:
            alter = {"#": 1, "♯": 1, "+": 1, "b": -1, "♭": -1, "-": -1}.get(sign, 0)
            out.append((degree, alter, "alter" if degree == 5 and alter else "add"))
    return tuple(out)


def harmony_xml(text: str, offset: int = 0, staff: int = 0) -> str:
    """A chord symbol as a `harmony` element; empty where it cannot be taken apart.

    Args:
        offset: ticks from the place in the measure where the element stands.
        staff: of a part with several staves, from 1.
    """
    from xml.sax.saxutils import quoteattr

    found = parse_chord(text)
    if found is None:
        return ""
    if not found.step:
        root = '<root><root-step text="">C</root-step></root>'
    else:
        root = f"<root><root-step>{found.step}</root-step>{_alter('root', found.alter)}</root>"
    kind = f"<kind text={quoteattr(found.text)}>{found.kind}</kind>"
    bass = ""
    if found.bass:
        bass = f"<bass><bass-step>{found.bass[0]}</bass-step>{_alter('bass', found.bass[1])}</bass>"
    degrees = "".join(
        f"<degree><degree-value>{d}</degree-value><degree-alter>{a}</degree-alter>"
        f"<degree-type>{t}</degree-type></degree>"
        for d, a, t in found.degrees
    )
    shift = f"<offset>{offset}</offset>" if offset else ""
    place = f"<staff>{staff}</staff>" if staff else ""
    return f'<harmony print-frame="no">{root}{kind}{bass}{degrees}{shift}{place}</harmony>'


def _alter(name: str, alter: int) -> str:
    return f"<{name}-alter>{alter}</{name}-alter>" if alter else ""
