"""Where a bar needs tuplets: triplets, sextuplets, quintuplets, septuplets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from troubadour.formats.engraving.pulse import QUARTER
from troubadour.formats.engraving.pulse import THIRTY_SECOND as _THIRTY_SECOND

# Notes in the tuplet and the plain notes in whose time they sound, the commonest first.
_RATIOS: Final = ((3, 2), (6, 4), (5, 4), (7, 4), (10, 8), (14, 8))


@dataclass(frozen=True, slots=True)
class TupletRegion:
    """A stretch of a bar in which `actual` notes stand for `normal` ones."""

    start: int
    end: int
    actual: int = 3
    normal: int = 2


def tuplet_regions(places: Iterable[int], bar: int) -> list[TupletRegion]:
    """The stretches of a bar that need tuplets, in time order.

    Args:
        places: ticks from the barline at which notes start and end.
        bar: length of the bar in ticks.
    """
    every = sorted(set(places))
    odd = [p for p in every if p % _THIRTY_SECOND]
    if not odd:
        return []
    found: list[TupletRegion] = []
    for half in range(0, bar, 2 * QUARTER):
        end = half + 2 * QUARTER
        wide = _wide(every, odd, half) if end <= bar else None
        if wide:
            found.append(wide)
            continue
        for beat in range(half, min(end, bar), QUARTER):
            found += _in_beat(every, odd, beat)
    return found


def _wide(every: Sequence[int], odd: Sequence[int], start: int) -> TupletRegion | None:
    """A tuplet over two quarters, where nothing but its own notes stands in them."""
    end = start + 2 * QUARTER
    inside = {p - start for p in every if start < p < end}
    if not any(start < p < end for p in odd):
        return None
    for actual, normal in ((3, 2), (5, 4), (7, 4)):
        step, rest = divmod(2 * QUARTER, actual)
        if not rest and inside and all(p % step == 0 for p in inside) and len(inside) <= actual:
            # Two triplets of eighths are clearer than six in the time of four over two beats.
            return TupletRegion(start, end, actual, normal)
    return None


def _in_beat(every: Sequence[int], odd: Sequence[int], beat: int) -> list[TupletRegion]:
    inside = {p - beat for p in every if beat < p < beat + QUARTER}
    if not any(beat < p < beat + QUARTER for p in odd):
        return []
    half = QUARTER // 2
    sixth = QUARTER // 6
    if inside == {sixth * i for i in range(1, 6)}:
        return [TupletRegion(beat, beat + QUARTER, 6, 4)]
    if half in inside:
        parts = [{p for p in inside if p < half}, {p - half for p in inside if p > half}]
        if all(p % sixth == 0 or p % _THIRTY_SECOND == 0 for part in parts for p in part) and not any(
            {p % sixth == 0 for p in part} == {True, False} for part in parts
        ):
            return [
                TupletRegion(beat + i * half, beat + (i + 1) * half)
                for i, part in enumerate(parts)
                if any(p % _THIRTY_SECOND for p in part)
            ]
    for actual, normal in _RATIOS:
        step, rest = divmod(QUARTER, actual)
        if not rest and all(p % step == 0 or (2 * p) % step == 0 for p in inside):
            return [TupletRegion(beat, beat + QUARTER, actual, normal)]
    return [TupletRegion(beat, beat + QUARTER)]
