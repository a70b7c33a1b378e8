"""Bring a score onto the grid on which everything else works: 24 ticks a quarter note."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.score import Column, Key, Metre, Score, Tempo, Track

TICKS_PER_QUARTER: Final = 24
GRID: Final = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Places within a quarter where notes may start and end: 32nds and sixteenth triplets."""
VELOCITY_LEVELS: Final = (16, 33, 49, 64, 80, 96, 112, 126)
"""ppp, pp, p, mp, mf, f, ff, fff."""
DEFAULT_VELOCITY: Final = 80
# The marks of a metronome, carried on at both ends: fine enough that nobody hears the rounding.
METRONOME: Final = (
    20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63, 66, 69, 72, 76,
    80, 84, 88, 92, 96, 100, 104, 108, 112, 116, 120, 126, 132, 138, 144, 152, 160, 168, 176, 184, 192, 200,
    208, 216, 224, 232, 240, 252, 264, 276, 288, 304, 320, 336,
)  # fmt: skip
MAX_BAR_TICKS: Final = 64 * TICKS_PER_QUARTER
MAX_NUMERATOR: Final = 64

_Change = TypeVar("_Change", Tempo, Key)
_GRID_STEPS = np.array([*GRID, TICKS_PER_QUARTER], dtype=np.int64)


class Bars(NamedTuple):
    """The bars of a quantised score, one row each; an upbeat is a row of its own."""

    start: Column
    """First tick of each bar, shape (n,)."""
    length: Column
    """Ticks of each bar as the metre has it (for an upbeat: of the whole bar)."""
    lead: Column
    """Place within the bar at which it starts: 0, or for an upbeat the part that is left out."""


def quantise(score: Score) -> Score:
    """Snap a score to 24 ticks a quarter in its canonical form.

    Onsets and ends go to the nearest place of `GRID`, counted from the barline; velocities to
    `VELOCITY_LEVELS`; tempos to `METRONOME`; changes of tempo and key to the nearest barline.
    Tracks without notes go, as do maps past the end. Doubled notes are merged and a note that
    is struck again while it sounds ends there. A first bar shorter than the metre after it is
    the upbeat. Quantising twice changes nothing. Costs about 0.3 ms for a tune.

    Raises:
        InputError: a metre that the grid cannot hold (odd n/64, bars over 64 quarters).
    """
    scale = TICKS_PER_QUARTER / score.ticks_per_quarter
    end = float(score.end_ticks) * scale
    metres, upbeat = _metres(score, scale, end)
    bars = bar_table(metres, upbeat, int(np.ceil(end)) + MAX_BAR_TICKS)
    onset = snap(score.onset * scale, bars)
    stop = snap((score.onset + score.duration) * scale, bars)
    short = stop <= onset
    if short.any():
        stop[short] = _next_place(onset[short], bars)
    velocity = nearest(score.velocity, VELOCITY_LEVELS)
    rows = np.stack([onset, stop, score.pitch, velocity, score.track], axis=1).astype(np.int64)
    rows = _without_overlaps(rows)
    used = np.unique(rows[:, 4])
    tracks = tuple(
        Track(0 if score.tracks[i].is_drum else score.tracks[i].program, *score.tracks[i][1:]) for i in used
    )
    length = int(rows[:, 1].max()) if len(rows) else 0
    starts = bars.start
    tempos = [
        Tempo(tick, float(nearest(np.array([bpm]), METRONOME)[0]))
        for tick, bpm in ((_barline(t.tick * scale, starts), t.bpm) for t in score.tempos)
    ]
    keys = [Key(_barline(k.tick * scale, starts), k.fifths, k.mode) for k in score.keys]
    return Score(
        TICKS_PER_QUARTER,
        rows[:, 0].astype(np.int32),
        (rows[:, 1] - rows[:, 0]).astype(np.int32),
        rows[:, 2].astype(np.int32),
        rows[:, 3].astype(np.int32),
        np.searchsorted(used, rows[:, 4]).astype(np.int32),
        tracks,
        tuple(_changes(tempos, length)),
        tuple(m for m in metres if m.tick < max(length, 1)),
        tuple(_changes(keys, length)),
        upbeat,
    )


def bars_of(score: Score) -> Bars:
    """The bars of a quantised score up to the one in which its last note ends."""
    return bar_table(score.metres, score.upbeat_ticks, max(score.end_ticks, 1))


