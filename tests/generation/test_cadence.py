from __future__ import annotations

from troubadour.generation.cadence import cadence_strength
from troubadour.music.score import Key, Score, Track


def chorale(*chords: tuple[int, int, int, int]) -> Score:
    notes = [
        [24 * i, 24, pitch, 80, voice] for i, chord in enumerate(chords) for voice, pitch in enumerate(chord)
    ]
    return Score.from_notes(notes, ticks_per_quarter=24, tracks=(Track(52),) * 4)


def test_a_perfect_cadence_is_a_full_close() -> None:
    assert cadence_strength(chorale((72, 67, 64, 48), (71, 67, 62, 55), (72, 67, 64, 48))) == 1.0


def test_stopping_on_the_dominant_is_not() -> None:
    assert cadence_strength(chorale((72, 67, 64, 48), (71, 67, 62, 55))) < 0.6


def test_a_melody_that_falls_to_its_tonic_beats_one_that_breaks_off() -> None:
    def melody(*pitches: int) -> Score:
        notes = [[12 * i, 12, p, 80, 0] for i, p in enumerate(pitches)]
        notes[-1][1] = 24
        return Score.from_notes(notes, ticks_per_quarter=24, keys=(Key(0, 1, "major"),))

    assert cadence_strength(melody(74, 71, 69, 67)) == 1.0
    assert cadence_strength(melody(67, 69, 71, 78)) <= 0.5
