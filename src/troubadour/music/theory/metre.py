"""Metres: bar, beat, groups of beats and the strengths of the places of a bar.

| Metre | Class | Beat | Groups (units) |
|---|---|---|---|
| 2/4, 2/2 | simple duple | the unit | 1+1 |
| 3/4, 3/8 | simple triple | the unit | 1+1+1; 3 in 3/8 |
| 4/4 | simple quadruple | the unit | 2+2 |
| 6/8, 6/4, 9/8, 12/8 | compound | three units | 3+3, 3+3, 3+3+3, 3+3+3+3 |
| 5/8, 7/8, 8/8 | additive | the unit | 3+2, 2+2+3, 3+3+2 |
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

# Groups of two and three units, the commonest first.
_GROUPINGS: Final = {
    5: ((3, 2), (2, 3)),
    7: ((2, 2, 3), (3, 2, 2), (2, 3, 2)),
    8: ((3, 3, 2), (3, 2, 3), (2, 3, 3)),
    10: ((3, 3, 2, 2), (3, 2, 3, 2), (2, 3, 3, 2), (2, 2, 3, 3), (2, 3, 2, 3)),
    11: ((3, 3, 3, 2), (2, 3, 3, 3), (3, 2, 3, 3), (3, 3, 2, 3), (2, 2, 3, 2, 2)),
    13: ((3, 3, 3, 2, 2), (2, 2, 3, 3, 3), (3, 2, 3, 2, 3)),
}
_SHORT: Final = 8
"""Denominator from which on units are short: they are felt, and beamed, in groups."""
_PER_WHOLE: Final = 32
"""Places of a whole note that `Metre.strengths` counts; none is shorter in a quantised score."""


class Metre(NamedTuple):
    """A time signature from `tick` on; `tick` is always a barline."""

    tick: int
    numerator: int
    denominator: int

    @property
    def name(self) -> str:
        """As written: `6/8`."""
        return f"{self.numerator}/{self.denominator}"

    @property
    def compound(self) -> bool:
        """Whether the beat divides into three units: 6/8, 9/8, 12/8, 6/4, 9/16 ..., but not 3/8."""
        return self.numerator % 3 == 0 and self.numerator > 3

    @property
    def additive(self) -> bool:
        """Whether the groups of the bar differ in length: 5/8, 7/8, 8/8, 5/4 ..."""
        return len(set(self.groups)) > 1

    @property
    def groupings(self) -> tuple[tuple[int, ...], ...]:
        """The usual groupings of the units of a bar, the commonest first; one for most metres."""
        return _groupings(self.numerator, self.denominator)

    @property
    def groups(self) -> tuple[int, ...]:
        """Lengths in units of the groups of a bar in the commonest grouping.

        >>> Metre(0, 5, 8).groups, Metre(0, 7, 8).groups, Metre(0, 6, 4).groups, Metre(0, 4, 4).groups
        ((3, 2), (2, 2, 3), (3, 3), (2, 2))
        """
        return self.groupings[0]

    def bar_ticks(self, ticks_per_quarter: int) -> int:
        """Length of one bar in ticks."""
        return self.numerator * 4 * ticks_per_quarter // self.denominator

    def unit_ticks(self, ticks_per_quarter: int) -> int:
        """Length in ticks of the note value that the denominator names."""
        return 4 * ticks_per_quarter // self.denominator

    def beat_ticks(self, ticks_per_quarter: int) -> int:
        """Length of a beat in ticks: three units in a compound metre, else one.

        In an additive metre the beats of a bar differ in length (`groups`); this is their common unit.

        >>> [Metre(0, n, d).beat_ticks(24) for n, d in ((4, 4), (2, 2), (6, 8), (6, 4), (3, 8), (5, 8))]
        [24, 48, 36, 72, 12, 12]
        """
        return (3 if self.compound else 1) * 4 * ticks_per_quarter // self.denominator

    @property
    def tactus_units(self) -> int:
        """Units of the beat at which listeners count: three in a compound metre of short units, else one.

        In 6/4, 9/4 and 6/2 the unit counts: at most tempos a dotted half note lasts longer than the
        beats that people tap.

        >>> Metre(0, 6, 8).tactus_units, Metre(0, 6, 4).tactus_units, Metre(0, 4, 4).tactus_units
        (3, 1, 1)
        """
        return 3 if self.compound and self.denominator >= _SHORT else 1

    def tactus_ticks(self, ticks_per_quarter: int) -> int:
        """Length in ticks of the beat at which listeners count; see `tactus_units`."""
        return self.tactus_units * 4 * ticks_per_quarter // self.denominator

    def strengths(self, groups: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Strength of each 32nd note of a bar (in n/64 of each 64th), both barlines included.

        0 is a barline, 1 the start of a group, and every weaker level of the metrical hierarchy one
        more (Lerdahl & Jackendoff, 1983). In 12/8 and 12/4 the middle of the bar is stronger than the
        other groups.

        Args:
            groups: lengths of the groups in units; default: the commonest grouping.

        >>> Metre(0, 3, 8).strengths()
        (0, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3, 0)
        """
        return _strengths(self.numerator, self.denominator, self.groups if groups is None else groups)


@lru_cache(maxsize=256)
def _groupings(numerator: int, denominator: int) -> tuple[tuple[int, ...], ...]:
    short = denominator >= _SHORT
    if numerator in _GROUPINGS and (short or (denominator == 4 and numerator in (5, 7))):
        # A bar of seven quarters is a bar of four and one of three.
        return _GROUPINGS[numerator] if short or numerator == 5 else ((4, 3), (3, 4))
    if numerator % 3 == 0 and numerator > 3:
        return ((3,) * (numerator // 3),)
    if short and numerator % 2 == 0 and numerator > 2:
        return ((2,) * (numerator // 2),)
    if numerator == 4:
        return ((2, 2),)
    if short and numerator <= 3:
        return ((numerator,),)
    return ((1,) * numerator,)


@lru_cache(maxsize=256)
def _strengths(numerator: int, denominator: int, groups: tuple[int, ...]) -> tuple[int, ...]:
    places = max(_PER_WHOLE // denominator, 1)
    bar = numerator * places
    levels = [_PER_WHOLE] * (bar + 1)
    level = 0

    def mark(found: Iterable[int]) -> None:
        for place in found:
            levels[place] = min(levels[place], level)

    mark((0, bar))
    edges = tuple(accumulate(groups))
    if numerator == 12 and len(groups) == 4:
        level += 1
        mark((edges[1] * places,))
    if len(groups) > 1:
        level += 1
        mark(edge * places for edge in edges)
    if len(groups) < numerator:
        level += 1
        mark(range(0, bar, places))
    while places > 1:
        places //= 2
        level += 1
        mark(range(0, bar, places))
    return tuple(levels)
