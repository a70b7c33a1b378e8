from __future__ import annotations

from dataclasses import fields
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chorale_networks.ensemble import Ensemble  # noqa: E402
from chorale_networks.network import Frames, VoiceNetwork, parallels  # noqa: E402
from chorale_networks.sampling import write  # noqa: E402
from chorale_networks.spec import FrameSpec  # noqa: E402
from chorale_networks.training import VoiceTask, batch_of, cell_nats  # noqa: E402
from chorale_networks.voice_leading import clear  # noqa: E402# noqa: E402
from chorale_networks.voices import prepare, transpose  # noqa: E402
from troubadour.core.errors import InputError  # noqa: E402
from troubadour.core.networks.trainer import Trainer  # noqa: E402
from troubadour.generation.evaluation.voice_leading import PERFECT, check  # noqa: E402
from troubadour.models.options import TrainOptions  # noqa: E402

pytestmark = pytest.mark.torch
SMALL = {
    "width": 32,
    "layers": 2,
    "heads": 2,
    "hidden": 48,
    "reader_width": 32,
    "reader_layers": 1,
    "reader_hidden": 32,
}


def some_piece(seed: int, frames: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.integers(-2, 3, size=(frames, 4)), axis=0) % 12
    return np.repeat(walk, 2, axis=0)[:frames] + np.array([65, 58, 52, 44])


def network_of(core: str, order: tuple[int, ...] = (0, 3, 1, 2)) -> VoiceNetwork:
    torch.manual_seed(1)
    network = VoiceNetwork(FrameSpec(core=core, order=order, **SMALL))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


@pytest.mark.parametrize("core", ["transformer", "lstm"])
def test_no_cell_sees_itself_or_what_comes_later(core):
    network = network_of(core)
    pitches = some_piece(3)
    with torch.no_grad():
        before = network.log_probabilities(batch_of([prepare(pitches)]))[0]
    for frame in (0, 5, 22, 39):
        for place, voice in enumerate(network.spec.order):
            changed = pitches.copy()
            changed[frame, voice] += 1
            with torch.no_grad():
                after = network.log_probabilities(batch_of([prepare(changed)]))[0]
            moved = (after - before).abs().amax(-1)
            assert (moved[:frame] < 1e-5).all()
            told, untold = network.spec.order[: place + 1], network.spec.order[place + 1 :]
            assert moved[frame, list(told)].max() < 1e-5
            if untold:
                assert moved[frame, list(untold)].min() > 1e-4
            if frame + 1 < len(pitches):
                assert moved[frame + 1].min() > 1e-4


def test_a_piece_costs_what_the_chain_rule_says_however_it_is_batched():
    network = network_of("transformer")
    pieces = [prepare(some_piece(i, frames)) for i, frames in enumerate((12, 40, 33))]
    together = cell_nats(network, pieces)
    for piece, nats in zip(pieces, together, strict=True):
        with torch.no_grad():
            table = network.log_probabilities(batch_of([piece]))[0]
        assert torch.allclose(table.exp().sum(-1), torch.ones(len(piece), 4), atol=1e-5)
        alone = -table.gather(-1, torch.from_numpy(piece.frames)[..., None])[..., 0].numpy()
        np.testing.assert_allclose(nats, alone, atol=2e-4)


def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path):
    pieces = [prepare(some_piece(i)) for i in range(6)]
    options = {"batch_tokens": 80, "warmup": 2, "evaluate_every": 4, "checkpoint_every": 3, "ema_decay": 0.9}
    spec = FrameSpec(**SMALL)
    short, long = (TrainOptions(steps=steps, cooldown=0.0, **options) for steps in (3, 6))
    task = VoiceTask(spec, long, pieces[:4], pieces[4:])
    whole = Trainer(tmp_path / "whole", task, long)
    whole.run()
    Trainer(tmp_path / "cut", task, short).run()
    cut = Trainer(tmp_path / "cut", task, long)
    cut.run()
    for name, value in whole.average.items():
        assert torch.equal(value, cut.average[name]), name


