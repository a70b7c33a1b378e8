from __future__ import annotations

import numpy as np

from troubadour.music.bars import bar_numbers, bars_text
from troubadour.music.score import Metre, Score, Track


def score(rows: list[tuple[int, int, int, int, int]], tracks: int = 1) -> Score:
    return Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(0),) * tracks, metres=(Metre(0, 2, 4),))


def test_a_line_names_the_notes_that_start_in_its_bar() -> None:
    assert bars_text(score([(0, 24, 60, 80, 0), (24, 24, 61, 80, 0), (48, 48, 69, 80, 0)])) == [
        "C4 C#4",
        "A4",
    ]


def test_voices_stand_side_by_side_and_a_silent_one_is_a_dash() -> None:
    assert bars_text(score([(0, 96, 72, 80, 0), (0, 48, 48, 80, 1)], 2)) == ["C5 / C3", "- / -"]


def test_a_bar_that_is_not_full_yet_is_left_out() -> None:
    growing = score([(0, 48, 60, 80, 0), (48, 24, 62, 80, 0)])
    assert bars_text(growing, whole=False) == ["C4"]
    assert bars_text(growing) == ["C4", "D4"]


def test_bars_count_from_1_and_an_upbeat_is_bar_0() -> None:
    ticks = np.array([0, 47, 48, 95, 96], dtype=np.int32)
    whole = score([(0, 144, 60, 80, 0)])
    assert bar_numbers(whole, ticks).tolist() == [1, 1, 2, 2, 3]
    assert bar_numbers(whole.replace(upbeat_ticks=24), ticks).tolist() == [0, 1, 1, 2, 2]
