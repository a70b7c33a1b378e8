"""The bars of a score as they are written, each with its metre, key and pulse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.formats.engraving.pulse import QUARTER, Pulse, pulse_for
from troubadour.music.quantise import TICKS_PER_QUARTER, bar_table
from troubadour.music.score import Key, Metre, Score


@dataclass(frozen=True, slots=True)
class WrittenMeasure:
    """One written bar."""

    start: int
    end: int
    lead: int
    """Place within a full bar at which it starts: 0, or for an upbeat the part that is left out."""
    metre: Metre
    key: Key
    """As it sounds."""
    number: int
    pulse: Pulse

    def place(self, tick: int) -> int:
        """Ticks from the barline of the full bar."""
        return tick - self.start + self.lead


def written_bars(score: Score) -> list[WrittenMeasure]:
    """Every bar, the last one shortened by the upbeat where the music ends there.

    Args:
        score: at `QUARTER` ticks a quarter.
    """
    unit = QUARTER // TICKS_PER_QUARTER
    metres = tuple(m._replace(tick=m.tick // unit) for m in score.metres)
    # Where all the music is an upbeat, the bar that it leads to is written too.
    until = max(-(-score.end_ticks // unit), score.upbeat_ticks // unit + 1)
    table = bar_table(metres, score.upbeat_ticks // unit, until)
    starts, lengths, leads = ((a * unit).tolist() for a in table)
    pulses = _pulses(score, np.asarray(starts), np.asarray(leads))
    out: list[WrittenMeasure] = []
    m = k = 0
    for i, start in enumerate(starts):
        while m + 1 < len(score.metres) and score.metres[m + 1].tick <= start:
            m += 1
        while k + 1 < len(score.keys) and score.keys[k + 1].tick <= start:
            k += 1
        end = start + lengths[i] - leads[i]
        if i + 1 < len(starts):
            end = min(end, starts[i + 1])
        elif score.upbeat_ticks and i and score.end_ticks <= end - score.upbeat_ticks:
            end -= score.upbeat_ticks
        number = i if score.upbeat_ticks else i + 1
        out.append(WrittenMeasure(start, end, leads[i], score.metres[m], score.keys[k], number, pulses[m]))
    return out


def _pulses(score: Score, starts: NDArray[np.int64], leads: NDArray[np.int64]) -> list[Pulse]:
    """The pulse of each metre of the map, from all notes that start in it."""
    row = np.clip(np.searchsorted(starts, score.onset, side="right") - 1, 0, None)
    places = score.onset - starts[row] + leads[row]
    metre = np.searchsorted([m.tick for m in score.metres], starts[row], side="right") - 1
    return [pulse_for(m, places[metre == i].tolist()) for i, m in enumerate(score.metres)]


def beat_ticks(metre: Metre) -> int:
    """Length of the beat that people count."""
    beat = metre.tactus_ticks(QUARTER)
    return max(beat, QUARTER) if metre.numerator % 2 == 0 and not metre.compound else beat
