"""Skylines: the melodic lines that melody search compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.bars import bar_numbers
from troubadour.music.melody import skyline
from troubadour.music.score import Score

LEAST_NOTES: Final = 4
"""Shortest query, in notes; shorter ones match almost every piece."""


@dataclass(frozen=True, slots=True, eq=False)
class Skyline:
    """Skyline of a track: its highest note at each onset."""

    pitch: NDArray[np.int16]
    """MIDI pitch, shape (n,)."""
    onset: NDArray[np.float64]
    """Quarters from the start, ascending, shape (n,)."""
    bar: NDArray[np.int32]
    """Bar of each note, 1-based (0 = upbeat), shape (n,)."""
    track: int = 0
    """Index of the source track."""
    timed: bool = True
    """Whether the onsets are meaningful; False for typed notes without lengths."""
    astray: NDArray[np.float32] | None = None
    """Deviation of each sung note from its pitch, semitones, -0.5 to 0.5, shape (n,). None for exact pitches."""

    def __len__(self) -> int:
        return len(self.pitch)

    def __getitem__(self, part: slice) -> Self:
        """Consecutive notes of the line."""
        astray = None if self.astray is None else self.astray[part]
        return type(self)(self.pitch[part], self.onset[part], self.bar[part], self.track, self.timed, astray)


def skylines(score: Score) -> list[Skyline]:
    """Skylines of a quantised score, one per pitched track; tracks with fewer than two notes are omitted."""
    found: list[Skyline] = []
    if not len(score):
        return found
    for i, track in enumerate(score.tracks):
        top = skyline(score, i)
        if track.is_drum or len(top) < 2:
            continue
        onset = score.onset[top]
        pitch = score.pitch[top].astype(np.int16)
        found.append(Skyline(pitch, onset / score.ticks_per_quarter, bar_numbers(score, onset), i))
    return found


def query_skyline(score: Score, track: int | None = None) -> Skyline:
    """Skyline of a score for use as a query.

    Args:
        score: quantised score.
        track: index of the track. Default: the first track with `LEAST_NOTES` notes or more.

    Raises:
        InputError: no track has `LEAST_NOTES` pitched notes, or there is no such track.
    """
    usable = [line for line in skylines(score) if len(line) >= LEAST_NOTES]
    if track is not None:
        if not 0 <= track < len(score.tracks):
            raise InputError(f"track is {track}; allowed: 0 to {len(score.tracks) - 1}")
        usable = [line for line in usable if line.track == track]
    if not usable:
        raise InputError(
            f"{len(score)} notes, but no melody of at least {LEAST_NOTES} pitched notes to search with"
        )
    return usable[0]
