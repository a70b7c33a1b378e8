from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.models.vae.passages import HOLD, LOWEST, PAD, PITCH, REST, Passage, passages
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track


def melody(rows: list[tuple[int, int, int]], metre: tuple[int, int] = (4, 4), upbeat: int = 0) -> Score:
    return quantise(
        Score.from_notes(
            [(onset, length, pitch, 80, 0) for onset, length, pitch in rows],
            ticks_per_quarter=24,
            tracks=(Track(0),),
            metres=(Metre(0, *metre),),
            keys=(Key(0, 2, "major"),),
            tempos=(Tempo(0, 120.0),),
            upbeat_ticks=upbeat,
        )
    )


def test_notes_holds_and_rests_stand_where_they_sound() -> None:
    score = melody([(0, 24, 62), (24, 12, 64), (48, 48, 66), (96, 96, 62)])
    (passage,) = passages(score, 2)
    d, e, f = (PITCH + p - LOWEST for p in (62, 64, 66))
    bar = [d, HOLD, HOLD, HOLD, e, HOLD, REST, HOLD, f, *[HOLD] * 7]
    assert passage.grid[0, :16].tolist() == bar
    assert passage.grid[1, :16].tolist() == [d, *[HOLD] * 15]
    assert (passage.grid[:, 16:] == PAD).all()
    assert passage.kept == 1.0


def test_what_the_grid_holds_comes_back_equal() -> None:
    rows = [(i * 12, 12, 60 + i % 12) for i in range(48)]
    score = melody(rows, (6, 8))
    (passage,) = [p for i, p in enumerate(passages(score, 4)) if i == 0]
    assert passage.score().notes()[:, :3].tolist() == [list(r) for r in rows[:24]]
    assert passage.score().keys[0].name == "D major"


def test_triplets_are_moved_and_counted() -> None:
    score = melody([(0, 8, 62), (8, 8, 64), (16, 8, 66), (24, 72, 67), (96, 96, 69)])
    (passage,) = passages(score, 2)
    assert passage.kept == pytest.approx(2 / 5)


def test_an_upbeat_is_no_bar_of_a_passage() -> None:
    score = melody([(0, 24, 60), (24, 96, 62), (120, 96, 64)], upbeat=24)
    (passage,) = passages(score, 2)
    assert passage.grid[0, 0] == PITCH + 62 - LOWEST


def test_transposing_there_and_back_changes_nothing() -> None:
    (passage,) = passages(melody([(0, 96, 62), (96, 96, 74)]), 2)
    up = passage.transpose(5)
    assert up is not None
    assert up.key == (1, "major")  # D up a fourth is G
    back = up.transpose(-5)
    assert back is not None
    assert np.array_equal(back.grid, passage.grid)
    assert passage.transpose(60) is None


def test_a_metre_without_a_grid_is_refused() -> None:
    with pytest.raises(InputError, match="metre is 5/4"):
        Passage(np.full((2, 18), REST, dtype=np.uint8), (5, 4))
    assert list(passages(melody([(0, 120, 62), (120, 120, 64)], (5, 4)), 2)) == []
