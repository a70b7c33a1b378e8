from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorale_networks.voice_leading import clear
from chorale_networks.voices import PITCHES
from troubadour.generation.evaluation.voice_leading import check

IDS = st.tuples(*[st.integers(0, PITCHES)] * 4)


@pytest.mark.parametrize(
    ("rows", "fifths", "octaves"),
    [
        ([[67, 62, 60, 48], [69, 62, 62, 48]], 1, 0),  # soprano and tenor, a fifth apart, up a tone
        ([[72, 64, 60, 48], [74, 64, 60, 50]], 0, 1),
        ([[67, 62, 60, 48], [67, 62, 60, 48]], 0, 0),  # they hold
        ([[67, 62, 60, 48], [67, -1, -1, 48]], 0, 0),
        ([[72, 64, 60, 53], [71, 64, 60, 52]], 1, 0),  # a twelfth counts as a fifth
    ],
)
def test_parallels_are_counted(rows, fifths, octaves):
    found = check([np.array(rows)])
    assert (found.fifths, found.octaves) == (fifths, octaves)


def test_crossings_are_counted_by_frame():
    found = check([np.array([[60, 62, 50, 52], [65, 62, 50, 45], [60, -1, 61, 45]])])
    assert (found.crossed, found.frames, found.changes) == (1, 3, 2)


@given(IDS, st.permutations(range(4)), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_is_clear_never_makes_parallels_and_there_is_always_a_way_on(before, order, crossing, seed):
    rng, frame = np.random.default_rng(seed), np.zeros(4, dtype=np.int64)
    for place, voice in enumerate(order):
        allowed = clear(np.array(before), frame, voice, tuple(order[:place]), crossing)
        assert allowed[0]
        if crossing and before[voice]:
            assert allowed[before[voice]]
        frame[voice] = rng.choice(np.flatnonzero(allowed))
    found = check([np.array([before, frame])])
    assert (found.fifths, found.octaves) == (0, 0)
    if not crossing:
        assert check([frame[None]]).crossed == 0
