"""How a metre divides its bar: groups, beats and their parts, strongest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from troubadour.music.quantise import NOTATION_TICKS
from troubadour.music.theory.metre import Metre

QUARTER: Final = NOTATION_TICKS
"""Ticks a quarter of everything that is written: quintuplets and septuplets are whole numbers."""
THIRTY_SECOND: Final = QUARTER // 8
"""The shortest division that a metre counts."""
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


@lru_cache(maxsize=256)
def pulse_of(numerator: int, denominator: int, groups: tuple[int, ...]) -> Pulse:
    """The strengths of the places of a bar with a given grouping of its units."""
    metre = Metre(0, numerator, denominator)
    unit = metre.unit_ticks(QUARTER)
    short = denominator >= 8
    strict = short and (metre.compound or metre.additive or numerator == 3)
    return Pulse(
        metre.bar_ticks(QUARTER), tuple(g * unit for g in groups), unit, strict, metre.strengths(groups)
    )


def pulse_for(metre: Metre, onsets: Iterable[int]) -> Pulse:
    """The pulse of a metre, its groups chosen so that most notes start on them.

    Args:
        onsets: starts of notes, in ticks from their barline.
    """
    ways = metre.groupings
    if len(ways) > 1:
        counts: dict[int, int] = {}
        for onset in onsets:
            counts[onset] = counts.get(onset, 0) + 1
        beat = metre.unit_ticks(QUARTER)

        def fit(way: tuple[int, ...]) -> float:
            inner = list(accumulate(way))[:-1]
            return sum(counts.get(e * beat, 0) for e in inner) / len(inner)

        # A tie keeps the commonest, which comes first.
        ways = (max(ways, key=fit),)
    return pulse_of(metre.numerator, metre.denominator, ways[0])
