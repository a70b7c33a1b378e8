"""Melodic lines: what a melody search compares, free of key and tempo once differences are taken."""

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
"""A query of fewer notes is found everywhere and so nowhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Skyline:
    """One melodic line: a track's highest note at each onset."""

    pitch: NDArray[np.int16]
    """MIDI pitch, shape (n,)."""
    onset: NDArray[np.float64]
    """Quarters from the start, rising, shape (n,)."""
    bar: NDArray[np.int32]
    """Bar of each note, from 1 (0 = upbeat), shape (n,)."""
    track: int = 0
    """Index of the track that it was taken from."""
    timed: bool = True
    """Whether the onsets mean anything; typed notes without lengths have none."""
    astray: NDArray[np.float32] | None = None
    """Of a sung line: semitones that each note lies above its pitch, -0.5 to 0.5, shape (n,)."""

    def __len__(self) -> int:
        return len(self.pitch)

    def __getitem__(self, part: slice) -> Self:
        """A stretch of the line."""
        astray = None if self.astray is None else self.astray[part]
        return type(self)(self.pitch[part], self.onset[part], self.bar[part], self.track, self.timed, astray)


def lines(score: Score) -> list[Skyline]:
    """The lines of a quantised score, one a pitched track, those of fewer than two notes left out."""
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
    """The line of a score to search with: of a given track, else of the first that can be searched.

    Raises:
        InputError: no track has a melody of `LEAST_NOTES` notes, or there is no such track.
    """
    usable = [line for line in lines(score) if len(line) >= LEAST_NOTES]
    if track is not None:
        if not 0 <= track < len(score.tracks):
            raise InputError(f"track is {track}; allowed: 0 to {len(score.tracks) - 1}")
        usable = [line for line in usable if line.track == track]
    if not usable:
        raise InputError(
            f"{len(score)} notes, but no melody of at least {LEAST_NOTES} pitched notes to search with"
        )
    return usable[0]
