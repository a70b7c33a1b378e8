"""How long notes are written: split at barlines and beats, with dots, ties and triplets.

Works on a quantised score's 24 ticks a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from troubadour.music.score import Metre

QUARTER: Final = 24
_TYPES: Final = {
    192: ("breve", 0), 144: ("whole", 1), 96: ("whole", 0), 72: ("half", 1), 48: ("half", 0),
    36: ("quarter", 1), 24: ("quarter", 0), 18: ("eighth", 1), 12: ("eighth", 0), 9: ("16th", 1),
    6: ("16th", 0), 3: ("32nd", 0),
}  # fmt: skip
# Inside a triplet a value sounds two thirds of what is written.
_TRIPLET_TYPES: Final = {
    32: ("half", 0), 24: ("quarter", 1), 16: ("quarter", 0), 12: ("eighth", 1), 8: ("eighth", 0),
    6: ("16th", 1), 4: ("16th", 0), 2: ("32nd", 0), 1: ("64th", 0),
}  # fmt: skip
_FLAGS: Final = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}


@dataclass(frozen=True, slots=True)
class TupletRegion:
    """A stretch of a bar in which three notes stand for two."""

    start: int
    end: int


@dataclass(slots=True)
class Value:
    """One written note value."""

    start: int
    """Ticks from the barline."""
    length: int
    kind: str
    """`quarter`, `eighth` ..."""
    dots: int
    region: TupletRegion | None = None

    @property
    def flags(self) -> int:
        """Beams that it takes part in."""
        return _FLAGS.get(self.kind, 0)


def triplet_regions(places: Iterable[int], bar: int) -> list[TupletRegion]:
    """Where a bar needs triplets, given the places at which its notes start and end."""
    found: list[TupletRegion] = []
    odd = {p for p in places if p % 3}
    for half in range(0, bar, 2 * QUARTER):
        inside = {p - half for p in odd if half <= p < half + 2 * QUARTER}
        edges = {p - half for p in places if half <= p < half + 2 * QUARTER} - {0}
        if inside and edges <= {16, 32} and half + 2 * QUARTER <= bar:
            found.append(TupletRegion(half, half + 2 * QUARTER))
            continue
        for beat in range(half, min(half + 2 * QUARTER, bar), QUARTER):
            here = {p - beat for p in odd if beat <= p < beat + QUARTER}
            all_here = {p - beat for p in places if beat <= p < beat + QUARTER} - {0}
            if not here:
                continue
            first, second = {p for p in here if p < 12}, {p for p in here if p > 12}
            if 12 in all_here and (first <= {4, 8} and second <= {16, 20}):
                if first:
                    found.append(TupletRegion(beat, beat + 12))
                if second:
                    found.append(TupletRegion(beat + 12, beat + QUARTER))
            else:
                found.append(TupletRegion(beat, beat + QUARTER))
    return found


def values(
    start: int, end: int, metre: Metre, bar: int, regions: list[TupletRegion], sounds: bool = True
) -> list[Value]:
    """Write the stretch from `start` to `end` (ticks in one bar) as tied note values, or as rests.

    A note may be syncopated by one level; a rest never hides a beat.
    """
    out: list[Value] = []
    place = start
    while place < end:
        region = next((r for r in regions if r.start <= place < r.end), None)
        following = min((r.start for r in regions if r.start > place), default=end)
        stop = min(end, region.end if region else following)
        if region:
            out += _in_triplet(place, stop, region)
        else:
            parts = _plain(place, stop, _units(metre, bar), sounds)
            out += [Value(a, b - a, *_TYPES[b - a]) for a, b in parts]
        place = stop
    return out


def beam_group(place: int, metre: Metre, eighths_only: bool) -> int:
    """Number of the beam group that a place in the bar belongs to."""
    if compound(metre):
        return place // (3 * 96 // metre.denominator)
    if metre.denominator == 8 and metre.numerator == 3:
        return 0
    beat = 96 // metre.denominator if metre.denominator <= 4 else QUARTER
    if eighths_only and metre.numerator % 2 == 0:
        return place // (2 * QUARTER)
    return place // min(beat, 2 * QUARTER if eighths_only else QUARTER)


def compound(metre: Metre) -> bool:
    """Whether the beat is dotted: 6/8, 9/8, 12/8, 6/16 ..."""
    return metre.denominator >= 8 and metre.numerator % 3 == 0 and metre.numerator > 3


def _units(metre: Metre, bar: int) -> list[int]:
    """Metrical units from the bar down to the 32nd; each divides the bar's time from its start."""
    beat = 3 * 96 // metre.denominator if compound(metre) else 96 // metre.denominator
    units = [bar]
    if metre.numerator % 4 == 0 or (compound(metre) and metre.numerator % 12 == 0):
        units.append(bar // 2)
    if metre.denominator == 2:
        units += [beat, 24]
    else:
        units.append(beat)
    units += [u for u in (12, 6, 3) if u < beat]
    return sorted(set(units), reverse=True)


def _plain(start: int, end: int, units: list[int], sounds: bool) -> list[tuple[int, int]]:
    length = end - start
    if length <= 0:
        return []
    aligned = next((u for u in units if start % u == 0), 3)
    crossed = [u for u in units if (start // u + 1) * u < end]
    strongest = crossed[0] if crossed else 0
    if length in _TYPES:
        above = next((u for u in reversed(units) if u > aligned), 0)
        syncopated = sounds and length == 2 * aligned and above == 2 * aligned and strongest <= above
        if strongest <= aligned or syncopated:
            return [(start, end)]
    if strongest <= aligned:
        # Nothing stands in the way but the value itself: the longest that fits comes first.
        best = max((v for v in _TYPES if v <= length), default=length)
        if best == length:
            return [(start, end)] if length in _TYPES else [(start, start + 3)]
        return [(start, start + best), *_plain(start + best, end, units, sounds)]
    cut = (start // strongest + 1) * strongest
    return [*_plain(start, cut, units, sounds), *_plain(cut, end, units, sounds)]


def _in_triplet(start: int, end: int, region: TupletRegion) -> list[Value]:
    out: list[Value] = []
    place = start
    while place < end:
        length = max(v for v in _TRIPLET_TYPES if v <= end - place)
        out.append(Value(place, length, *_TRIPLET_TYPES[length], region=region))
        place += length
    return out
