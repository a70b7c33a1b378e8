"""How long notes are written: split at barlines and beats, with dots, ties and tuplets.

The rules follow Gould, Behind Bars (2011): a note may be syncopated by one level and may be dotted
within a beat (the Scotch snap); a rest never hides a beat. Where printed songs and quartets (the
OpenScore collections) mostly do otherwise, they were followed: see docs/engraving.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from troubadour.formats.engraving.pulse import NO_PLACE, QUARTER, THIRTY_SECOND, Pulse
from troubadour.formats.engraving.tuplets import TupletRegion

_NAMES: Final = (
    ("long", 16), ("breve", 8), ("whole", 4), ("half", 2), ("quarter", 1), ("eighth", Fraction(1, 2)),
    ("16th", Fraction(1, 4)), ("32nd", Fraction(1, 8)), ("64th", Fraction(1, 16)),
    ("128th", Fraction(1, 32)), ("256th", Fraction(1, 64)),
)  # fmt: skip
# Quarters to name and dots.
_KINDS: Final = {
    **{Fraction(quarters): (name, 0) for name, quarters in _NAMES},
    **{Fraction(quarters) * 3 / 2: (name, 1) for name, quarters in _NAMES[1:9]},
    **{Fraction(quarters) * 7 / 4: (name, 2) for name, quarters in _NAMES[4:6]},
}
_FLAGS: Final = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4, "128th": 5, "256th": 6}


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


@lru_cache(maxsize=4096)
def kind_of(length: int, actual: int = 1, normal: int = 1) -> tuple[str, int] | None:
    """Name and dots of a length in ticks (within a tuplet); none where no single note has it.

    >>> kind_of(630), kind_of(280, 3, 2), kind_of(1050)
    (('eighth', 1), ('eighth', 0), None)
    """
    return _KINDS.get(Fraction(length * actual, QUARTER * normal))


def values(
    start: int, end: int, pulse: Pulse, regions: list[TupletRegion], sounds: bool = True
) -> list[Value]:
    """Write the stretch from `start` to `end` (ticks in one bar) as tied note values, or as rests."""
    out: list[Value] = []
    place = start
    while place < end:
        region = next((r for r in regions if r.start <= place < r.end), None)
        following = min((r.start for r in regions if r.start > place), default=end)
        if region:
            stop = min(end, region.end)
            out += _in_tuplet(place, stop, region)
        else:
            # A tuplet's first note may end a longer plain one only at the tuplet's edge.
            stop = min(end, following)
            out += _plain(place, stop, pulse, sounds)
        place = stop
    return out


def _plain(start: int, end: int, pulse: Pulse, sounds: bool) -> list[Value]:
    if end <= start:
        return []
    length = end - start
    kind = kind_of(length)
    crossed = pulse.strongest(start, end)
    allowed = _note_stands if sounds else _rest_stands
    if kind and kind[1] == 2 and not (sounds and pulse.level(start) < crossed):
        kind = None
    if kind and (crossed == NO_PLACE or allowed(start, end, crossed, pulse)):
        return [Value(start, length, *kind)]
    if crossed == NO_PLACE:
        # Off every place that the metre counts: the longest values that fit.
        return _greedy(start, end)
    level = pulse.level(start)
    first = start // THIRTY_SECOND + 1
    places = range(first * THIRTY_SECOND, end, THIRTY_SECOND)
    inside = [p for p in places if pulse.level(p) == crossed]
    cut = inside[-1] if level <= crossed and sounds else inside[0]
    return [*_plain(start, cut, pulse, sounds), *_plain(cut, end, pulse, sounds)]


def _note_stands(start: int, end: int, crossed: int, pulse: Pulse) -> bool:
    """Whether one note may be written over the strongest place within it."""
    first, last = pulse.level(start), pulse.level(end)
    leaves_group = pulse.whole_groups and crossed <= _group_level(pulse)
    if leaves_group:
        return first <= crossed and last <= crossed
    if first <= crossed:
        return True
    centre, length = start + (end - start) // 2, end - start
    half_notes = pulse.beat > QUARTER
    near = first == crossed + 1 or (half_notes and length == QUARTER)
    if near and 2 * centre == start + end and pulse.level(centre) == crossed:
        return True
    if first == crossed + 1 == 2 and last == 0 and 4 * length == 3 * pulse.bar:
        # A quarter and a dotted half fill a bar of 4/4, an eighth and a dotted quarter one of 2/4.
        return True
    # Short and long within one beat: the Scotch snap.
    return last <= crossed and crossed > _beat_level(pulse)


def _rest_stands(start: int, end: int, crossed: int, pulse: Pulse) -> bool:
    """Whether one rest may stand: only over a whole unit of the metre, or two thirds of a dotted beat."""
    first, last = pulse.level(start), pulse.level(end)
    if first < crossed and last < crossed:
        return True
    inside_group = pulse.whole_groups and crossed > _group_level(pulse)
    return inside_group and first < crossed and last == crossed and end - start == 2 * pulse.beat


def _group_level(pulse: Pulse) -> int:
    """Level of the places where groups start; 0 where the bar is one group."""
    if len(pulse.groups) == 1:
        return 0
    return pulse.level(pulse.groups[0])


def _beat_level(pulse: Pulse) -> int:
    """Level of the places where beats start: groups, where the beat is dotted."""
    if pulse.whole_groups or pulse.beat < QUARTER:
        return _group_level(pulse)
    # A half note as the beat (2/2, 3/2) still shows its quarters.
    return pulse.level(QUARTER) if pulse.bar > QUARTER else 0


def _greedy(start: int, end: int) -> list[Value]:
    out: list[Value] = []
    while start < end:
        length = next((n for n in range(end - start, 0, -1) if kind_of(n)), 0)
        if not length:
            # Finer than any written value: kept as the shortest one with its own length.
            out.append(Value(start, end - start, "256th", 0))
            break
        out.append(Value(start, length, *(kind_of(length) or ("256th", 0))))
        start += length
    return out


def _in_tuplet(start: int, end: int, region: TupletRegion) -> list[Value]:
    out: list[Value] = []
    while start < end:
        length, kind = next(
            (
                (n, kind)
                for n in range(end - start, 0, -1)
                if (kind := kind_of(n, region.actual, region.normal))
            ),
            (end - start, ("256th", 0)),
        )
        out.append(Value(start, length, *kind, region=region))
        start += length
    return out
