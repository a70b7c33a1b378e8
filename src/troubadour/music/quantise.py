"""Quantisation of scores to 24 ticks a quarter, the grid of all other modules.

Notation uses a finer grid of 840 ticks, which holds quintuplets and septuplets too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.marks import FORM, PERFORMANCE, WHOLE, Mark, MarkKind
from troubadour.music.score import Column, Key, Metre, Score, Tempo, Track

TICKS_PER_QUARTER: Final = 24
NOTATION_TICKS: Final = 840
"""Ticks a quarter of the finer grid: `GRID` times 35, and divisions of a quarter into 5, 7, 10 and 14."""
GRID: Final = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Places within a quarter where notes may start and end: 32nds and sixteenth triplets."""
VELOCITY_LEVELS: Final = (16, 33, 49, 64, 80, 96, 112, 126)
"""ppp, pp, p, mp, mf, f, ff, fff."""
DEFAULT_VELOCITY: Final = 80
# The marks of a metronome, continued at both ends. Neighbours are too close to be heard as different.
METRONOME: Final = (
    20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63, 66, 69, 72, 76,
    80, 84, 88, 92, 96, 100, 104, 108, 112, 116, 120, 126, 132, 138, 144, 152, 160, 168, 176, 184, 192, 200,
    208, 216, 224, 232, 240, 252, 264, 276, 288, 304, 320, 336,
)  # fmt: skip
MAX_BAR_TICKS: Final = 64 * TICKS_PER_QUARTER
MAX_NUMERATOR: Final = 64

_Change = TypeVar("_Change", Tempo, Key)
_GRID_STEPS = np.array([*GRID, TICKS_PER_QUARTER], dtype=np.int64)
_TUPLETS: Final = (5, 7, 10, 14)
_EXACT: Final = 0.3
"""Largest distance of a note from its place in a tuplet, in 24ths of a quarter: 6 ms at 120 a minute."""
_AT_BARLINE: Final = 1.0
"""Largest distance of a change of tempo from its barline, in 24ths of a quarter."""


class Bars(NamedTuple):
    """The bars of a quantised score, one row each; an upbeat is a row of its own."""

    start: Column
    """First tick of each bar, shape (n,)."""
    length: Column
    """Ticks of a full bar in the metre of each bar, an upbeat's too."""
    lead: Column
    """Place within a full bar where each bar starts: 0, for an upbeat the ticks that are left out."""