def bar_table(metres: tuple[Metre, ...], upbeat: int, until: int) -> Bars:
    """All bars that start before tick `until`, at 24 ticks a quarter."""
    start: list[NDArray[np.int64]] = []
    length: list[NDArray[np.int64]] = []
    for i, metre in enumerate(metres):
        stop = metres[i + 1].tick if i + 1 < len(metres) else until
        bar = metre.bar_ticks(TICKS_PER_QUARTER)
        first = metre.tick
        if i == 0 and upbeat:
            start.append(np.array([0]))
            length.append(np.array([bar]))
            first = upbeat
        these = np.arange(first, max(stop, first if i or upbeat else first + 1), bar)
        start.append(these)
        length.append(np.full(len(these), bar))
    starts, lengths = np.concatenate(start), np.concatenate(length)
    lead = np.zeros(len(starts), dtype=np.int32)
    if upbeat:
        lead[0] = lengths[0] - upbeat
    return Bars(starts.astype(np.int32), lengths.astype(np.int32), lead)


def snap(ticks: NDArray[np.floating[Any]], bars: Bars) -> NDArray[np.int64]:
    """Nearest place of the grid for times in (fractional) ticks, counted from their barline."""
    row = np.clip(np.searchsorted(bars.start, ticks + 1e-9, side="right") - 1, 0, None)
    origin = bars.start[row] - bars.lead[row]
    within = ticks - origin
    quarter = np.floor((within + 1e-9) / TICKS_PER_QUARTER)
    rest = within - quarter * TICKS_PER_QUARTER
    middles = (_GRID_STEPS[1:] + _GRID_STEPS[:-1]) / 2
    place = _GRID_STEPS[np.searchsorted(middles, rest, side="right")]
    snapped = (origin + quarter * TICKS_PER_QUARTER + place).astype(np.int64)
    # A place that the barline cuts off belongs to the barline itself.
    following = np.append(bars.start[1:], np.iinfo(np.int32).max)[row]
    clipped: NDArray[np.int64] = np.clip(snapped, bars.start[row], following)
    return clipped


def nearest(values: NDArray[np.generic], levels: tuple[int, ...]) -> NDArray[np.int64]:
    """The nearest of rising `levels` for each value; halfway goes up."""
    steps = np.array(levels, dtype=np.float64)
    index = np.searchsorted((steps[1:] + steps[:-1]) / 2, values.astype(np.float64), side="right")
    return np.array(levels, dtype=np.int64)[index]


def _next_place(ticks: NDArray[np.int64], bars: Bars) -> NDArray[np.int64]:
    row = np.searchsorted(bars.start, ticks, side="right") - 1
    origin = bars.start[row] - bars.lead[row]
    quarter, rest = np.divmod(ticks - origin, TICKS_PER_QUARTER)
    place = _GRID_STEPS[np.searchsorted(_GRID_STEPS, rest, side="right")]
    following = np.append(bars.start[1:], np.iinfo(np.int32).max)[row]
    nxt: NDArray[np.int64] = np.minimum(origin + quarter * TICKS_PER_QUARTER + place, following)
    return nxt


def _barline(tick: float, starts: Column) -> int:
    after = int(np.searchsorted(starts, tick))
    near = starts[max(after - 1, 0) : after + 1]
    return int(near[np.argmin(np.abs(near - tick))])


def _changes(entries: list[_Change], end: int) -> list[_Change]:
    """Of entries on one tick the last; no entry that repeats the one before or is past the end."""
    kept: list[_Change] = []
    for entry in entries:
        if kept and (entry.tick >= end or (entry[1:] == kept[-1][1:] and entry.tick != kept[-1].tick)):
            continue
        if kept and entry.tick == kept[-1].tick:
            kept.pop()
            if kept and kept[-1][1:] == entry[1:]:
                continue
        kept.append(entry)
    return kept


