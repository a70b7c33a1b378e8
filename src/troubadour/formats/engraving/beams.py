"""Which notes share a beam: the groups follow the metre."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from troubadour.formats.engraving.notation import Value
from troubadour.formats.engraving.pulse import QUARTER, Pulse

_EIGHTH = QUARTER // 2
Note = tuple[Value, bool]
"""A written value, and whether it sounds."""


def beam_runs(notes: Sequence[Note], pulse: Pulse) -> list[list[int]]:
    """Indices of the notes of each beam, in the order of one voice of one bar.

    Notes within one beat share a beam. Beats of nothing but eighths are joined: within half a bar
    in 4/4 and 2/2, over the bar in 3/4. No beam crosses a rest, a group of the metre or, in 4/4,
    the middle of the bar.
    """
    stretches = _stretches(notes, pulse)
    runs: list[list[int]] = []
    previous = -1
    for i, (value, sounds) in enumerate(notes):
        if not sounds or not value.flags:
            previous = -1
            continue
        stretch = sum(1 for s in stretches if s <= value.start)
        if stretch != previous:
            runs.append([])
        runs[-1].append(i)
        previous = stretch
    return [run for run in runs if len(run) > 1]


def _stretches(notes: Sequence[Note], pulse: Pulse) -> list[int]:
    """Where a new beam must start, in ticks from the barline."""
    beats = _beats(pulse)
    starts = [0]
    for edge, following in pairwise([*beats[1:], pulse.bar]):
        before = starts[-1]
        if not (
            _joinable(edge, pulse) and _eighths(notes, before, edge) and _eighths(notes, edge, following)
        ):
            starts.append(edge)
    return starts


def _beats(pulse: Pulse) -> list[int]:
    """Starts of the beats: groups where the beat is dotted or short, else quarters."""
    if pulse.whole_groups or (pulse.beat < QUARTER and len(pulse.groups) >= 1):
        starts, place = [], 0
        for group in pulse.groups:
            starts.append(place)
            place += group
        return starts
    return list(range(0, pulse.bar, QUARTER))


def _joinable(edge: int, pulse: Pulse) -> bool:
    """Whether two beats may be joined over the place between them."""
    if pulse.whole_groups or pulse.beat < QUARTER:
        return False
    if pulse.beat > QUARTER:
        return edge % pulse.beat != 0
    if pulse.bar in (2 * QUARTER, 3 * QUARTER):
        return True
    if pulse.bar == 4 * QUARTER:
        return edge != 2 * QUARTER
    return False


def _eighths(notes: Sequence[Note], start: int, end: int) -> bool:
    """Whether a stretch is filled with plain eighths and nothing else."""
    inside = [n for n in notes if n[0].start < end and n[0].start + n[0].length > start]
    return (
        bool(inside)
        and all(s and v.length == _EIGHTH and v.region is None for v, s in inside)
        and inside[0][0].start == start
        and sum(v.length for v, _ in inside) == end - start
    )


def beam_marks(notes: Sequence[Note], pulse: Pulse) -> list[list[str]]:
    """Of each note, what each of its beams does, the first level first: `begin`, `end` ..."""
    out: list[list[str]] = [[] for _ in notes]
    for run in beam_runs(notes, pulse):
        fine = any(notes[i][0].flags >= 3 for i in run)
        for level in range(1, 7):
            for place, i in enumerate(run):
                if notes[i][0].flags < level:
                    continue
                left = place > 0 and notes[run[place - 1]][0].flags >= level
                right = place + 1 < len(run) and notes[run[place + 1]][0].flags >= level
                if fine and level > 1:
                    # Beams of 32nds are parted at the eighth, the first beam goes on.
                    left = left and not _parted(notes[i][0])
                    right = right and not _parted(notes[run[place + 1]][0])
                out[i].append(_kind(left, right, place, run, notes, i))
    return out


def _parted(value: Value) -> bool:
    return value.region is None and value.start % _EIGHTH == 0


def _kind(left: bool, right: bool, place: int, run: list[int], notes: Sequence[Note], i: int) -> str:
    if left and right:
        return "continue"
    if left:
        return "end"
    if right:
        return "begin"
    # A lone short note points towards the long one that it completes a beat with.
    if place == 0:
        return "forward hook"
    if place + 1 == len(run):
        return "backward hook"
    value = notes[i][0]
    return "forward hook" if value.start % _EIGHTH == 0 else "backward hook"