@pytest.mark.parametrize("core", ["transformer", "lstm"])
def test_what_repeats_is_learnt(core, tmp_path):
    pieces = [prepare(np.tile([[67, 64, 60, 48], [65, 62, 59, 43]], (16, 1)))] * 2
    options = TrainOptions(steps=60, batch_tokens=80, warmup=5, evaluate_every=60, checkpoint_every=60,
                           ema_decay=0.9, learning_rate=1e-2, muon_lr=1e-2)  # fmt: skip
    spec = FrameSpec(core=core, dropout=0.0, feature_dropout=0.0, **SMALL)
    state = Trainer(tmp_path, VoiceTask(spec, options, pieces, pieces, shift=2), options).run()
    assert state["best"] < 0.4


def test_what_is_written_keeps_its_bound_and_says_what_that_cost():
    network = network_of("transformer")
    free = write([network], 2, 12, np.random.default_rng(1))
    again = write([network], 2, 12, np.random.default_rng(1))
    bound = write([network], 2, 12, np.random.default_rng(1), partial(clear, crossing=True))
    assert all(np.array_equal(a, b) for a, b in zip(free.pieces, again.pieces, strict=True))
    assert free.cost_nats == 0.0
    assert bound.cost_nats > 0.0
    assert check(bound.pieces).fifths == check(bound.pieces).octaves == 0


def test_parallels_are_seen_as_they_are_counted():
    pitches = [some_piece(seed, 60) for seed in range(8)]
    fifths = octaves = 0
    for piece in (prepare(p) for p in pitches):
        frames, before = torch.from_numpy(piece.frames), torch.from_numpy(piece.before)
        pitch, kind = parallels(before, frames)
        met = (pitch == frames[..., :, None]) & torch.ones(4, 4).triu(1).bool()
        octaves += int((met & (kind == PERFECT.index(0))).sum())
        fifths += int((met & (kind == PERFECT.index(7))).sum())
    found = check(pitches)
    assert (fifths, octaves) == (found.fifths, found.octaves)
    assert min(fifths, octaves) > 3


def test_parallels_can_be_learnt_to_be_shunned():
    network = network_of("transformer")
    with torch.no_grad():
        network.parallel.weight.zero_()
        network.parallel.bias.fill_(-5.0)
        shunning = write([network], 8, 60, np.random.default_rng(2), temperature=2.0)
        network.parallel.bias.zero_()
        indifferent = write([network], 8, 60, np.random.default_rng(2), temperature=2.0)
    assert check(shunning.pieces).fifths + check(shunning.pieces).octaves == 0
    assert check(indifferent.pieces).fifths + check(indifferent.pieces).octaves > 3


def test_a_mixture_is_the_mean_of_its_parts():
    networks = [network_of("transformer"), network_of("lstm")]
    pieces = [prepare(some_piece(i, frames)) for i, frames in enumerate((12, 30))]
    mixed = Ensemble(networks, (0, 2)).cell_nats(pieces)
    for i, piece in enumerate(pieces):
        parts = [np.exp(-cell_nats(n, [p])[0]) for n in networks for p in (piece, transpose(piece, 2))]
        np.testing.assert_allclose(np.exp(-mixed[i]), np.mean(parts, axis=0), rtol=1e-4)
    calm = Ensemble(networks[:1], temperature=1e6).cell_nats(pieces)
    np.testing.assert_allclose(calm[0], np.log(65), atol=1e-3)
    assert Ensemble(networks).weights == sum(Ensemble([n]).weights for n in networks)


def test_mixtures_of_nothing_or_of_different_orders_are_refused():
    with pytest.raises(InputError, match="at least one network"):
        Ensemble([])
    with pytest.raises(InputError, match="temperature is 0"):
        Ensemble([network_of("lstm")], temperature=0.0)
    with pytest.raises(InputError, match="different orders"):
        Ensemble([network_of("lstm"), network_of("lstm", (0, 1, 2, 3))])
    with pytest.raises(InputError, match="leave"):
        Ensemble([network_of("lstm")], (40,)).cell_nats([prepare(some_piece(1))])


@pytest.mark.parametrize("core", ["transformer", "lstm"])
def test_going_on_frame_by_frame_is_reading_all_at_once(core):
    network = network_of(core)
    batch = batch_of([prepare(some_piece(seed)) for seed in (1, 2)])
    memory, read = None, []
    with torch.no_grad():
        for t in range(batch.frames.shape[1]):
            one = Frames(*(getattr(batch, field.name)[:, t : t + 1] for field in fields(batch)))
            hidden, memory = network.go_on(one, memory)
            read.append(hidden)
        whole = network.hidden(batch)
    torch.testing.assert_close(torch.cat(read, 1), whole, atol=1e-4, rtol=1e-4)
