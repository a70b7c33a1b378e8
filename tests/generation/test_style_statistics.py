from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from troubadour.core.errors import ModelError
from troubadour.generation.style_statistics import StyleStatistics, draw, style_statistics
from troubadour.music.score import Score

Pieces = list[tuple[Score, str]]


def test_the_pieces_of_a_style_are_counted(pieces: Pieces) -> None:
    jig = style_statistics(pieces)["jig"]
    assert jig.pieces == 8
    assert jig.metres == {"6/8": 8}
    assert jig.bars == {"8": 4, "16": 4}
    assert jig.keys == {"2 major": 8}
    assert jig.tempos == {"6/8 176": 8}
    assert jig.programs == {"40:1": 8}
    assert len(jig.ranges) == 1
    assert jig.ranges[0][0] == 62
    assert jig.ranges[0][1] <= 74


def test_the_empty_style_counts_melodies_but_no_duets(pieces: Pieces) -> None:
    found = style_statistics(pieces)
    assert found[""].pieces == 16
    assert found[""].metres == {"6/8": 8, "4/4": 8}
    assert found["song"].programs == {"52:1 52:1": 4}
    assert len(found["song"].ranges) == 2
    assert found["song"].ranges[1][0] < found["song"].ranges[0][0]


def test_pieces_without_notes_are_skipped() -> None:
    assert style_statistics([(Score.from_notes([], ticks_per_quarter=24), "jig")]) == {}


def test_statistics_can_be_read_back_from_json(pieces: Pieces) -> None:
    jig = style_statistics(pieces)["jig"]
    assert StyleStatistics.from_dict(json.loads(json.dumps(jig.to_dict()))) == jig


@pytest.mark.parametrize("damage", ["missing", "unknown", "ranges"])
def test_damaged_statistics_are_refused(pieces: Pieces, damage: str) -> None:
    values = style_statistics(pieces)["jig"].to_dict()
    if damage == "missing":
        del values["bars"]
    elif damage == "unknown":
        values["colour"] = "green"
    else:
        values["ranges"] = [[1], [2]]
    with pytest.raises(ModelError, match="not a style profile"):
        StyleStatistics.from_dict(values)


def test_values_are_drawn_in_proportion_to_their_counts() -> None:
    rng = np.random.default_rng(0)
    seen = Counter(draw({"6/8": 3, "9/8": 1}, rng) for _ in range(2000))
    assert set(seen) == {"6/8", "9/8"}
    assert seen["6/8"] / 2000 == pytest.approx(0.75, abs=0.04)
