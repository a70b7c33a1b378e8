from __future__ import annotations

import numpy as np

from chorale_networks.counts import VoiceCounts
from chorale_networks.scoring import new_tunes, score
from chorale_networks.voices import prepare


def tune(steps: list[int], start: int = 60) -> np.ndarray:
    soprano = start + np.cumsum([0, *steps])
    return np.stack([soprano, *[np.full(len(soprano), low) for low in (57, 52, 45)]], axis=1)


def test_changed_cells_are_those_that_move():
    piece = prepare(np.array([[60, 57, 52, 45], [62, 57, 52, 45]]))
    nats = np.array([[1.0, 1, 1, 1], [3, 0, 0, 0]])
    found = score([nats], [piece])
    assert (found.pieces, found.cells) == (1, 8)
    assert found.nats == 7 / 8
    assert found.changed == 7 / 5
    assert found.held == 0


def test_a_tune_is_known_in_any_key():
    steps = np.random.default_rng(1).choice([-3, -2, -1, 1, 2, 3], size=30).tolist()
    other = np.random.default_rng(2).choice([-3, -2, -1, 1, 2, 3], size=30).tolist()
    train = [prepare(tune(steps))]
    assert new_tunes([prepare(tune(steps, 64)), prepare(tune(other)), prepare(tune([1, 2]))], train) == [1, 2]


def test_counts_are_a_distribution_over_all_pitches():
    rng = np.random.default_rng(1)
    base = rng.integers(0, 8, size=(30, 4)) + np.array([65, 60, 53, 45])
    counts = VoiceCounts((0, 3, 1, 2)).fit([prepare(base)])
    head = base[:10]
    for voice in (0, 2):
        total = 0.0
        for pitch in [-1, *range(27, 91)]:
            row = head[-1].copy()
            row[voice] = pitch
            (nats,) = counts.cell_nats([prepare(np.vstack([head, row]))])
            total += np.exp(-nats[-1, voice])
        assert 0.9 < total < 1.0 + 1e-9


def test_what_was_counted_is_foretold_in_another_key():
    piece = tune([2, 2, 1, 2, 2, 1, -5, -5] * 4)
    counts = VoiceCounts().fit([prepare(piece)])
    (known,) = counts.cell_nats([prepare(piece + 3)])
    (unknown,) = counts.cell_nats([prepare(tune([5, -5, 3, -3] * 8))])
    assert known[1:, 0].mean() < 0.5 * unknown[1:, 0].mean()
