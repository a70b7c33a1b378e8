"""Single cues have the signs found in listeners' studies (Eerola, Friberg & Bresin 2013)."""

from __future__ import annotations

import numpy as np
import pytest

from troubadour.analysis.difficulty import find_difficulty
from troubadour.analysis.mood import Mood, find_mood
from troubadour.music.score import Score, Tempo

SCALE = {"major": (0, 2, 4, 5, 7, 9, 11, 12), "minor": (0, 2, 3, 5, 7, 8, 10, 12)}


def tune(
    mode: str = "major",
    bpm: float = 110,
    up: int = 0,
    velocity: int = 80,
    step: int = 24,
    sounding: float = 1.0,
) -> Score:
    notes = [
        [i * step, max(int(step * sounding), 1), 60 + up + SCALE[mode][i % 8], velocity, 0] for i in range(32)
    ]
    return Score.from_notes(notes, ticks_per_quarter=24, tempos=(Tempo(0, bpm),))


def mood(score: Score, mode: str = "major") -> Mood:
    found = find_mood(score, mode)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("change", "valence", "arousal"),
    [
        ({"bpm": 160.0}, 1, 1),
        ({"bpm": 60.0}, -1, -1),
        ({"up": 12}, 1, 1),
        ({"velocity": 120}, 1, 1),
        ({"sounding": 0.4}, 1, 1),  # staccato
        ({"step": 12}, 0, 1),
    ],
)
def test_each_cue_moves_the_mood_the_way_that_listeners_say(
    change: dict[str, float], valence: int, arousal: int
) -> None:
    plain, changed = mood(tune()), mood(tune(**change))  # type: ignore[arg-type]
    assert np.sign(round(changed.valence - plain.valence, 6)) == valence
    assert np.sign(round(changed.arousal - plain.arousal, 6)) == arousal


def test_mode_decides_valence_before_tempo_and_tempo_energy_before_all() -> None:
    happy, sad = mood(tune("major", 150)), mood(tune("minor", 55), "minor")
    assert happy.valence > 0.4 > -0.4 > sad.valence
    assert happy.word == "happy"
    assert sad.word == "sad"
    slow_major, quick_minor = mood(tune("major", 70)), mood(tune("minor", 150), "minor")
    assert slow_major.valence > quick_minor.valence
    assert quick_minor.arousal > slow_major.arousal


def test_tempo_moves_the_mood_evenly_and_never_beyond_its_scale() -> None:
    speeds = [40, 60, 80, 100, 120, 160, 200, 260]
    found = [mood(tune(bpm=b)) for b in speeds]
    assert np.all(np.diff([f.arousal for f in found]) >= 0)
    assert np.all(np.diff([f.valence for f in found]) >= 0)
    assert all(abs(f.valence) <= 1 and abs(f.arousal) <= 1 for f in found)
    for f in found:
        assert f.valence == pytest.approx(sum(c.valence for c in f.cues), abs=1e-3)


def test_quicker_wider_and_more_chromatic_is_harder() -> None:
    def level(score: Score) -> float:
        found = find_difficulty(score)
        assert found is not None
        return found.level

    plain = tune()
    assert level(tune(bpm=220)) > level(plain)
    leaping = plain.replace(pitch=np.where(np.arange(32) % 2, plain.pitch + 19, plain.pitch))
    assert level(leaping) > level(plain)
    chromatic = plain.replace(pitch=60 + np.arange(32) % 12)
    assert level(chromatic) > level(plain)
    chords = Score.from_notes(
        np.concatenate(
            [
                plain.notes(),
                plain.notes() + np.array([0, 0, 4, 0, 0]),
                plain.notes() + np.array([0, 0, 7, 0, 0]),
            ]
        ),
        ticks_per_quarter=24,
        tempos=plain.tempos,
    )
    assert level(chords) > level(plain)
