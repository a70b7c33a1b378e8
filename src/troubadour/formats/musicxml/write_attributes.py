"""Clefs, metres, transpositions and metronome marks as MusicXML elements."""

from __future__ import annotations

from troubadour.formats.engraving.clefs import Clef
from troubadour.formats.engraving.measures import WrittenMeasure
from troubadour.formats.engraving.transposing import Transposition
from troubadour.music.score import Metre


def metronome_xml(bpm: float, metre: Metre) -> tuple[str, str]:
    """A metronome mark (for `direction-type`) and the `sound` that goes with it."""
    unit, factor = "<beat-unit>quarter</beat-unit>", 1.0
    if metre.compound and metre.denominator == 8:
        unit, factor = "<beat-unit>quarter</beat-unit><beat-unit-dot/>", 1.5
    elif metre.denominator == 2:
        unit, factor = "<beat-unit>half</beat-unit>", 2.0
    count = bpm / factor
    shown = f"{count:.0f}" if factor != 1.0 else f"{count:.2f}".rstrip("0").rstrip(".")
    mark = f"<metronome>{unit}<per-minute>{shown}</per-minute></metronome>"
    return mark, f'<sound tempo="{bpm:.10g}"/>'


def time_xml(bar: WrittenMeasure) -> str:
    """A time signature; 4/4 and 2/2 as C and cut C."""
    n, d = bar.metre.numerator, bar.metre.denominator
    symbol = ' symbol="cut"' if (n, d) == (2, 2) else ' symbol="common"' if (n, d) == (4, 4) else ""
    return f"<time{symbol}><beats>{n}</beats><beat-type>{d}</beat-type></time>"


def clef_xml(clef: Clef, staff: int) -> str:
    """A clef; `staff` is 0 where the part has one staff."""
    number = f' number="{staff}"' if staff else ""
    change = f"<clef-octave-change>{clef.octaves}</clef-octave-change>" if clef.octaves else ""
    line = "" if clef.sign == "percussion" else f"<line>{clef.line}</line>"
    return f"<clef{number}><sign>{clef.sign}</sign>{line}{change}</clef>"


def transpose_xml(found: Transposition) -> list[str]:
    """A `transpose` element, none where the part is written as it sounds."""
    if not found.semitones and not found.diatonic:
        return []
    octave = f"<octave-change>{found.octaves}</octave-change>" if found.octaves else ""
    return [
        f"<transpose><diatonic>{found.diatonic}</diatonic><chromatic>{found.chromatic}</chromatic>"
        f"{octave}</transpose>"
    ]