def _without_overlaps(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge notes doubled on one track; end a note where the same pitch is struck again."""
    if not len(rows):
        return rows
    rows = rows[np.lexsort((-rows[:, 3], -rows[:, 1], rows[:, 0], rows[:, 2], rows[:, 4]))]
    same = (rows[1:, 4] == rows[:-1, 4]) & (rows[1:, 2] == rows[:-1, 2])
    doubled = np.zeros(len(rows), dtype=bool)
    doubled[1:] = same & (rows[1:, 0] == rows[:-1, 0])
    rows = rows[~doubled]
    same = (rows[1:, 4] == rows[:-1, 4]) & (rows[1:, 2] == rows[:-1, 2])
    rows[:-1, 1] = np.where(same, np.minimum(rows[:-1, 1], rows[1:, 0]), rows[:-1, 1])
    return rows


def _metres(score: Score, scale: float, end: float) -> tuple[tuple[Metre, ...], int]:
    """The canonical metre map on the new grid, and the upbeat."""
    found = [_on_grid(m) for m in score.metres]
    ticks = [m.tick * scale for m in score.metres]
    upbeat = _thirty_seconds(score.upbeat_ticks * scale)
    first = found[0].bar_ticks(TICKS_PER_QUARTER)
    if upbeat >= first:
        upbeat = 0
    segments: list[tuple[Metre, int, int]] = []  # metre, start, first full bar
    position = 0
    for i, metre in enumerate(found):
        if i and ticks[i] >= end:
            break
        bar = metre.bar_ticks(TICKS_PER_QUARTER)
        if i:
            before, _, origin = segments[-1]
            length = before.bar_ticks(TICKS_PER_QUARTER)
            whole, rest = divmod(ticks[i] - origin, length)
            rest = _thirty_seconds(rest)
            if rest == length:
                whole, rest = whole + 1, 0
            if whole < 0:  # the change falls within the upbeat: the whole upbeat is in the new metre
                segments[-1] = (metre, 0, origin)
                continue
            position = origin + int(whole) * length
            if position == segments[-1][1] and not rest:
                segments.pop()
            elif rest:
                if position == segments[-1][1]:
                    segments.pop()
                # A long odd bar has no metre of its own: whole quarters first, then what is left.
                quarters = rest - rest % TICKS_PER_QUARTER if rest > 64 * 3 else 0
                for part in filter(None, (quarters, rest - quarters)):
                    segments.append((_metre_of_length(position, part), position, position))
                    position += part
        segments.append((metre._replace(tick=position), position, position + (upbeat if not i else 0)))
        if not bar:
            raise InputError(f"metre {metre.name} has no length")
    return _canonical([Metre(start, m.numerator, m.denominator) for m, start, _ in segments], upbeat)


def _canonical(metres: list[Metre], upbeat: int) -> tuple[tuple[Metre, ...], int]:
    """One spelling for each structure: upbeats as upbeats, no metre that repeats itself."""
    kept: list[Metre] = []
    for metre in metres:
        if not kept or kept[-1][1:] != metre[1:]:
            kept.append(metre)
    if len(kept) > 1:
        length = upbeat or kept[0].bar_ticks(TICKS_PER_QUARTER)
        if kept[1].tick == length and (upbeat or length < kept[1].bar_ticks(TICKS_PER_QUARTER)):
            return _canonical([kept[1]._replace(tick=0), *kept[2:]], length)
    # An upbeat longer than its metre's bar is a shorter one and whole bars.
    upbeat %= kept[0].bar_ticks(TICKS_PER_QUARTER)
    return tuple(kept), upbeat


def _on_grid(metre: Metre) -> Metre:
    numerator, denominator = metre.numerator, metre.denominator
    if denominator == 64:
        if numerator % 2:
            raise InputError(f"metre {metre.name} does not fit the grid; allowed: halves to 32nds")
        numerator, denominator = numerator // 2, 32
    if numerator > MAX_NUMERATOR or numerator * 96 // denominator > MAX_BAR_TICKS:
        raise InputError(f"metre {metre.name} is too long; allowed: up to 64 beats, 64 quarters a bar")
    return Metre(metre.tick, numerator, denominator)


def _metre_of_length(tick: int, length: int) -> Metre:
    """The plainest metre whose bar lasts `length` ticks (a multiple of 3)."""
    for denominator in (4, 8, 16, 32):
        beat = 96 // denominator
        if length % beat == 0 and length // beat <= MAX_NUMERATOR:
            return Metre(tick, length // beat, denominator)
    raise InputError(f"a bar of {length} ticks does not fit the grid; allowed: multiples of 3")


def _thirty_seconds(ticks: float) -> int:
    return round(ticks / 3) * 3
