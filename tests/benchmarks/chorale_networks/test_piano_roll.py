from __future__ import annotations

import numpy as np
import pytest

from chorale_networks.piano_roll import (
    KEYS,
    prepare_roll,
    read_rolls,
    room_of,
    transpose_roll,
    without_copies,
)
from troubadour.core.errors import InputError


def roll_of(*frames: set[int]) -> np.ndarray:
    keys = np.zeros((len(frames), KEYS), dtype=np.uint8)
    for row, down in zip(keys, frames, strict=True):
        row[list(down)] = 1
    return keys


def test_what_is_known_before_each_frame():
    roll = prepare_roll(roll_of({40, 44}, {40, 47}, {40}, set()))
    assert roll.held[:, 40].tolist() == [0, 1, 2, 3]
    assert roll.held[:, 44].tolist() == [0, 1, 0, 0]
    assert np.array_equal(roll.before[1:], roll.keys[:-1])


def test_a_passage_that_returns_is_foretold():
    passage = [{40 + i} for i in range(8)]
    roll = prepare_roll(roll_of(*passage, *[{60 + i} for i in range(8)], *passage))
    assert np.flatnonzero(roll.foretold[20]).tolist() == [44]
    assert roll.match_level[20] == 2
    assert roll.match_level[16] == 0


def test_nothing_known_before_a_frame_depends_on_it_or_later_ones():
    rng = np.random.default_rng(1)
    keys = np.repeat(rng.random((12, KEYS)) < 0.03, 4, axis=0)
    keys = np.concatenate([keys, keys])
    changed = keys.copy()
    changed[60:] = ~changed[60:]
    one, two = prepare_roll(keys), prepare_roll(changed)
    for field in ("before", "held", "foretold", "match_level"):
        assert np.array_equal(getattr(one, field)[:61], getattr(two, field)[:61]), field


def test_transposing_is_preparing_the_transposed():
    keys = roll_of({3, 44}, {3, 47}, {3}, set())
    assert room_of(prepare_roll(keys), 6) == (-3, 6)
    moved, again = transpose_roll(prepare_roll(keys), -3), prepare_roll(np.roll(keys, -3, axis=1))
    for field in ("keys", "before", "held", "foretold"):
        assert np.array_equal(getattr(moved, field), getattr(again, field)), field


def test_copies_are_left_out_and_what_is_no_roll_is_refused(tmp_path):
    one, two = roll_of({3}), roll_of({4})
    assert len(without_copies([one, two], [two])) == 1
    with pytest.raises(InputError, match="shape"):
        prepare_roll(np.zeros((3, 4)))
    with pytest.raises(InputError, match="no piano rolls"):
        read_rolls(tmp_path / "none.mat")
