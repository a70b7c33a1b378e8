"""From bars as they are written to a regular grid of metres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from troubadour.music.score import Metre


class WrittenBar(NamedTuple):
    """One bar as a source has it."""

    length: int
    """Ticks that its notes and rests fill."""
    metre: Metre
    ends_section: bool
    """Whether a double bar, a repeat sign or the end follows it."""


class Grid(NamedTuple):
    """Where bars stand."""

    starts: list[int]
    """First tick of each written bar."""
    metres: list[Metre]
    upbeat_ticks: int
    irregular: int
    """Bars that needed a metre of their own."""


def lay_out(bars: Sequence[WrittenBar], ticks_per_quarter: int) -> Grid:
    """Lay written bars on a grid whose barlines fall where the source has them.

    A first bar that is short is the upbeat. A short bar and the one after it that complete each
    other make one bar (a repeat sign in mid-bar); a short bar at the end of a section is filled
    with rest; any other irregular bar gets a metre of its own.
    """
    starts: list[int] = []
    metres: list[Metre] = []
    position, upbeat, irregular, i = 0, 0, 0, 0

    def metre_from(metre: Metre) -> None:
        if metres and metres[-1].tick == position:
            metres.pop()
        if not metres or metres[-1][1:] != metre[1:]:
            metres.append(metre._replace(tick=position if metres else 0))

    while i < len(bars):
        length, metre, ends = bars[i]
        whole = metre.bar_ticks(ticks_per_quarter)
        following = bars[i + 1] if i + 1 < len(bars) else None
        starts.append(position)
        own = _metre_of(length, ticks_per_quarter)
        if not i and 0 < length < whole and following is not None:
            metre_from(metre)
            upbeat = length
            position += length
        elif not length % whole or (following is None and length < whole):
            metre_from(metre)
            position += max(length, whole)
        elif length < whole and following is not None and length + following.length == whole:
            metre_from(metre)
            starts.append(position + length)
            position += whole
            i += 1
        elif (length < whole and ends) or own is None:
            metre_from(metre)
            position += -(-length // whole) * whole
        else:
            irregular += 1
            metre_from(own)
            position += length
        i += 1
    return Grid(starts, metres, upbeat, irregular)


def _metre_of(length: int, ticks_per_quarter: int) -> Metre | None:
    """The plainest metre whose bar lasts `length` ticks."""
    for denominator in (4, 8, 16, 32):
        beats, rest = divmod(length * denominator, 4 * ticks_per_quarter)
        if not rest and 1 <= beats <= 64:
            return Metre(0, beats, denominator)
    return None
