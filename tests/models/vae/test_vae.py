from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.vae import SPEC

from troubadour.core.errors import InputError, ModelError
from troubadour.generation.autoregressive import DOCUMENT, WEIGHTS
from troubadour.generation.request import Brief
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.dataset import batches, stack, transposed
from troubadour.models.vae.latent_map import ATTRIBUTES, TONIC, latent_map_of, measure, normalised
from troubadour.models.vae.passages import METRES, PAD, PITCH, Passage, passages, steps_of
from troubadour.models.vae.space import Sampling, slerp, token_accuracy
from troubadour.music.score import Key, Score

Pieces = list[tuple[Score, str]]


def some(pieces: Pieces, bars: int) -> list[Passage]:
    return [p for score, _ in pieces for p in passages(score, bars, stride=bars)]


@pytest.mark.torch
def test_the_engine_equals_the_network_that_trains(vae: VaeComposer) -> None:
    torch = pytest.importorskip("torch")
    from troubadour.models.vae.network import VaeNetwork

    network = VaeNetwork(SPEC).eval()
    network.load_state_dict({k: torch.from_numpy(np.float32(v)) for k, v in vae._weights.items()})
    rng = np.random.default_rng(1)
    metre = np.array([0, 4, 5])
    grid = rng.integers(0, PAD, (3, 4, SPEC.steps))
    for row, m in enumerate(metre):
        grid[row, :, steps_of(METRES[m]) :] = PAD
    with torch.no_grad():
        mean, log_variance = network.encode(torch.from_numpy(grid), torch.from_numpy(metre))
        bar = network.conduct(mean, torch.from_numpy(metre), 4)
        wanted = network.write(bar, network.before(torch.from_numpy(grid))).numpy()
    found = vae.space.engine.encode(grid, metre)
    np.testing.assert_allclose(found[0], mean.numpy(), atol=1e-4)
    np.testing.assert_allclose(found[1], log_variance.numpy(), atol=1e-4)
    seen: dict[int, np.ndarray] = {}

    def choose(step: int, logits: np.ndarray, _: np.ndarray) -> np.ndarray:
        seen[step] = logits
        return grid[:, :, step]

    out = vae.space.engine.write(mean.numpy(), metre, 4, choose)
    assert np.array_equal(out, grid)
    for step, logits in seen.items():
        there = grid[:, :, step] != PAD
        np.testing.assert_allclose(logits[there][:, :PAD], wanted[:, :, step][there][:, :PAD], atol=1e-3)


@pytest.mark.torch
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns_and_resumes_exactly(pieces: Pieces, tmp_path: Path, precision: str) -> None:
    pytest.importorskip("torch")
    from troubadour.core.networks.trainer import Trainer
    from troubadour.generation.style_statistics import style_statistics
    from troubadour.models.options import TrainOptions
    from troubadour.models.train_report import train_report
    from troubadour.models.vae.training import VaeTask, save_vae

    data = {4: stack(some(pieces[:16], 4))}
    options = TrainOptions(
        steps=24, batch_tokens=360, warmup=2, evaluate_every=12, checkpoint_every=8, learning_rate=5e-3, muon_lr=5e-3,
        precision=precision,
    )  # fmt: skip
    task = VaeTask(SPEC, options, data, data)
    whole = Trainer(tmp_path / "whole", task, options)
    whole.run()
    report = train_report(whole)
    assert whole.state["history"][-1]["valid"] < whole.state["history"][0]["valid"]
    assert set(report.valid_by_style) == {"4 bars"}

    class StopError(Exception):
        pass

    def stop(step: int, _: float) -> None:
        if step == 13:
            raise StopError

    with pytest.raises(StopError):
        Trainer(tmp_path / "cut", task, options).run(stop)
    resumed = Trainer(tmp_path / "cut", task, options)
    assert resumed.state["step"] == 8
    resumed.run()
    for name, value in whole.network.state_dict().items():
        assert (value == resumed.network.state_dict()[name]).all(), name
    composer = save_vae(tmp_path / "whole", whole, pieces[:16], style_statistics(pieces[:16]), "tiny")
    assert {"|major", "|minor"} <= set(composer.space.latent_map.regions)


def test_a_brief_holds(vae: VaeComposer) -> None:
    brief = Brief(style="jig", bars=18, key=(1, "major"), metre=(6, 8), strict=True, lowest=60, highest=79)
    for score in vae.compose(brief, np.random.default_rng(3), 3):
        assert score.n_bars == 18
        assert score.metres[0].name == "6/8"
        assert score.keys[0].name == "G major"
        assert {int(p) % 12 for p in score.pitch} <= {7, 9, 11, 0, 2, 4, 6}
        assert score.pitch.min() >= 60
        assert score.pitch.max() <= 79
        assert int(score.pitch[-1]) % 12 == 7


def test_a_seed_repeats_and_candidates_do_not_depend_on_each_other(vae: VaeComposer) -> None:
    brief = Brief(style="march", bars=4)
    one = vae.compose(brief, np.random.default_rng(5), 1)
    two = vae.compose(brief, np.random.default_rng(5), 2)
    assert one[0] == two[0]
    assert two[0] != two[1]


