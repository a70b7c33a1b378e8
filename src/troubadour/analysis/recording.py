"""Analysis of recordings from audio features: key, tempo, loudness, brightness, with evidence.

The key has the highest correlation of its profile with the pitch-class strengths (Krumhansl & Kessler,
1982). Only major and minor are candidates: pitch-class strengths do not separate the other modes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis.key import key_of
from troubadour.audio.describe import SoundFeatures

_PROFILES: Final = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
UNCLEAR: Final = 0.5
"""Lowest correlation of the best key; below it no key is reported."""
_STEADY: Final = 0.3
"""Lowest beat strength; below it no tempo is reported."""


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """Candidate key with its correlation."""

    name: str
    tonic: int
    mode: str
    correlation: float
    """Correlation of the pitch-class strengths with the key's profile, -1 to 1."""


@dataclass(frozen=True, slots=True)
class RecordingAnalysis:
    """Analysis of a recording."""

    keys: tuple[KeyCandidate, ...]
    """The three best keys."""
    sound: SoundFeatures

    @property
    def key(self) -> str:
        """Name of the best key; empty if none is clear."""
        return self.keys[0].name if self.keys[0].correlation >= UNCLEAR else ""

    @property
    def tempo_bpm(self) -> float | None:
        """Tempo in beats per minute; None without a steady beat."""
        return self.sound.tempo.bpm if self.sound.tempo.strength >= _STEADY else None

    def attributes(self) -> dict[str, float | str]:
        """Attributes as `music.features.attributes`, as far as they are defined for recordings."""
        found: dict[str, float | str] = {
            "loudness_lufs": round(self.sound.loudness_lufs, 1),
            "brightness_hertz": round(self.sound.brightness_hertz),
            "onsets_per_second": round(self.sound.onsets_a_second, 2),
        }
        if self.tempo_bpm is not None:
            found["tempo_bpm"] = round(self.tempo_bpm, 1)
        if self.key:
            found |= {"key": self.key, "mode": self.keys[0].mode}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Analysis for JSON."""
        sound = self.sound
        return {
            "key": self.key or None,
            "key_candidates": [{"key": k.name, "correlation": round(k.correlation, 3)} for k in self.keys],
            "pitch_classes": [round(float(c), 4) for c in sound.chroma],
            "tuning_cents": round(sound.tuning_cents),
            "tempo_bpm": None if self.tempo_bpm is None else round(self.tempo_bpm, 1),
            "tempo_strength": round(sound.tempo.strength, 3),
            "tempo_others": [list(o) for o in sound.tempo.others],
            "loudness_lufs": round(sound.loudness_lufs, 1),
            "peak_dbfs": round(sound.peak_dbfs, 1),
            "brightness_hertz": round(sound.brightness_hertz),
            "onsets_per_second": round(sound.onsets_a_second, 2),
        }


def analyse_recording(sound: SoundFeatures) -> RecordingAnalysis:
    """Analyse the features of a recording; negligible cost."""
    return RecordingAnalysis(tuple(rank_keys(sound.chroma)[:3]), sound)


def rank_keys(chroma: NDArray[np.float32]) -> list[KeyCandidate]:
    """All 24 major and minor keys, best first.

    Args:
        chroma: pitch-class strengths from C on, shape (12,).
    """
    found = []
    for mode, profile in _PROFILES.items():
        for tonic in range(12):
            rolled = np.roll(np.array(profile), tonic)
            spread = float(chroma.std())
            correlation = float(np.corrcoef(rolled, chroma)[0, 1]) if spread > 1e-9 else 0.0
            found.append(KeyCandidate(key_of(tonic, mode).name, tonic, mode, correlation))
    return sorted(found, key=lambda k: -k.correlation)
