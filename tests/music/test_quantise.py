from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.piece import Piece
from troubadour.music.quantise import GRID, METRONOME, VELOCITY_LEVELS, bars_of, quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track


def score(rows: list[tuple[int, int, int]], quarter: int = 24, **fields: object) -> Score:
    """Notes as (onset, duration, pitch) at velocity 80 on one track."""
    notes = [(onset, duration, pitch, 80, 0) for onset, duration, pitch in rows]
    return Score.from_notes(notes, ticks_per_quarter=quarter, **fields)  # type: ignore[arg-type]


def rows(score: Score) -> list[tuple[int, int, int]]:
    return [tuple(row[:3]) for row in score.notes().tolist()]


def steady(quarters: int, quarter: int = 24, **fields: object) -> Score:
    """A quarter note on every beat."""
    return score([(i * quarter, quarter, 60 + i % 12) for i in range(quarters)], quarter, **fields)


@given(data=st.data())
def test_quantising_twice_changes_nothing(raw_scores: st.SearchStrategy[Score], data: st.DataObject) -> None:
    once = quantise(data.draw(raw_scores))
    assert quantise(once) == once


@given(data=st.data())
def test_everything_lands_on_the_grid(raw_scores: st.SearchStrategy[Score], data: st.DataObject) -> None:
    raw = data.draw(raw_scores)
    got = quantise(raw)
    bars = bars_of(got)
    for ticks in (got.onset, got.onset + got.duration):
        row = np.clip(np.searchsorted(bars.start, ticks, side="right") - 1, 0, None)
        within = ticks - bars.start[row] + bars.lead[row]
        at_barline = np.isin(ticks, bars.start) | (ticks == bars.start[-1] + bars.length[-1])
        assert bool((np.isin(within % 24, GRID) | at_barline).all())
    assert set(got.velocity.tolist()) <= set(VELOCITY_LEVELS)
    assert {t.bpm for t in got.tempos} <= set(METRONOME)
    barlines = set(bars.start.tolist())
    assert {c.tick for c in (*got.tempos, *got.metres, *got.keys)} <= barlines | {0}
    assert set(got.track.tolist()) == set(range(len(got.tracks)))
    assert got.end_ticks <= raw.end_ticks * 24 / raw.ticks_per_quarter + 24


@given(data=st.data())
def test_no_note_overlaps_its_own_pitch(raw_scores: st.SearchStrategy[Score], data: st.DataObject) -> None:
    got = quantise(data.draw(raw_scores))
    ends: dict[tuple[int, int], int] = {}
    for onset, duration, pitch, _, track in got.notes().tolist():
        assert ends.get((track, pitch), 0) <= onset
        ends[track, pitch] = onset + duration


@pytest.mark.parametrize("quarter", [1, 7, 96, 101, 480, 10080])
def test_the_ticks_of_the_source_do_not_matter(quarter: int) -> None:
    assert quantise(steady(8, quarter)) == quantise(steady(8))


def test_triplets_and_semiquavers_stay_what_they_are() -> None:
    triplet = score([(0, 160, 60), (160, 160, 62), (320, 160, 64), (480, 120, 65)], 480)
    assert rows(quantise(triplet)) == [(0, 8, 60), (8, 8, 62), (16, 8, 64), (24, 6, 65)]


def test_notes_played_a_little_early_or_late_go_to_the_beat() -> None:
    played = score([(11, 470, 60), (468, 485, 62), (970, 455, 64)], 480)
    assert rows(quantise(played)) == [(0, 24, 60), (24, 24, 62), (48, 24, 64)]


def test_a_note_too_short_for_the_grid_is_still_heard() -> None:
    (note,) = rows(quantise(score([(0, 1, 60)], 480)))
    assert note[1] >= 1


def test_a_metre_change_on_a_barline_stays_where_it_is() -> None:
    got = quantise(steady(7, metres=(Metre(0, 4, 4), Metre(96, 3, 4))))
    assert got.metres == (Metre(0, 4, 4), Metre(96, 3, 4))
    assert got.bar_starts().tolist() == [0, 96]