@pytest.mark.parametrize(
    ("brief", "name"),
    [
        (Brief(upbeat=True), "upbeat"),
        (Brief(chords="G D G"), "chords"),
        (Brief(max_common=12), "max_common"),
        (Brief(strict=True, density=3), "strict density"),
        (Brief(metre=(5, 4)), "5/4"),
        (Brief(style="tango"), "tango"),
        (Brief(voices=4), "voices"),
        (Brief(strict=True, key=(0, "major"), lowest=61, highest=61), "no pitch is left"),
    ],
)
def test_what_it_cannot_hold_to_is_refused(vae: VaeComposer, brief: Brief, name: str) -> None:
    with pytest.raises(InputError, match=name):
        vae.compose(brief, np.random.default_rng(0))


def test_saved_and_loaded_it_composes_the_same(vae: VaeComposer, tmp_path: Path) -> None:
    vae.save(tmp_path)
    loaded = VaeComposer.load(tmp_path)
    again = VaeComposer.load(tmp_path)
    brief = Brief(style="jig", bars=8)
    assert loaded.compose(brief, np.random.default_rng(1)) == again.compose(brief, np.random.default_rng(1))
    assert loaded.styles == vae.styles == ("jig", "march")


def test_damaged_files_are_refused_by_reason(vae: VaeComposer, tmp_path: Path) -> None:
    vae.save(tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="no composer can be read"):
        VaeComposer.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(whole)
    document = json.loads((tmp_path / DOCUMENT).read_text())
    document["spec"]["version"] = 99
    (tmp_path / DOCUMENT).write_text(json.dumps(document))
    with pytest.raises(ModelError, match="version 99"):
        VaeComposer.load(tmp_path)


def test_embeddings_are_units_that_keys_do_not_change(vae: VaeComposer, pieces: Pieces) -> None:
    score = pieces[0][0]
    vectors = vae.embed([score, score.transpose(3)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_a_blend_begins_and_ends_with_the_reconstructions(vae: VaeComposer, pieces: Pieces) -> None:
    a, b = some(pieces, 4)[:2]
    rng = np.random.default_rng(0)
    made = vae.space.interpolate(a, b, 5, rng)
    ends = vae.space.reconstruct([a, b], rng, Sampling(temperature=0.0))
    assert len(made) == 5
    assert np.array_equal(made[0].grid, ends[0].grid)
    assert np.array_equal(made[-1].grid, ends[1].grid)
    with pytest.raises(InputError, match="metres"):
        vae.space.interpolate(a, Passage(np.where(a.grid == PAD, 1, a.grid), (9, 8)), 3, rng)


def test_an_arc_keeps_its_length() -> None:
    a, b = np.float32([3, 0]), np.float32([0, 3])
    assert np.linalg.norm(slerp(a, b, 0.5)) == pytest.approx(3.0)
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-6)


def test_a_planted_attribute_is_found(pieces: Pieces) -> None:
    """The first coordinate grows with density alone: its direction has to point there."""
    found = [normalised(p) for p in some(pieces[:16], 4)]
    rng = np.random.default_rng(0)
    thinned = []
    for p in found:
        grid = p.grid.copy()
        grid[(grid >= PITCH) & (grid < PAD) & (rng.random(grid.shape) < rng.random())] = 0
        thinned.append(Passage(grid, p.metre, p.key))
    density = np.array([measure(p)[0] for p in thinned])
    z = rng.standard_normal((len(thinned), 3)).astype(np.float32)
    z[:, 0] = (density - density.mean()) / density.std()
    latent_map = latent_map_of(z, thinned, ["jig"] * len(thinned))
    direction = latent_map.directions[ATTRIBUTES.index("density")]
    assert direction[0] == pytest.approx(1.0, abs=0.15)
    assert np.abs(direction[1:]).max() < 0.5


def test_normalised_passages_stand_on_the_tonic(pieces: Pieces) -> None:
    for p in some(pieces[:16], 4):
        assert Key(0, *normalised(p).key).tonic == TONIC


def test_batches_depend_on_seed_and_number_alone(pieces: Pieces) -> None:
    data = {4: stack(some(pieces[:16], 4))}
    first = batches(data, 3, 20, 0.2, 10)
    rows = [next(first) for _ in range(4)]
    late = next(batches(data, 3, 20, 0.2, 10, first=3))
    assert np.array_equal(rows[3].grid, late.grid)
    assert rows[0].kl_weight == 0.0
    assert late.kl_weight == pytest.approx(0.06)


def test_transposing_moves_notes_and_nothing_else(pieces: Pieces) -> None:
    grid = stack(some(pieces[:16], 4)).grid
    moved = transposed(grid, np.random.default_rng(0))
    notes = (grid >= PITCH) & (grid < PAD)
    assert np.array_equal(moved[~notes], grid[~notes])
    shift = moved.astype(int) - grid.astype(int)
    for row in range(len(grid)):
        assert len(set(shift[row][notes[row]])) == 1


def test_accuracy_counts_steps(pieces: Pieces) -> None:
    a = some(pieces[:16], 2)[0]
    grid = a.grid.copy()
    grid[0, 0] ^= 1
    there = (a.grid != PAD).sum()
    assert token_accuracy([a], [Passage(grid, a.metre)]) == pytest.approx(1 - 1 / there)
