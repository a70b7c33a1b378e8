"""A score cut into beats: what sounds in each, and how strongly. Key and chords are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.quantise import TICKS_PER_QUARTER, bars_of
from troubadour.music.score import Metre, Score

MOST_BEATS: Final = 20_000
_ON_BEAT: Final = 2.0
"""Weight of the first quarter of a beat: what sounds there is the harmony more often than what passes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """One row a beat (in compound metres the dotted beat), over the whole score."""

    start: NDArray[np.int64]
    """Tick, 24 a quarter, shape (n,)."""
    stop: NDArray[np.int64]
    bar: NDArray[np.int64]
    """From 1; 0 = upbeat."""
    place: NDArray[np.int64]
    """Beat within its bar, from 1."""
    chroma: Floats
    """Ticks that each pitch class sounds, those at the start of the beat counted double, shape (n, 12)."""
    plain: Floats
    """Ticks that each pitch class sounds, shape (n, 12)."""
    bass: NDArray[np.int64]
    """Lowest pitch that sounds in the beat's first quarter, or in it at all; -1 = silence."""

    def __len__(self) -> int:
        return len(self.start)


def pitched(score: Score) -> Score:
    """Without drums."""
    drum = np.array([t.is_drum for t in score.tracks], dtype=bool)
    return score.where(~drum[score.track]) if len(score) and drum.any() else score


def beat_ticks(metre: Metre) -> int:
    """Length of a beat: three units in 6/8, 9/8 and 12/8, else the metre's unit (`Metre.tactus_ticks`)."""
    return metre.tactus_ticks(TICKS_PER_QUARTER)


def beats(score: Score, per_beat: int = 1) -> Beats:
    """Cut a quantised score into beats; drums are left out.

    Args:
        per_beat: cut each beat into so many equal parts instead (1, 2 ...).
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
            heard = sounding > 0
            np.minimum.at(bass[kind], row[heard], score.pitch[note[heard]].astype(np.int64))
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
