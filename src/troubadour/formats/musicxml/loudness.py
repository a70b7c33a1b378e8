"""Velocities from dynamics marks, `sound dynamics` and wedges."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final, NamedTuple

from troubadour.music.quantise import DEFAULT_VELOCITY, VELOCITY_LEVELS

Element = Any
_LEVELS: Final = dict(zip(("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff"), VELOCITY_LEVELS, strict=True))
_ACCENT: Final = VELOCITY_LEVELS[6]
# Marks for one moment, and the level that holds after it (None: the one before).
_MOMENTARY: Final[dict[str, tuple[int, str | None]]] = {
    "fp": (VELOCITY_LEVELS[5], "p"), "sfp": (_ACCENT, "p"), "sfpp": (_ACCENT, "pp"), "sfzp": (_ACCENT, "p"),
    "sf": (_ACCENT, None), "sfz": (_ACCENT, None), "fz": (_ACCENT, None), "rf": (_ACCENT, None),
    "rfz": (_ACCENT, None), "sffz": (VELOCITY_LEVELS[7], None), "pf": (VELOCITY_LEVELS[2], "f"),
}  # fmt: skip
_WEDGE_STEP: Final = 16
"""Velocity that a wedge changes where no mark says how far it goes."""


class Loudness(NamedTuple):
    """A velocity from a place on, or for the notes that start there only."""

    measure: int
    position: float
    velocity: int
    momentary: bool


class Wedge(NamedTuple):
    """One end of a wedge."""

    measure: int
    position: float
    kind: str
    """`crescendo`, `diminuendo` or `stop`."""
    number: str


def percent(value: float) -> int:
    """Velocity of MusicXML's percentage of forte (90).

    >>> percent(54), percent(120)
    (49, 108)
    """
    return min(127, max(1, round(value * 0.9)))


def marked(marks: list[str], sound: int | None, measure: int, position: float) -> list[Loudness]:
    """Changes that marks (`p`, `sfz` ...) at one place mean; `sound` is the velocity given beside them."""
    found: list[Loudness] = []
    for mark in marks:
        if mark in _MOMENTARY:
            velocity, after = _MOMENTARY[mark]
            if after is not None:
                found.append(Loudness(measure, position, _LEVELS[after], False))
            found.append(Loudness(measure, position, sound or velocity, True))
            sound = None
        elif mark in _LEVELS:
            found.append(Loudness(measure, position, _LEVELS[mark], False))
        elif mark == "n" or (len(mark) > 3 and set(mark) <= {"p"}):
            found.append(Loudness(measure, position, VELOCITY_LEVELS[0], False))
        elif len(mark) > 3 and set(mark) == {"f"}:
            found.append(Loudness(measure, position, VELOCITY_LEVELS[-1], False))
    if sound is not None:
        found.append(Loudness(measure, position, sound, False))
    return found


class Dynamics:
    """Velocity at any time of one part."""

    def __init__(
        self, changes: list[Loudness], wedges: list[Wedge], starts: dict[int, int], quarter: int
    ) -> None:
        placed = [(starts[c.measure] + round(c.position), c) for c in changes if c.measure in starts]
        placed.sort(key=lambda p: p[0])
        self._moments = {tick: c.velocity for tick, c in placed if c.momentary}
        levels: dict[int, int] = {tick: c.velocity for tick, c in placed if not c.momentary}
        self._ramps: list[tuple[int, int, int, int]] = []
        for start, stop, sign in sorted(_spans(wedges, starts)):
            before = _level(levels, start)
            reached = min((t for t in levels if start < t <= stop + quarter), default=None)
            target = levels[reached] if reached is not None else before
            if (target - before) * sign <= 0:
                target = min(126, max(16, before + sign * _WEDGE_STEP))
                if reached is None:
                    levels[stop] = target
            self._ramps.append((start, stop, before, target))
        self._ticks = sorted(levels)
        self._levels = [levels[t] for t in self._ticks]

    def at(self, tick: int) -> int:
        """The velocity of a note that starts at `tick`."""
        if tick in self._moments:
            return self._moments[tick]
        for start, stop, low, high in self._ramps:
            if start <= tick < stop:
                return round(low + (high - low) * (tick - start) / (stop - start))
        index = bisect_right(self._ticks, tick) - 1
        return self._levels[index] if index >= 0 else DEFAULT_VELOCITY


def _level(levels: dict[int, int], tick: int) -> int:
    earlier = [t for t in levels if t <= tick]
    return levels[max(earlier)] if earlier else DEFAULT_VELOCITY


def _spans(wedges: list[Wedge], starts: dict[int, int]) -> list[tuple[int, int, int]]:
    """(start, stop, sign) of each wedge that has both ends."""
    open_at: dict[str, tuple[int, int]] = {}
    spans: list[tuple[int, int, int]] = []
    for wedge in wedges:
        if wedge.measure not in starts:
            continue
        tick = starts[wedge.measure] + round(wedge.position)
        if wedge.kind in ("crescendo", "diminuendo"):
            open_at[wedge.number] = (tick, 1 if wedge.kind == "crescendo" else -1)
        elif wedge.kind == "stop" and wedge.number in open_at:
            start, sign = open_at.pop(wedge.number)
            if tick > start:
                spans.append((start, tick, sign))
    return spans


__all__ = ["Dynamics", "Loudness", "Wedge", "marked", "percent"]