def quantise(
    score: Score,
    *,
    marks: Collection[MarkKind] = frozenset(MarkKind),
    ticks_per_quarter: int = TICKS_PER_QUARTER,
) -> Score:
    """Quantise a score to 24 ticks a quarter, in canonical form; about 0.3 ms for a tune.

    Onsets and ends move to the nearest place of `GRID`, counted from the barline, velocities to
    `VELOCITY_LEVELS`, tempos to `METRONOME`, changes of key to the nearest barline. A bar with changes
    of tempo gets one tempo at which it lasts equally long. Tracks without notes are removed, and so are
    entries of maps after the end. Doubled notes are merged; a note that is struck again while it sounds
    ends there. A first bar shorter than the metre after it becomes an upbeat. Marks move to the nearest
    place of the grid, marks of form to the nearest barline. `exact.losses` describes what is lost.
    The function is idempotent.

    Args:
        marks: kinds of mark to keep; `()` drops all, `marks.NOTATION` drops those of MIDI only.
        ticks_per_quarter: 24, or 840 for notation. At 840 all ticks are those at 24 times 35, except in
            quarters in which all notes of a track divide the quarter into 5, 7, 10 or 14: there a place
            is 168, 120, 84 or 60 ticks. `tick % 35` is 0 exactly for places outside such tuplets.

    Raises:
        InputError: the grid cannot hold a metre (odd n/64, bars of more than 64 quarters).
    """
    if ticks_per_quarter not in (TICKS_PER_QUARTER, NOTATION_TICKS):
        raise InputError(f"ticks_per_quarter is {ticks_per_quarter}; allowed: 24, or 840 for notation")
    unit = ticks_per_quarter // TICKS_PER_QUARTER
    scale = TICKS_PER_QUARTER / score.ticks_per_quarter
    end = float(score.end_ticks) * scale
    metres, upbeat = _metres(score, scale, end)
    bars = bar_table(metres, upbeat, int(np.ceil(end)) + MAX_BAR_TICKS)
    grid = _Grid(score, scale, bars, unit)
    onset = grid.place(score.onset, score.track)
    stop = grid.place(score.onset + score.duration, score.track)
    short = stop <= onset
    if short.any():
        stop[short] = _next_place(onset[short] // unit, bars) * unit
    velocity = nearest(score.velocity, VELOCITY_LEVELS)
    rows = np.stack([onset, stop, score.pitch, velocity, score.track], axis=1).astype(np.int64)
    rows = _without_overlaps(rows)
    used = np.unique(rows[:, 4])
    tracks = tuple(
        Track(0 if score.tracks[i].is_drum else score.tracks[i].program, *score.tracks[i][1:]) for i in used
    )
    length = int(rows[:, 1].max()) if len(rows) else 0
    tempos = _tempos(score, scale, bars, length // unit)
    keys = [Key(_barline(k.tick * scale, bars.start), k.fifths, k.mode) for k in score.keys]
    return Score(
        ticks_per_quarter,
        rows[:, 0].astype(np.int32),
        (rows[:, 1] - rows[:, 0]).astype(np.int32),
        rows[:, 2].astype(np.int32),
        rows[:, 3].astype(np.int32),
        np.searchsorted(used, rows[:, 4]).astype(np.int32),
        tracks,
        tuple(t._replace(tick=t.tick * unit) for t in _changes(tempos, length)),
        tuple(m._replace(tick=m.tick * unit) for m in metres if m.tick * unit < max(length, 1)),
        tuple(k._replace(tick=k.tick * unit) for k in _changes(keys, length)),
        upbeat * unit,
        _marks(score, marks, grid, used.tolist(), length) if score.marks else (),
    )


class _Grid:
    """Map from a score's ticks to places of the grid; the finer grid has quintuplets and septuplets too."""

    def __init__(self, score: Score, scale: float, bars: Bars, unit: int) -> None:
        self.scale, self.bars, self.unit = scale, bars, unit
        self.tuplets: dict[tuple[int, int], int] = {}
        if unit == 1:
            return
        within: dict[tuple[int, int], set[float]] = {}
        for tick, track in zip(score.onset.tolist(), score.track.tolist(), strict=True):
            quarter, rest = self._quarter(tick)
            within.setdefault((track, quarter), set()).add(rest)
        for where, rests in within.items():
            worst = max(min(abs(rest - place) for place in _GRID_STEPS.tolist()) for rest in rests)
            for n in _TUPLETS if worst > _EXACT else ():
                step = TICKS_PER_QUARTER / n
                error = max(abs(rest - round(rest / step) * step) for rest in rests)
                if error < _EXACT and error < worst / 3:
                    self.tuplets[where] = n
                    break

    def _quarter(self, tick: int) -> tuple[int, float]:
        """The quarter that contains a tick of the source: its start, and the tick's place in it, in 24ths."""
        time = tick * self.scale
        row = max(int(np.searchsorted(self.bars.start, time + 1e-9, side="right")) - 1, 0)
        origin = int(self.bars.start[row] - self.bars.lead[row])
        quarter = int((time - origin + 1e-9) // TICKS_PER_QUARTER) * TICKS_PER_QUARTER + origin
        return quarter, time - quarter

    def place(self, ticks: Column, tracks: Column) -> NDArray[np.int64]:
        """Ticks of the source on the new grid, shape (n,); the tuplets of each tick's track apply."""
        placed = snap(ticks * self.scale, self.bars) * self.unit
        if self.tuplets:
            for i, (tick, track) in enumerate(zip(ticks.tolist(), tracks.tolist(), strict=True)):
                quarter, rest = self._quarter(tick)
                if n := self.tuplets.get((track, quarter)):
                    step = TICKS_PER_QUARTER * self.unit // n
                    placed[i] = quarter * self.unit + round(rest * self.unit / step) * step
        return placed

    def barline(self, tick: int) -> int:
        """The nearest barline on the new grid."""
        return _barline(tick * self.scale, self.bars.start) * self.unit


def _tempos(score: Score, scale: float, bars: Bars, length: int) -> list[Tempo]:
    """Tempos at barlines; a bar with changes of tempo gets one tempo at which it lasts equally long."""
    ticks = np.array([t.tick for t in score.tempos]) * scale
    near = np.array([_barline(tick, bars.start) for tick in ticks.tolist()])
    inside = (np.abs(near - ticks) > _AT_BARLINE) & (ticks < length)
    if not inside.any():
        return [Tempo(tick, _marking(t.bpm)) for tick, t in zip(near.tolist(), score.tempos, strict=True)]
    starts = bars.start[bars.start < max(length, 1)]
    stops = np.append(starts[1:], min(int(bars.start[len(starts)]), max(length, int(starts[-1]) + 1)))
    changing = set((np.searchsorted(bars.start, ticks[inside], side="right") - 1).tolist())
    at = score.seconds_at(np.stack([starts, stops]) / scale)
    out = []
    for row, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        if row in changing:
            seconds = max(float(at[1, row] - at[0, row]), 1e-6)
            bpm = (stop - start) / TICKS_PER_QUARTER / seconds * 60
        else:
            bpm = score.tempos[int(np.searchsorted(ticks, start + _AT_BARLINE, side="right")) - 1].bpm
        out.append(Tempo(start, _marking(bpm)))
    return out


def _marking(bpm: float) -> float:
    return float(nearest(np.array([bpm]), METRONOME)[0])


def _marks(
    score: Score, kinds: Collection[MarkKind], grid: _Grid, used: list[int], length: int
) -> tuple[Mark, ...]:
    """Marks on the new grid; marks of a track without notes become marks of the whole piece."""
    kept = [
        m
        for m in score.marks
        if m.kind in kinds and (m.track == WHOLE or m.track in used or m.kind not in PERFORMANCE)
    ]
    if not kept:
        return ()
    index = {track: i for i, track in enumerate(used)}
    tracks = np.array([m.track for m in kept])
    placed = []
    for raw in ([m.tick for m in kept], [max(m.end, 0) for m in kept]):
        at = np.array(raw, dtype=np.int32)
        # After the last note there are no bars to count from.
        rounded = np.rint(at * (grid.scale * grid.unit)).astype(np.int64)
        placed.append(np.where(rounded > length, rounded, grid.place(at, tracks)).tolist())
    moved = []
    for mark, tick, end in zip(kept, *placed, strict=True):
        if mark.kind in FORM:
            tick, end = grid.barline(mark.tick), grid.barline(mark.end)
        track = index.get(mark.track, WHOLE)
        moved.append(mark._replace(tick=tick, end=max(end, tick) if mark.end >= 0 else -1, track=track))
    return tuple(moved)


def grid_bars(score: Score) -> Bars:
    """The bars, at 24 ticks a quarter, from which `quantise` counts the places of a score's notes."""
    scale = TICKS_PER_QUARTER / score.ticks_per_quarter
    end = float(score.end_ticks) * scale
    metres, upbeat = _metres(score, scale, end)
    return bar_table(metres, upbeat, int(np.ceil(end)) + MAX_BAR_TICKS)


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
    """Nearest place of the grid, counted from the barline, for times in fractional ticks, shape (n,)."""
    row = np.clip(np.searchsorted(bars.start, ticks + 1e-9, side="right") - 1, 0, None)
    origin = bars.start[row] - bars.lead[row]
    within = ticks - origin
    quarter = np.floor((within + 1e-9) / TICKS_PER_QUARTER)
    rest = within - quarter * TICKS_PER_QUARTER
    middles = (_GRID_STEPS[1:] + _GRID_STEPS[:-1]) / 2
    place = _GRID_STEPS[np.searchsorted(middles, rest, side="right")]
    snapped = (origin + quarter * TICKS_PER_QUARTER + place).astype(np.int64)
    # Places after the following barline move to it.
    following = np.append(bars.start[1:], np.iinfo(np.int32).max)[row]
    clipped: NDArray[np.int64] = np.clip(snapped, bars.start[row], following)
    return clipped


def nearest(values: NDArray[np.generic], levels: tuple[int, ...]) -> NDArray[np.int64]:
    """The nearest of rising `levels` for each value; values halfway are rounded up."""
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
    """Entries without repetitions and without those after the end; of several at one tick the last."""
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
    """Notes of which doubled ones are merged, and each ends where its pitch is struck again."""
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
            if whole < 0:  # a change within the upbeat: the whole upbeat gets the new metre
                segments[-1] = (metre, 0, origin)
                continue
            position = origin + int(whole) * length
            if position == segments[-1][1] and not rest:
                segments.pop()
            elif rest:
                if position == segments[-1][1]:
                    segments.pop()
                # No metre holds a long odd bar: whole quarters first, then the rest.
                quarters = rest - rest % TICKS_PER_QUARTER if rest > 64 * 3 else 0
                for part in filter(None, (quarters, rest - quarters)):
                    segments.append((_metre_of_length(position, part), position, position))
                    position += part
        segments.append((metre._replace(tick=position), position, position + (upbeat if not i else 0)))
        if not bar:
            raise InputError(f"metre {metre.name} has no length")
    return _canonical([Metre(start, m.numerator, m.denominator) for m, start, _ in segments], upbeat)


def _canonical(metres: list[Metre], upbeat: int) -> tuple[tuple[Metre, ...], int]:
    """Canonical form of a metre map and its upbeat: no repeated metre, and a short first bar as an upbeat."""
    kept: list[Metre] = []
    for metre in metres:
        if not kept or kept[-1][1:] != metre[1:]:
            kept.append(metre)
    if len(kept) > 1:
        length = upbeat or kept[0].bar_ticks(TICKS_PER_QUARTER)
        if kept[1].tick == length and (upbeat or length < kept[1].bar_ticks(TICKS_PER_QUARTER)):
            return _canonical([kept[1]._replace(tick=0), *kept[2:]], length)
    # An upbeat longer than a bar is a shorter upbeat and whole bars.
    upbeat %= kept[0].bar_ticks(TICKS_PER_QUARTER)
    return tuple(kept), upbeat


def _on_grid(metre: Metre) -> Metre:
    numerator, denominator = metre.numerator, metre.denominator
    if denominator == 64:
        if numerator % 2:
            raise InputError(f"metre {metre.name} does not fit the grid; allowed: denominators 1 to 32")
        numerator, denominator = numerator // 2, 32
    if (
        numerator > MAX_NUMERATOR
        or Metre(0, numerator, denominator).bar_ticks(TICKS_PER_QUARTER) > MAX_BAR_TICKS
    ):
        raise InputError(f"metre {metre.name} is too long; allowed: up to 64 beats, 64 quarters a bar")
    return Metre(metre.tick, numerator, denominator)


def _metre_of_length(tick: int, length: int) -> Metre:
    """The metre with the smallest denominator from 4 on whose bar lasts `length` ticks (a multiple of 3)."""
    for denominator in (4, 8, 16, 32):
        unit = Metre(tick, 1, denominator).unit_ticks(TICKS_PER_QUARTER)
        if length % unit == 0 and length // unit <= MAX_NUMERATOR:
            return Metre(tick, length // unit, denominator)
    raise InputError(f"a bar of {length} ticks does not fit the grid; allowed: multiples of 3")


def _thirty_seconds(ticks: float) -> int:
    return round(ticks / 3) * 3
