"""Skylines, steps and n-grams of planted melodies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.music.fingerprint import grams
from troubadour.music.melody import (
    EXACT,
    NEAR,
    StepCode,
    intervals,
    lead_track,
    ngram_hash,
    ngram_hashes,
    skyline,
    stored_ngram_hashes,
)
from troubadour.music.score import Score, Track

CODES = st.lists(st.integers(0, 2**18), min_size=0, max_size=60)


def score(rows: list[tuple[int, int, int, int]], drums: tuple[bool, ...] = (False,)) -> Score:
    """From (onset, duration, pitch, track)."""
    notes = [(on, length, pitch, 80, track) for on, length, pitch, track in rows]
    return Score.from_notes(notes, ticks_per_quarter=24, tracks=tuple(Track(0, d) for d in drums))


def test_the_skyline_is_the_highest_note_at_each_onset() -> None:
    chords = score([(0, 48, 72, 0), (0, 24, 60, 0), (24, 24, 64, 0), (24, 12, 67, 0), (48, 24, 65, 0)])
    rows = skyline(chords, 0)
    assert chords.onset[rows].tolist() == [0, 24, 48]
    # A held note counts at its onset only.
    assert chords.pitch[rows].tolist() == [72, 67, 65]
    assert intervals(chords, 0).tolist() == [-5, -2]


def test_of_two_notes_of_one_pitch_the_longer_one_is_taken() -> None:
    doubled = score([(0, 12, 60, 0), (0, 24, 60, 0)])
    assert doubled.duration[skyline(doubled, 0)].tolist() == [24]


def test_tracks_have_skylines_of_their_own() -> None:
    two = score([(0, 24, 60, 0), (0, 24, 72, 1), (24, 24, 62, 0)], (False, False))
    assert two.pitch[skyline(two, 0)].tolist() == [60, 62]
    assert two.pitch[skyline(two, 1)].tolist() == [72]


def test_a_track_without_notes_has_an_empty_skyline() -> None:
    silent = score([(0, 24, 60, 1)], (False, False))
    assert skyline(silent, 0).tolist() == []
    assert intervals(silent, 0).tolist() == []


def test_the_lead_is_the_first_pitched_track_with_enough_notes() -> None:
    band = score(
        [(0, 24, 36, 0), (24, 24, 36, 0), (0, 24, 60, 2), (0, 24, 62, 3), (24, 24, 64, 3)],
        (True, False, False, False),
    )
    assert lead_track(band) == 2
    assert lead_track(band, notes=2) == 3
    assert lead_track(band, notes=3) is None
    assert lead_track(score([], ())) is None


@pytest.mark.parametrize(
    ("code", "semitones", "ratio", "expected"),
    [
        (EXACT, 0, 1.0, 128 * 1024 + 512),
        (EXACT, 2, 2.0, 130 * 1024 + 512 + 12),
        (EXACT, -1, 2 / 3, 127 * 1024 + 512 - 7),
        (NEAR, 7, 0.5, 135 * 128 + 64 - 4),
        (NEAR, 0, 2.0**20, 128 * 128 + 127),  # wider ratios count as the widest
        (NEAR, 0, 2.0**-20, 128 * 128 + 1),
    ],
)
def test_planted_steps(code: StepCode, semitones: int, ratio: float, expected: int) -> None:
    assert code.of(semitones, ratio).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(1, 400)), min_size=2, max_size=20))
def test_single_steps_are_coded_as_many(notes: list[tuple[int, int]]) -> None:
    onsets = np.cumsum([0, *(length for _, length in notes)])
    line = score([(int(on), n, p, 0) for on, (p, n) in zip(onsets, notes, strict=False)])
    for code in (EXACT, NEAR):
        singly = [code.one(a, b) for a, b in pairwise(notes)]
        assert code.along(line, skyline(line, 0)).tolist() == singly


@given(CODES, st.integers(1, 40))
def test_equal_runs_have_equal_hashes_and_others_do_not(codes: list[int], length: int) -> None:
    steps = np.array([*codes, *codes], dtype=np.int64)
    hashes = ngram_hashes(steps, length).tolist()
    runs = [tuple(steps[i : i + length].tolist()) for i in range(len(steps) - length + 1)]
    assert len(hashes) == max(len(runs), 0)
    for kind in (hashes, stored_ngram_hashes(steps, length).tolist()):
        assert len(set(zip(runs, kind, strict=True))) == len(set(runs))
    assert len(set(hashes)) == len(set(runs))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 21, 64, 100])
def test_a_hash_is_the_same_wherever_its_run_stands(length: int) -> None:
    rng = np.random.default_rng(length)
    run = rng.integers(0, 2**18, length)
    around = rng.integers(0, 2**18, 50)
    first = ngram_hashes(run, length)
    assert first.shape == (1,)
    assert ngram_hashes(np.concatenate([around, run, around]), length)[50] == first[0]


@given(st.lists(st.integers(0, 2**18), min_size=1, max_size=12), st.data())
def test_runs_that_differ_in_some_steps_are_hashed_together(codes: list[int], data: st.DataObject) -> None:
    n = 5
    open_ = data.draw(st.sets(st.integers(0, len(codes) - 1)))
    row = [np.arange(n, dtype=np.int64) + c if i in open_ else c for i, c in enumerate(codes)]
    found = ngram_hash(row, n)
    for k in range(n):
        run = np.array([c + k if i in open_ else c for i, c in enumerate(codes)], dtype=np.int64)
        assert ngram_hashes(run, len(run))[0] == found[k]


def test_hashes_that_catalogues_hold_do_not_change() -> None:
    steps = np.array([16448, 16704, 16190, 16448, 17344, 15552], dtype=np.int64)
    assert stored_ngram_hashes(steps, 6).tolist() == [3582834781]
    assert stored_ngram_hashes(steps, 7).tolist() == []
    scale = score([(24 * i, 24, pitch, 0) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71))])
    assert grams(scale).tolist() == [418521261]
