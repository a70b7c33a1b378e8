"""How a metre divides its bar: groups, beats and their parts, strongest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from troubadour.music.quantise import NOTATION_TICKS
from troubadour.music.score import Metre

QUARTER: Final = NOTATION_TICKS
"""Ticks a quarter of everything that is written: quintuplets and septuplets are whole numbers."""
THIRTY_SECOND: Final = QUARTER // 8
"""The shortest division that a metre counts."""
# Groups of beats in additive metres, the commonest first; the music chooses among them.
_GROUPINGS: Final = {
    5: ((3, 2), (2, 3)),
    7: ((2, 2, 3), (3, 2, 2), (2, 3, 2)),
    8: ((3, 3, 2), (3, 2, 3), (2, 3, 3)),
    10: ((3, 3, 2, 2), (3, 2, 3, 2), (2, 3, 3, 2), (2, 2, 3, 3), (2, 3, 2, 3)),
    11: ((3, 3, 3, 2), (2, 3, 3, 3), (3, 2, 3, 3), (3, 3, 2, 3), (2, 2, 3, 2, 2)),
    13: ((3, 3, 3, 2, 2), (2, 2, 3, 3, 3), (3, 2, 3, 2, 3)),
}


NO_PLACE: Final = 99


@dataclass(frozen=True, slots=True)
class Pulse:
    """The strengths of the places of one bar, in ticks from the barline."""

    bar: int
    groups: tuple[int, ...]
    """Lengths of the parts of the bar that beams and rests keep apart."""
    beat: int
    """Length of a beat; in compound and additive metres that of the group's unit."""
    whole_groups: bool
    """Whether a note that leaves a group fills the next one too (compound and additive metres)."""
    levels: tuple[int, ...]
    """Strength of each 32nd from 0 to the end of the bar: 0 = barline, 1 = group, 2 = beat and so on."""

    def level(self, tick: int) -> int:
        """Strength of a tick; `NO_PLACE` where the metre counts no place."""
        place, rest = divmod(tick, THIRTY_SECOND)
        return NO_PLACE if rest else self.levels[place]

    def strongest(self, start: int, end: int) -> int:
        """The level of the strongest place strictly between two ticks; `NO_PLACE` where there is none."""
        return min(self.levels[start // THIRTY_SECOND + 1 : -(-end // THIRTY_SECOND)], default=NO_PLACE)

    def group_of(self, tick: int) -> int:
        """Which group of the bar a tick is in, from 0."""
        return sum(1 for end in accumulate(self.groups[:-1]) if end <= tick)


def compound(metre: Metre) -> bool:
    """Whether the beat is dotted: 6/8, 9/8, 12/8, 6/16 ..."""
    return metre.denominator >= 8 and metre.numerator % 3 == 0 and metre.numerator > 3


def additive(metre: Metre) -> bool:
    """Whether the bar falls into groups of two and three short beats: 5/8, 7/8, 8/8 ..."""
    return metre.denominator >= 8 and metre.numerator in _GROUPINGS


def groupings(metre: Metre) -> tuple[tuple[int, ...], ...]:
    """The ways to group the beats of a metre, the commonest first; one for most metres."""
    n = metre.numerator
    if additive(metre) or (metre.denominator == 4 and n in (5, 7)):
        found = _GROUPINGS[n]
        return ((4, 3), (3, 4)) if metre.denominator == 4 and n == 7 else found
    if compound(metre):
        return ((3,) * (n // 3),)
    if metre.denominator >= 8 and n % 2 == 0 and n > 2:
        return ((2,) * (n // 2),)
    if metre.denominator <= 4 and n in (6, 9, 12):
        return ((3,) * (n // 3),)
    if n == 4:
        return ((2, 2),)
    if metre.denominator >= 8 and n <= 3:
        return ((n,),)
    return ((1,) * n,)


@lru_cache(maxsize=256)
def pulse_of(numerator: int, denominator: int, groups: tuple[int, ...]) -> Pulse:
    """The strengths of a bar whose beats are grouped so."""
    metre = Metre(0, numerator, denominator)
    beat = 4 * QUARTER // denominator
    bar = numerator * beat
    levels = [NO_PLACE] * (bar // THIRTY_SECOND + 1)
    level = 0

    def mark(places: Iterable[int], level: int) -> None:
        for place in places:
            if 0 <= place <= bar:
                levels[place // THIRTY_SECOND] = min(levels[place // THIRTY_SECOND], level)

    mark((0, bar), 0)
    edges = tuple(accumulate(groups))
    if numerator == 12 and len(groups) == 4:
        level += 1
        mark((edges[1] * beat,), level)
    if len(groups) > 1:
        level += 1
        mark((e * beat for e in edges), level)
    if len(groups) < numerator:
        level += 1
        mark(range(0, bar, beat), level)
    step = beat
    while step % 2 == 0 and step // 2 >= THIRTY_SECOND:
        step //= 2
        level += 1
        mark(range(0, bar, step), level)
    strict = compound(metre) or additive(metre) or (denominator >= 8 and numerator == 3)
    return Pulse(bar, tuple(g * beat for g in groups), beat, strict, tuple(levels))


def pulse_for(metre: Metre, onsets: Iterable[int]) -> Pulse:
    """The pulse of a metre, its groups chosen so that most notes start on them.

    Args:
        onsets: starts of notes, in ticks from their barline.
    """
    ways = groupings(metre)
    if len(ways) > 1:
        counts: dict[int, int] = {}
        for onset in onsets:
            counts[onset] = counts.get(onset, 0) + 1
        beat = 4 * QUARTER // metre.denominator

        def fit(way: tuple[int, ...]) -> float:
            inner = list(accumulate(way))[:-1]
            return sum(counts.get(e * beat, 0) for e in inner) / len(inner)

        # A tie keeps the commonest, which comes first.
        ways = (max(ways, key=fit),)
    return pulse_of(metre.numerator, metre.denominator, ways[0])