def test_a_metre_change_in_mid_bar_ends_the_bar_there() -> None:
    """4/4, then after six beats 3/4: the two beats between are a bar of 2/4."""
    got = quantise(steady(12, metres=(Metre(0, 4, 4), Metre(144, 3, 4))))
    assert got.metres == (Metre(0, 4, 4), Metre(96, 2, 4), Metre(144, 3, 4))
    assert got.bar_starts().tolist() == [0, 96, 144, 216]
    assert rows(got) == rows(steady(12))


def test_a_short_first_bar_is_the_upbeat_however_it_was_written() -> None:
    as_upbeat = steady(9, metres=(Metre(0, 4, 4),), upbeat_ticks=24)
    as_metres = steady(9, metres=(Metre(0, 1, 4), Metre(24, 4, 4)))
    got = quantise(as_upbeat)
    assert got == quantise(as_metres)
    assert (got.upbeat_ticks, got.metres, got.n_bars) == (24, (Metre(0, 4, 4),), 2)
    assert got.bar_starts().tolist() == [0, 24, 120]


def test_a_metre_that_repeats_itself_goes() -> None:
    got = quantise(steady(8, metres=(Metre(0, 4, 4), Metre(96, 4, 4))))
    assert got.metres == (Metre(0, 4, 4),)


def test_a_note_struck_again_while_it_sounds_ends_there() -> None:
    assert rows(quantise(score([(0, 96, 60), (24, 24, 60)]))) == [(0, 24, 60), (24, 24, 60)]


def test_doubled_notes_become_one_the_longer_one() -> None:
    assert rows(quantise(score([(0, 24, 60), (0, 48, 60)]))) == [(0, 48, 60)]


def test_other_pitches_and_other_tracks_may_overlap() -> None:
    notes = [(0, 96, 60, 80, 0), (24, 48, 64, 80, 0), (24, 24, 60, 80, 1)]
    two = Score.from_notes(notes, ticks_per_quarter=24, tracks=(Track(0), Track(40)))
    assert quantise(two) == two


def test_tracks_without_notes_and_maps_past_the_end_go() -> None:
    raw = Score.from_notes(
        [(0, 24, 60, 80, 1)],
        ticks_per_quarter=24,
        tracks=(Track(0), Track(40), Track(7)),
        tempos=(Tempo(0, 100.0), Tempo(960, 60.0)),
        keys=(Key(0, 1, "major"), Key(960, 2, "major")),
        metres=(Metre(0, 3, 4), Metre(720, 2, 4)),
    )
    got = quantise(raw)
    assert got.tracks == (Track(40),)
    assert (len(got.tempos), len(got.keys), len(got.metres)) == (1, 1, 1)


def test_changes_of_key_go_to_the_nearest_barline() -> None:
    keys = (Key(0, 0, "major"), Key(100, 1, "major"), Key(180, 2, "major"))
    assert [k.tick for k in quantise(steady(12, keys=keys)).keys] == [0, 96, 192]


def test_a_score_without_notes_is_allowed() -> None:
    empty = quantise(score([], 480))
    assert len(empty) == 0
    assert empty.tracks == ()


@pytest.mark.parametrize("metre", [Metre(0, 7, 64), Metre(0, 65, 4), Metre(0, 64, 2)])
def test_a_metre_that_the_grid_cannot_hold_is_refused_by_name(metre: Metre) -> None:
    with pytest.raises(InputError, match=rf"{metre.name}.*allowed"):
        quantise(steady(4, metres=(metre,)))


def test_real_tunes_keep_their_notes(tunes: list[Piece]) -> None:
    for piece in tunes:
        got = quantise(piece.score)
        assert quantise(got) == got, piece.title
        assert len(got) >= len(piece.score) - 2, piece.title
        assert got.n_bars == piece.score.n_bars, piece.title
