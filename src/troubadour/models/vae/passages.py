"""Passages: some bars of a melody on a grid of sixteenths, the view that the VAE has of music.

The view is lossy and says so: one voice, its highest notes; onsets go to the nearest sixteenth, and of
two on one sixteenth the first stays. `Passage.kept` is the share of the notes that came through as
they were.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.melody import lead_track, skyline
from troubadour.music.quantise import DEFAULT_VELOCITY, TICKS_PER_QUARTER, bars_of
from troubadour.music.score import Key, Metre, Score, Tempo, Track
from troubadour.music.theory.keys import simplest_signature

STEP_TICKS: Final = TICKS_PER_QUARTER // 4
STEPS: Final = 18
"""Sixteenths of the longest bar, 9/8; shorter bars are padded."""
HOLD: Final = 0
"""What sounds, or the rest, goes on."""
REST: Final = 1
PITCH: Final = 2
"""+ MIDI pitch - LOWEST."""
LOWEST: Final = 43
HIGHEST: Final = 96
PAD: Final = PITCH + HIGHEST - LOWEST + 1
N_TOKENS: Final = PAD + 1
METRES: Final = ((4, 4), (2, 2), (2, 4), (3, 4), (6, 8), (9, 8), (3, 8))
LENGTHS: Final = (2, 4, 16)
"""Bars of a passage."""

Grid = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Some bars of a melody.

    Raises:
        InputError: the metre is none of `METRES`, or the grid has another shape or other tokens.
    """

    grid: Grid
    """Tokens, shape (bars, STEPS)."""
    metre: tuple[int, int]
    key: tuple[int, str] = (0, "major")
    """Signature in fifths, and mode."""
    tempo_bpm: float = 120.0
    kept: float = 1.0
    """Share of the melody's notes whose onset and end the grid holds exactly."""

    def __post_init__(self) -> None:
        steps = steps_of(self.metre)
        grid = np.asarray(self.grid)
        if grid.ndim != 2 or grid.shape[1] != STEPS or not len(grid):
            raise InputError(f"grid has the shape {grid.shape}; allowed: (bars, {STEPS})")
        if (grid[:, :steps] >= PAD).any() or (grid[:, steps:] != PAD).any():
            raise InputError(f"a bar of {self.metre} has {steps} steps and then padding")

    @property
    def bars(self) -> int:
        """Number of bars."""
        return len(self.grid)

    def transpose(self, semitones: int) -> Passage | None:
        """This passage in another key; `None` where a pitch would leave the grid."""
        pitched = (self.grid >= PITCH) & (self.grid < PAD)
        moved = self.grid.astype(np.int64) + semitones * pitched
        inside = moved[pitched]
        if len(inside) and (inside.min() < PITCH or inside.max() >= PAD):
            return None
        fifths = simplest_signature(self.key[0] + 7 * semitones)
        return Passage(moved.astype(np.uint8), self.metre, (fifths, self.key[1]), self.tempo_bpm, self.kept)

    def score(self, program: int = 0) -> Score:
        """As a score; a hold with nothing before it is a rest."""
        steps = steps_of(self.metre)
        flat = self.grid[:, :steps].reshape(-1)
        rows: list[tuple[int, int, int, int, int]] = []
        starts = [*np.flatnonzero(flat != HOLD).tolist(), len(flat)]
        for start, stop in itertools.pairwise(starts):
            if flat[start] >= PITCH:
                pitch = int(flat[start]) - PITCH + LOWEST
                rows.append((start * STEP_TICKS, (stop - start) * STEP_TICKS, pitch, DEFAULT_VELOCITY, 0))
        return Score.from_notes(
            rows,
            ticks_per_quarter=TICKS_PER_QUARTER,
            tracks=(Track(program),),
            tempos=(Tempo(0, self.tempo_bpm),),
            metres=(Metre(0, *self.metre),),
            keys=(Key(0, *self.key),),
        )


def steps_of(metre: tuple[int, int]) -> int:
    """Sixteenths a bar.

    Raises:
        InputError: the metre is none of `METRES`.
    """
    if metre not in METRES:
        allowed = ", ".join(f"{n}/{d}" for n, d in METRES)
        raise InputError(f"metre is {metre[0]}/{metre[1]}; the VAE knows {allowed}")
    return metre[0] * 16 // metre[1]


def passages(score: Score, bars: int, stride: int = 1) -> Iterator[Passage]:
    """All passages of `bars` whole bars of a quantised score's melody, one every `stride` bars.

    Stretches in a metre that the grid has not, or with fewer than `bars` notes, are left out.
    """
    notes = melody(score)
    table = bars_of(score)
    spans = [
        (int(start), int(length))
        for start, length, lead in zip(table.start, table.length, table.lead, strict=True)
        if not lead and start + length <= score.end_ticks + length // 2
    ]
    metres = [_metre_at(score, start) for start, _ in spans]
    for first in range(0, len(spans) - bars + 1, stride):
        metre = metres[first]
        if metre not in METRES or any(m != metre for m in metres[first : first + bars]):
            continue
        start, length = spans[first]
        if steps_of(metre) * STEP_TICKS != length or start + bars * length != sum(spans[first + bars - 1]):
            continue
        made = _passage(notes, score, start, bars, metre)
        if made is not None:
            yield made


def melody(score: Score) -> list[tuple[int, int, int]]:
    """The highest line of the first pitched track: (onset, end, pitch) in ticks, nothing overlapping."""
    track = lead_track(score)
    if track is None:
        return []
    top = skyline(score, track)
    onset = score.onset[top].astype(np.int64)
    end = np.minimum(onset + score.duration[top], np.append(onset[1:], 2**31))
    return list(zip(onset.tolist(), end.tolist(), score.pitch[top].tolist(), strict=True))


def _passage(
    notes: Sequence[tuple[int, int, int]], score: Score, start: int, bars: int, metre: tuple[int, int]
) -> Passage | None:
    steps = steps_of(metre)
    total = bars * steps
    flat = np.full(total + 1, HOLD, dtype=np.int64)
    flat[0] = REST
    sounding = exact = 0
    for onset, end, pitch in notes:
        if end <= start or onset >= start + total * STEP_TICKS:
            continue
        first = max(0, _step(onset - start))
        last = min(total, _step(end - start))
        if first >= total or last <= first or (flat[first] >= PITCH):
            sounding += 1
            continue
        if not LOWEST <= pitch <= HIGHEST:
            return None
        sounding += 1
        exact += (onset - start) % STEP_TICKS == 0 and (end - start) % STEP_TICKS == 0
        flat[first] = PITCH + pitch - LOWEST
        flat[first + 1 : last] = HOLD
        if flat[last] == HOLD:
            flat[last] = REST
    if sounding < bars:
        return None
    grid = np.full((bars, STEPS), PAD, dtype=np.uint8)
    grid[:, :steps] = flat[:total].reshape(bars, steps)
    key = next(k for k in reversed(score.keys) if k.tick <= start)
    tempo = next(t for t in reversed(score.tempos) if t.tick <= start)
    return Passage(grid, metre, (key.fifths, key.mode), tempo.bpm, exact / sounding)


def _step(ticks: int) -> int:
    return (ticks + STEP_TICKS // 2) // STEP_TICKS


def _metre_at(score: Score, tick: int) -> tuple[int, int]:
    metre = next(m for m in reversed(score.metres) if m.tick <= tick)
    return metre.numerator, metre.denominator
