from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorale_networks.voices import LOWEST, prepare, room, transpose
from troubadour.core.errors import InputError

FRAMES = st.tuples(*[st.sampled_from([-1, low, low + 2, low + 7]) for low in (65, 60, 53, 45)])
PIECES = st.lists(FRAMES, min_size=1, max_size=60)


def test_what_is_known_before_each_frame():
    soprano = [67, 67, 69, -1, 69, 67]
    piece = prepare(np.array([[pitch, 60, 55, 48] for pitch in soprano]))
    assert piece.held[:, 0].tolist() == [0, 1, 2, 1, 1, 1]
    assert piece.held[:, 3].tolist() == [0, 1, 2, 3, 4, 5]
    assert (piece.reference[1:, 0] + LOWEST - 1).tolist() == [67, 67, 69, 69, 69]
    assert (piece.earlier[3:, 0] + LOWEST - 1).tolist() == [67, 67, 67]


def test_a_passage_that_returns_is_found():
    passage = [[60 + i, 55, 50, 45] for i in range(8)]
    other = [[72 - i, 56, 51, 44] for i in range(8)]
    piece = prepare(np.array(passage + other + passage))
    # Four frames of the passage have come back at frame 20: it goes on as at frame 4.
    assert piece.matched[20].tolist() == [4, 4]
    assert piece.match_level[20, 0] == 2
    assert piece.matched[16, 0] == -1


@given(PIECES, st.integers(0, 59), st.data())
def test_nothing_known_before_a_frame_depends_on_it_or_later_ones(rows, cut, data):
    cut = min(cut, len(rows) - 1)
    other = data.draw(st.lists(FRAMES, min_size=len(rows) - cut, max_size=len(rows) - cut))
    one, two = prepare(np.array(rows)), prepare(np.array(rows[:cut] + other))
    for field in ("before", "reference", "earlier", "held", "matched", "match_level"):
        assert np.array_equal(getattr(one, field)[: cut + 1], getattr(two, field)[: cut + 1]), field


@given(PIECES, st.integers(-6, 6))
def test_transposing_is_preparing_the_transposed(rows, semitones):
    pitches = np.array(rows)
    moved = transpose(prepare(pitches), semitones)
    again = prepare(np.where(pitches >= 0, pitches + semitones, -1))
    for field in ("frames", "before", "held", "matched", "match_level"):
        assert np.array_equal(getattr(moved, field), getattr(again, field)), field


def test_room_is_what_transpose_accepts():
    piece = prepare(np.array([[88, 60, 55, 30]]))
    assert room(piece, 6) == (-3, 2)
    with pytest.raises(InputError, match="semitones is 3"):
        transpose(piece, 3)


@pytest.mark.parametrize("rows", [[[60, 55, 50]], [[128, 60, 55, 50]], np.zeros((0, 4))])
def test_what_is_no_piece_is_refused(rows):
    with pytest.raises(InputError, match="pitches"):
        prepare(np.array(rows, dtype=int))
