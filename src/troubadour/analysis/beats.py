"""Beat grid of a score, with pitch-class durations and bass note of each beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.quantise import TICKS_PER_QUARTER, bars_of
from troubadour.music.score import Metre, Score

MOST_BEATS: Final = 20_000
_ON_BEAT: Final = 2.0
"""Weight of the first quarter of a beat, where chord tones are more frequent than passing notes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """One row per beat (in compound metres the dotted beat) over the whole score; n rows."""

    start: NDArray[np.int64]
    """First tick of each beat, 24 ticks per quarter, shape (n,)."""
    stop: NDArray[np.int64]
    bar: NDArray[np.int64]
    """Bar number, 1-based (0 = upbeat), shape (n,)."""
    place: NDArray[np.int64]
    """Position of the beat within its bar, 1-based, shape (n,)."""
    chroma: Floats
    """Duration of each pitch class in ticks, the first quarter of the beat counted double, shape (n, 12)."""
    plain: Floats
    """Duration of each pitch class in ticks, shape (n, 12)."""
    bass: NDArray[np.int64]
    """Lowest MIDI pitch in the beat's first quarter, else in the whole beat; -1 = silence; shape (n,)."""

    def __len__(self) -> int:
        return len(self.start)


def pitched(score: Score) -> Score:
    """Score without drum notes."""
    drum = np.array([t.is_drum for t in score.tracks], dtype=bool)
    return score.where(~drum[score.track]) if len(score) and drum.any() else score


def beat_ticks(metre: Metre) -> int:
    """Length of the felt beat in ticks: dotted in 6/8, 9/8 and 12/8, else the metre's unit (`Metre.tactus_ticks`)."""
    return metre.tactus_ticks(TICKS_PER_QUARTER)


def beats(score: Score, per_beat: int = 1) -> Beats:
    """Beat grid of a quantised score, drums excluded.

    Args:
        score: quantised score; at most `MOST_BEATS` beats are returned.
        per_beat: number of equal parts per beat, 1 or more.
    """
    score = pitched(score)
    start, stop, bar, place = _grid(score, per_beat)
    n = len(start)
    both = np.zeros((2, n, 12))
    bass = np.full((2, n), 999, dtype=np.int64)
    if len(score):
        onset, end = score.onset.astype(np.int64), (score.onset + score.duration).astype(np.int64)
        first = np.clip(np.searchsorted(start, onset, side="right") - 1, 0, n - 1)
        last = np.clip(np.searchsorted(start, end, side="left") - 1, 0, n - 1)
        spans = last - first + 1
        note = np.repeat(np.arange(len(score)), spans)
        row = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(spans) - spans, spans)
        pc, quarter = score.pitch[note] % 12, np.maximum((stop - start) // 4, 1)[row]
        for kind, until in ((0, stop[row]), (1, start[row] + quarter)):
            sounding = np.minimum(end[note], until) - np.maximum(onset[note], start[row])
            sounding = np.maximum(sounding, 0)
            np.add.at(both[kind], (row, pc), sounding)
            active = sounding > 0
            np.minimum.at(bass[kind], row[active], score.pitch[note[active]].astype(np.int64))
    low = np.where(bass[1] < 999, bass[1], bass[0])
    return Beats(
        start, stop, bar, place, both[0] + (_ON_BEAT - 1) * both[1], both[0], np.where(low < 999, low, -1)
    )


def _grid(
    score: Score, per_beat: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    if not len(score):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    bars = bars_of(score)
    first_bar = 0 if score.upbeat_ticks else 1
    metre_starts = np.array([m.tick for m in score.metres])
    rows: list[tuple[int, int, int, int]] = []
    for i, (tick, length, lead) in enumerate(zip(bars.start, bars.length, bars.lead, strict=True)):
        metre = score.metres[int(np.searchsorted(metre_starts, tick, side="right")) - 1]
        step = max(beat_ticks(metre) // per_beat, 1)
        edges = [t for t in range(0, int(length), step) if t + step > lead]
        for t in edges:
            begin = int(tick) + max(t - int(lead), 0)
            finish = int(tick) - int(lead) + min(t + step, int(length))
            rows.append((begin, finish, i + first_bar, t // step + 1))
        if len(rows) > MOST_BEATS:
            break
    table = np.array(rows[:MOST_BEATS], dtype=np.int64).reshape(-1, 4)
    table = table[table[:, 0] < score.end_ticks]
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]
