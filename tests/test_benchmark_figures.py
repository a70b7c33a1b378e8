"""What the programs behind published figures count, on cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.repetition import repeated
from benchmarks.sequential_attributes import read

from troubadour.formats.abc.read import read_abc
from troubadour.music.piece import Piece


def test_taggings_that_are_to_be_predicted_leave_the_attributes(shared_data: Path) -> None:
    # `read` fails by itself unless all 3,646 x 388 cells agree with the file as S3-Rec ships it.
    found = read(shared_data / "lastfm_hetrec", shared_data / "lastfm_s3rec")
    assert found.shipped.shape == (3646, 388)
    lines = (shared_data / "lastfm_s3rec" / "LastFM.txt").read_text().splitlines()
    last = [(row, int(line.split()[-1]) - 1) for row, line in enumerate(lines)]
    whole, clean = found.vectors() > 0, found.vectors(last) > 0
    assert not (clean & ~whole).any()
    others = np.setdiff1d(np.arange(len(whole)), [artist for _, artist in last])
    assert np.array_equal(clean[others], whole[others])
    lost = (whole & ~clean).any(axis=1)
    assert found.told_alone(last) == pytest.approx(0.287, abs=0.001)
    assert lost.sum() > 100


@pytest.mark.parametrize(
    ("bars", "share"),
    [("CDEF|GABc|CDEF|GABc|", 2 / 4), ("CDEF|cdef|C2EF|FEDC|", 0.0), ("C4|C4|C4|C4|", 3 / 4)],
)
def test_bars_that_equal_an_earlier_bar_are_counted(bars: str, share: float) -> None:
    (tune,) = read_abc(f"X:1\nT:Bars\nM:4/4\nL:1/4\nK:C\n{bars}\n", "bars.abc")
    assert isinstance(tune, Piece)
    assert repeated(tune.score) == pytest.approx(share)
