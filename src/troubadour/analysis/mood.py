"""Valence and arousal of a score: a linear model of what is heard, with the part of each cue.

Listeners' ratings of music add up over cues (Eerola, Friberg & Bresin 2013: six cues, linear, explain
77 to 89% of the variance; no interactions). The signs and the order of the weights follow that
study and the review of Gabrielsson & Lindstrom (2010): for happy against sad mode comes first,
then tempo, then register, loudness and articulation; for energy tempo, then loudness and how much
happens, then articulation and register. The sizes are set by hand within those orders: no ratings
of listeners stand behind a single figure, and none of what the words or the performance add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from troubadour.analysis.beats import beat_ticks, pitched
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.score import Score

_VALENCE: Final = {"mode": 0.45, "tempo": 0.25, "register": 0.10, "articulation": 0.08, "smoothness": 0.07, "loudness": 0.05}  # fmt: skip
_AROUSAL: Final = {"tempo": 0.35, "density": 0.25, "loudness": 0.20, "articulation": 0.12, "register": 0.08}
_MODES: Final = {
    "lydian": 0.9, "major": 1.0, "mixolydian": 0.5, "dorian": -0.5, "minor": -1.0, "phrygian": -1.0, "locrian": -1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing that is heard, and its part in the mood."""

    name: str
    heard: float
    """As measured, in its own unit (see `unit`)."""
    unit: str
    level: float
    """From -1 (low) to 1 (high) on the scale of common music."""
    valence: float
    """What it adds."""
    arousal: float


@dataclass(frozen=True, slots=True)
class Mood:
    """Where a piece lies in the circumplex of Russell (1980)."""

    valence: float
    """-1 (sad, dark) to 1 (happy, bright)."""
    arousal: float
    """-1 (calm) to 1 (excited)."""
    cues: tuple[Cue, ...]

    @property
    def word(self) -> str:
        """A word for the quarter that it lies in."""
        if abs(self.valence) < 0.1 and abs(self.arousal) < 0.1:
            return "neutral"
        if self.arousal >= 0:
            return "happy" if self.valence >= 0 else "tense"
        return "peaceful" if self.valence >= 0 else "sad"


def find_mood(score: Score, mode: str, certainty: float = 1.0) -> Mood | None:
    """The mood of a score; nothing for one without pitched notes.

    Args:
        mode: of the key that was found, one of `score.MODES`.
        certainty: how sure the key is, 0 to 1; the mode counts in proportion.
    """
    notes = pitched(score)
    if not len(notes):
        return None
    start = notes.seconds_at(notes.onset)
    length = notes.seconds_at(notes.onset + notes.duration) - start
    seconds = max(float((start + length).max() - start.min()), 1e-6)
    events = np.unique(start)
    gap = np.diff(np.append(events, (start + length).max()))
    weight = np.maximum(gap, 1e-6)
    bpm = _beats_a_minute(score)
    first = notes.track == notes.track.min()
    steps = np.abs(np.diff(notes.pitch[first].astype(int)))
    sounding = np.interp(events, start, length)
    heard: dict[str, tuple[float, str, float]] = {
        "mode": (_MODES[mode] * certainty, "major 1, minor -1", _MODES[mode] * certainty),
        "tempo": (bpm, "beats a minute", np.log2(bpm / 100.0)),
        "density": (len(events) / seconds, "onsets a second", np.log2(max(len(events) / seconds, 0.1) / 3.0) / 1.5),
        "loudness": (float(notes.velocity.mean()), "velocity", (float(notes.velocity.mean()) - 80) / 32),
        "register": (float(notes.pitch.mean()), "MIDI pitch", (float(notes.pitch.mean()) - 64) / 14),
        "articulation": (
            float(np.clip(sounding / weight, 0, 1).mean()),
            "share of the time to the next note that sounds",
            (0.85 - float(np.clip(sounding / weight, 0, 1).mean())) / 0.35,
        ),
        "smoothness": (float((steps <= 4).mean()) if len(steps) else 1.0, "share of small intervals",
                       ((float((steps <= 4).mean()) if len(steps) else 1.0) - 0.75) / 0.25),
    }  # fmt: skip
    cues: list[Cue] = []
    for name, (value, unit, level) in heard.items():
        level = float(np.clip(level, -1, 1))
        cues.append(
            Cue(
                name,
                round(value, 3),
                unit,
                round(level, 3),
                round(level * _VALENCE.get(name, 0.0), 4),
                round(level * _AROUSAL.get(name, 0.0), 4),
            )
        )
    return Mood(round(sum(c.valence for c in cues), 4), round(sum(c.arousal for c in cues), 4), tuple(cues))


def _beats_a_minute(score: Score) -> float:
    """The felt beat's rate: mean over the playing time."""
    beat = beat_ticks(score.metres[0]) / TICKS_PER_QUARTER
    if score.metres[0].denominator == 2:
        beat = 1.0  # a tempo is given in quarters; half notes are felt at quick ones only
    quarters = score.end_ticks / score.ticks_per_quarter
    return float(np.clip(quarters / max(score.seconds, 1e-6) * 60 / beat, 20, 400))
