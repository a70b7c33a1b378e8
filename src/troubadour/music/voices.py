"""Separation of a track into voices without overlapping notes."""

from __future__ import annotations

from troubadour.music.quantise import VELOCITY_LEVELS
from troubadour.music.score import Score

VoiceEvent = tuple[int, int, tuple[tuple[int, int], ...]]
"""Start and end in ticks, and (pitch, index into `VELOCITY_LEVELS`) of each note, rising; no notes = rest."""


def split_voices(score: Score, track: int) -> list[list[VoiceEvent]]:
    """The notes of a track as voices without overlaps, each a list of chords in order of onset.

    Notes that start and end together form a chord. Each chord joins the free voice whose last top note
    is nearest, higher chords first. A new voice is added only where no voice is free.
    """
    mine = score.track == track
    chords: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for onset, duration, pitch, velocity, _ in score.notes()[mine].tolist():
        level = VELOCITY_LEVELS.index(velocity)
        chords.setdefault((onset, onset + duration), []).append((pitch, level))
    ordered = sorted(
        ((start, end, tuple(sorted(pitches))) for (start, end), pitches in chords.items()),
        key=lambda e: (e[0], -e[2][-1][0], e[1]),
    )
    voices: list[list[VoiceEvent]] = []
    for event in ordered:
        top = event[2][-1][0]
        free = [v for v in voices if v[-1][1] <= event[0]]
        if free:
            min(free, key=lambda v: abs(v[-1][2][-1][0] - top)).append(event)
        else:
            voices.append([event])
    return voices
