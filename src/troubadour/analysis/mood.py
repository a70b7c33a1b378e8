"""Valence and arousal of a score: a linear model over musical cues, with each cue's contribution.

Listeners' ratings are nearly additive over cues (Eerola, Friberg & Bresin 2013: six cues in a linear
model without interactions explain 77 to 89% of the variance). Signs and order of the weights follow that
study and the review of Gabrielsson & Lindstrom (2010). For valence the order is mode, tempo, register,
loudness, articulation; for arousal tempo, loudness and density, articulation, register. The sizes of the
weights are set by hand, not fitted to ratings. Lyrics and performance are not modelled.
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
    """One musical cue with its contribution to the mood."""

    name: str
    value: float
    """Measured value, in the unit of `unit`."""
    unit: str
    level: float
    """Level on the scale of common music, -1 (low) to 1 (high)."""
    valence: float
    """Contribution to the valence."""
    arousal: float


@dataclass(frozen=True, slots=True)
class Mood:
    """Point in the circumplex of Russell (1980)."""

    valence: float
    """-1 (sad, dark) to 1 (happy, bright)."""
    arousal: float
    """-1 (calm) to 1 (excited)."""
    cues: tuple[Cue, ...]

    @property
    def word(self) -> str:
        """Adjective for the quadrant."""
        if abs(self.valence) < 0.1 and abs(self.arousal) < 0.1:
            return "neutral"
        if self.arousal >= 0:
            return "happy" if self.valence >= 0 else "tense"
        return "peaceful" if self.valence >= 0 else "sad"


def find_mood(score: Score, mode: str, certainty: float = 1.0) -> Mood | None:
    """Mood of a quantised score; None for a score without pitched notes.

    Args:
        score: quantised score.
        mode: mode of the key, one of `score.MODES`.
        certainty: probability of the key, 0 to 1; scales the weight of the mode.
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
    bpm = _felt_bpm(score)
    first = notes.track == notes.track.min()
    steps = np.abs(np.diff(notes.pitch[first].astype(int)))
    sounding = np.interp(events, start, length)
    measured: dict[str, tuple[float, str, float]] = {
        "mode": (_MODES[mode] * certainty, "major 1, minor -1", _MODES[mode] * certainty),
        "tempo": (bpm, "beats per minute", np.log2(bpm / 100.0)),
        "density": (len(events) / seconds, "onsets per second", np.log2(max(len(events) / seconds, 0.1) / 3.0) / 1.5),
        "loudness": (float(notes.velocity.mean()), "velocity", (float(notes.velocity.mean()) - 80) / 32),
        "register": (float(notes.pitch.mean()), "MIDI pitch", (float(notes.pitch.mean()) - 64) / 14),
        "articulation": (
            float(np.clip(sounding / weight, 0, 1).mean()),
            "sounding share of the time to the next onset",
            (0.85 - float(np.clip(sounding / weight, 0, 1).mean())) / 0.35,
        ),
        "smoothness": (float((steps <= 4).mean()) if len(steps) else 1.0, "share of small intervals",
                       ((float((steps <= 4).mean()) if len(steps) else 1.0) - 0.75) / 0.25),
    }  # fmt: skip
    cues: list[Cue] = []
    for name, (value, unit, level) in measured.items():
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


def _felt_bpm(score: Score) -> float:
    """Rate of the felt beat per minute, averaged over the playing time."""
    beat = beat_ticks(score.metres[0]) / TICKS_PER_QUARTER
    if score.metres[0].denominator == 2:
        beat = 1.0  # tempi are given in quarters; half notes are the felt beat only at fast tempi
    quarters = score.end_ticks / score.ticks_per_quarter
    return float(np.clip(quarters / max(score.seconds, 1e-6) * 60 / beat, 20, 400))
