from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chorale_networks.key_network import KeyNetwork, KeyTask, piece_nats, rolls_of  # noqa: E402
from chorale_networks.piano_roll import KEYS, prepare_roll  # noqa: E402
from chorale_networks.spec import FrameSpec  # noqa: E402
from troubadour.core.networks.trainer import Trainer  # noqa: E402
from troubadour.models.options import TrainOptions  # noqa: E402

pytestmark = pytest.mark.torch
SPEC = FrameSpec(width=32, layers=2, heads=2, hidden=48, reader_width=32, reader_layers=1, reader_hidden=32,
                 dropout=0.0, feature_dropout=0.0)  # fmt: skip


def some_keys(seed: int, frames: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.random((frames // 2, KEYS)) < 0.04, 2, axis=0)


def network_of() -> KeyNetwork:
    torch.manual_seed(1)
    network = KeyNetwork(SPEC)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def test_the_shares_of_all_frames_add_up_to_one():
    network, few = network_of(), (40, 44, 47, 52)
    with torch.no_grad():
        # Keys that are out of the question: sets of the others are all there is.
        network.head.bias[[k for k in range(KEYS) if k not in few]] = -1e9
    start, total = some_keys(1)[:6], 0.0
    for size in range(len(few) + 1):
        for down in combinations(few, size):
            frame = np.zeros((1, KEYS), dtype=bool)
            frame[0, list(down)] = True
            (nats,) = piece_nats(network, [prepare_roll(np.concatenate([start, frame]))])
            total += float(np.exp(-nats[-1]))
    assert total == pytest.approx(1.0, abs=1e-4)


def test_a_frame_does_not_see_later_ones():
    network, keys = network_of(), some_keys(2)
    changed = keys.copy()
    changed[20] = ~changed[20]
    one, two = (piece_nats(network, [prepare_roll(k)])[0] for k in (keys, changed))
    np.testing.assert_allclose(one[:20], two[:20], atol=2e-4)
    assert abs(one[21] - two[21]) > 1e-3


def test_batches_cost_what_pieces_cost():
    network = network_of()
    rolls = [prepare_roll(some_keys(i, frames)) for i, frames in enumerate((12, 30))]
    with torch.no_grad():
        together = network.frame_nats(rolls_of(rolls))
    for row, alone in zip(together, piece_nats(network, rolls), strict=True):
        np.testing.assert_allclose(row[: len(alone)], alone, atol=1e-3)
        assert (row[len(alone) :] == 0).all()


def test_long_pieces_are_read_in_windows_and_no_frame_is_left_out():
    (nats,) = piece_nats(network_of(), [prepare_roll(some_keys(3, 100))], window=16)
    assert len(nats) == 100
    assert (nats > 0).all()


def test_what_repeats_is_learnt(tmp_path):
    keys = np.zeros((64, KEYS), dtype=bool)
    keys[::2, [40, 44, 47]] = keys[1::2, [42, 47]] = True
    rolls = [prepare_roll(keys)]
    options = TrainOptions(steps=60, batch_tokens=128, warmup=5, evaluate_every=60, checkpoint_every=60,
                           ema_decay=0.9, learning_rate=1e-2, muon_lr=1e-2)  # fmt: skip
    state = Trainer(tmp_path, KeyTask(SPEC, options, rolls, rolls, shift=2, window=32), options).run()
    assert state["best"] < 1.0
