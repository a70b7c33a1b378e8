from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError, TroubadourError
from troubadour.generation.autoregressive import load_composer
from troubadour.generation.network_spec import Spec
from troubadour.generation.style_statistics import style_statistics
from troubadour.models.dataset import Batch, Example, example, save
from troubadour.models.lstm.composer import LstmComposer
from troubadour.models.lstm.spec import LstmSpec
from troubadour.models.scoring import scored
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.score import Score

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from troubadour.core.networks.blocks import Norm, autocast  # noqa: E402
from troubadour.core.networks.options import TrainerOptions, rate  # noqa: E402
from troubadour.core.networks.trainer import Trainer, ValidationLosses  # noqa: E402
from troubadour.models.event_training import EventTask, evaluate, save_composer  # noqa: E402
from troubadour.models.families import family_of  # noqa: E402
from troubadour.models.options import TrainOptions  # noqa: E402
from troubadour.models.train_report import train_report  # noqa: E402

pytestmark = pytest.mark.torch
OPTIONS = TrainOptions(
    steps=30,
    batch_tokens=600,
    learning_rate=1e-2,
    muon_lr=1e-2,
    warmup=3,
    context=256,
    evaluate_every=10,
    checkpoint_every=10,
    precision="float32",
)
BOTH = pytest.mark.parametrize("precision", ["float32", "bfloat16"])
"""On every processor: where it has no bfloat16, torch emulates it."""
Data = tuple[list[Example], list[Example]]


@pytest.fixture(scope="module")
def data(pieces: list[tuple[Score, str]], spec: TransformerSpec) -> Data:
    """Sixteen pieces to learn from, four to check with."""
    examples = [example(score, style, str(i), spec.styles) for i, (score, style) in enumerate(pieces)]
    return examples[:12] + examples[16:], examples[12:16]


def run_of(
    folder: Path, spec: Spec, data: Data, options: TrainOptions = OPTIONS, start: dict[str, Any] | None = None
) -> Trainer[Batch]:
    return Trainer(folder, EventTask(spec, options, *data), options, start)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, spec: TransformerSpec, data: Data) -> Path:
    """The folder of an uninterrupted run of thirty steps."""
    folder = tmp_path_factory.mktemp("whole")
    run_of(folder, spec, data).run()
    return folder


class Killed(BaseException):
    """Stands for a process that ends without warning."""


def killed_at(step: int, folder: Path, spec: TransformerSpec, data: Data) -> None:
    def progress(done: int, _: float) -> None:
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        run_of(folder, spec, data).run(progress=progress)


@BOTH
def test_thirty_steps_lower_the_loss(
    tmp_path: Path, spec: TransformerSpec, data: Data, precision: str
) -> None:
    run = run_of(tmp_path, spec, data, replace(OPTIONS, precision=precision))
    _, before = evaluate(run.network, data[1], OPTIONS.context)
    run.run()
    report = train_report(run)
    assert before == pytest.approx(np.log(spec.tokens), rel=0.05)  # knows nothing
    assert report.valid_loss < before - 1.5
    assert report.step == 30
    assert set(report.valid_by_style) == {"jig", "march"}
    assert min(report.valid_by_style.values()) <= report.valid_loss <= max(report.valid_by_style.values())
    assert report.tokens > 30 * 200


@pytest.mark.parametrize("step", [10, 14, 20])
def test_a_run_that_was_killed_goes_on_to_the_very_same_weights(
    tmp_path: Path, spec: TransformerSpec, data: Data, finished: Path, step: int
) -> None:
    killed_at(step, tmp_path, spec, data)
    run_of(tmp_path, spec, data).run()
    ours, theirs = (load_file(f / "checkpoint-30.safetensors") for f in (tmp_path, finished))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    best, other = (load_file(f / "best.safetensors") for f in (tmp_path, finished))
    assert all(torch.equal(best[k], other[k]) for k in other)


KILLED = """
import sys
from pathlib import Path
from troubadour.models.dataset import load
from troubadour.models.families import family as family_named
from troubadour.models.event_training import EventTask
from troubadour.models.options import TrainOptions
from troubadour.core.networks.trainer import Trainer
import json
folder, data, family, spec, options = sys.argv[1:]
shape = family_named(family).spec_type.from_dict(json.loads(spec))
parts = [load(Path(data) / f"{part}.npz") for part in ("train", "valid")]
options = TrainOptions(**json.loads(options))
Trainer(Path(folder), EventTask(shape, options, *parts), options).run()
"""
LSTM = LstmSpec(width=32, layers=2, styles=("jig", "march", "song"))


@pytest.mark.parametrize("family", ["transformer", "lstm"])
@pytest.mark.slow
def test_after_kill_9_either_family_goes_on_to_the_very_same_weights(
    tmp_path: Path, spec: TransformerSpec, data: Data, family: str
) -> None:
    shape = {"transformer": spec, "lstm": LSTM}[family]
    options = replace(OPTIONS, steps=40, checkpoint_every=5)
    for part, examples in zip(("train", "valid"), data, strict=True):
        save(tmp_path / f"{part}.npz", examples)
    run = tmp_path / "run"
    words = [str(run), str(tmp_path), family, json.dumps(shape.to_dict()), json.dumps(asdict(options))]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words])
    # Killed once a checkpoint is behind it, wherever it then is: in a step, or writing.
    while process.poll() is None and _step_of(run) < 5:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    ours, whole = run_of(run, shape, data, options), run_of(tmp_path / "whole", shape, data, options)
    assert 0 < ours.state["step"] < 40
    ours.run()
    whole.run()
    first, second = (load_file(r.folder / "checkpoint-40.safetensors") for r in (ours, whole))
    assert all(torch.equal(first[k], second[k]) for k in second)
    assert ours.state["best"] == whole.state["best"]


def _step_of(run: Path) -> int:
    document = run / "checkpoint.json"
    return int(json.loads(document.read_text())["state"]["step"]) if document.exists() else -1


@BOTH
def test_a_run_of_an_lstm_lowers_the_loss_and_composes_what_it_learnt(
    tmp_path: Path, data: Data, pieces: list[tuple[Score, str]], precision: str
) -> None:
    run = run_of(tmp_path, LSTM, data, replace(OPTIONS, precision=precision))
    run.run()
    report = train_report(run)
    assert report.verdict.start.valid == pytest.approx(np.log(LSTM.tokens), rel=0.05)
    assert report.valid_loss < report.verdict.start.valid - 1.5
    save_composer(tmp_path, run, style_statistics(pieces), "small")
    composer = load_composer(tmp_path)
    assert isinstance(composer, LstmComposer)
    found = scored(composer, data[1])
    assert found.nats == pytest.approx(report.valid_loss, abs=0.01)


@pytest.mark.slow
def test_the_curves_say_that_a_run_on_two_pieces_overfits(
    tmp_path: Path, spec: TransformerSpec, data: Data
) -> None:
    few = replace(OPTIONS, steps=300, evaluate_every=25, checkpoint_every=300, cooldown=0.1)
    run = run_of(tmp_path, replace(spec, dropout=0.0), (data[0][:2], data[1]), few)
    run.run()
    report = train_report(run)
    assert report.verdict.finding == "overfits"
    assert report.best_step < report.step
    assert report.verdict.last.gap > report.verdict.start.gap + 0.2


def test_a_finished_run_has_nothing_more_to_do(finished: Path, spec: TransformerSpec, data: Data) -> None:
    before = (finished / "best.safetensors").read_bytes()
    assert run_of(finished, spec, data).run()["step"] == 30
    assert (finished / "best.safetensors").read_bytes() == before


def test_old_checkpoints_go_and_no_half_written_file_stays(finished: Path) -> None:
    assert sorted(p.name for p in finished.iterdir()) == [
        "best.safetensors", "checkpoint-30.safetensors", "checkpoint.json",
    ]  # fmt: skip


def test_another_seed_is_another_model(tmp_path: Path, spec: TransformerSpec, data: Data) -> None:
    first, second, other = (
        run_of(tmp_path / str(i), spec, data, replace(OPTIONS, seed=seed)).network.state_dict()
        for i, seed in enumerate((1, 1, 2))
    )
    assert torch.equal(first["token.weight"], second["token.weight"])
    assert not torch.equal(first["token.weight"], other["token.weight"])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_a_number_stops_and_keeps_the_checkpoint(
    tmp_path: Path, spec: TransformerSpec, data: Data
) -> None:
    killed_at(12, tmp_path, spec, data)
    good = (tmp_path / "checkpoint-10.safetensors").read_bytes()
    run = run_of(tmp_path, spec, data)
    with torch.no_grad():
        run.network.token.weight[3, 0] = float("nan")
    with pytest.raises(TroubadourError, match=r"loss is nan at step 10; .*Lower the learning rate"):
        run.run()
    assert (tmp_path / "checkpoint-10.safetensors").read_bytes() == good
    assert run_of(tmp_path, spec, data).run()["step"] == 30


def test_without_a_usable_piece_it_says_so(tmp_path: Path, spec: TransformerSpec, data: Data) -> None:
    with pytest.raises(InputError, match="no usable piece to train on"):
        run_of(tmp_path, spec, ([], data[1])).run()


def test_a_checkpoint_of_another_spec_is_refused(finished: Path, spec: TransformerSpec, data: Data) -> None:
    with pytest.raises(ModelError, match="another spec; train in a new folder"):
        run_of(finished, replace(spec, layers=1), data)


@pytest.mark.parametrize("damage", ["json", "arrays", "gone"])
def test_a_damaged_checkpoint_is_refused_with_its_folder(
    tmp_path: Path, spec: TransformerSpec, data: Data, damage: str
) -> None:
    killed_at(12, tmp_path, spec, data)
    arrays = tmp_path / "checkpoint-10.safetensors"
    if damage == "json":
        (tmp_path / "checkpoint.json").write_text('{"arrays": ')
    elif damage == "arrays":
        arrays.write_bytes(arrays.read_bytes()[:2000])
    else:
        arrays.unlink()
    with pytest.raises(ModelError, match="checkpoint cannot be read"):
        run_of(tmp_path, spec, data)


def test_fine_tuning_starts_from_the_weights_it_is_given(
    tmp_path: Path, spec: TransformerSpec, data: Data, finished: Path
) -> None:
    start = load_file(finished / "best.safetensors")
    run = run_of(tmp_path, spec, data, replace(OPTIONS, steps=5, learning_rate=1e-4, muon_lr=1e-4), start)
    _, before = evaluate(run.network, data[1], OPTIONS.context)
    assert before < 5.2
    run.run()
    assert train_report(run).valid_loss == pytest.approx(before, abs=0.2)


def test_training_stops_when_nothing_gets_better(tmp_path: Path, spec: TransformerSpec, data: Data) -> None:
    still = replace(OPTIONS, steps=200, learning_rate=0.0, muon_lr=0.0, evaluate_every=2, patience=2)
    run = run_of(tmp_path, spec, data, still)
    run.run()
    report = train_report(run)
    assert report.step < 20
    assert report.best_step == 0
    assert report.verdict.finding == "no gain"


def test_the_learning_rate_rises_stays_and_falls() -> None:
    options = TrainOptions(steps=1000, warmup=100, cooldown=0.2)
    rates = [rate(step, options) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[100:800] == [1.0] * 700
    assert all(b <= a for a, b in pairwise(rates[800:]))
    assert rates[-1] == pytest.approx(0.02)
    assert min(rates) > 0


def test_progress_and_the_log_tell_how_it_goes(
    tmp_path: Path, spec: TransformerSpec, data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []
    with caplog.at_level(logging.INFO, logger="troubadour.core.networks.trainer"):
        run_of(tmp_path, spec, data, replace(OPTIONS, steps=10)).run(
            progress=lambda step, _: seen.append(step)
        )
    assert seen == list(range(1, 11))
    assert "step 10: " in caplog.text


def test_composing_loads_no_torch() -> None:
    code = "import sys, troubadour.models.transformer.composer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("family", ["transformer", "lstm"])
def test_bfloat16_is_another_sum_and_nearly_the_same(spec: TransformerSpec, data: Data, family: str) -> None:
    shape = {"transformer": spec, "lstm": LSTM}[family]
    losses = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        network = family_of(shape).network(shape).eval()
        network.precision = precision
        losses.append(evaluate(network, data[1], OPTIONS.context)[1])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_gains_take_the_type_of_what_they_scale() -> None:
    norm = Norm(16)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(3, 16)
    with autocast("bfloat16"):
        half = norm(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), norm(x), rtol=0.02, atol=0.02)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'half'; allowed: auto, float32, bfloat16"):
        TrainOptions(precision="half")


def test_the_end_of_a_pass_is_a_validation_and_a_task_without_one_keeps_the_last_weights() -> None:
    class Line:
        """y = w x; the answer is 3."""

        kind, spec = "line", LSTM

        def __init__(self, passes: int, validates: bool) -> None:
            self.passes, self.validates = passes, validates

        def network(self) -> Any:
            return torch.nn.Linear(1, 1, bias=False)

        def batches(self, first: int) -> Iterator[Any]:
            for _ in range(self.passes):
                yield from (1.0, 2.0)
                yield None

        def loss(self, network: Any, batch: float) -> tuple[Any, int]:
            return (network(torch.tensor([batch])) - 3 * batch).square().sum(), 1

        def validate(self, network: Any) -> ValidationLosses | None:
            return ValidationLosses(abs(float(network.weight) - 3)) if self.validates else None

    options = TrainerOptions(
        steps=1000, learning_rate=0.1, muon_lr=None, warmup=1, cooldown=0.0, ema_decay=0.0, evaluate_every=0
    )
    run = Trainer(None, Line(60, True), options)
    state = run.run()
    assert [entry["step"] for entry in state["history"]] == list(range(0, 121, 2))
    assert float(run.best["weight"]) == pytest.approx(3, abs=0.1)
    last = Trainer(None, Line(60, False), options)
    assert last.run()["history"] == []
    assert torch.equal(last.best["weight"], last.network.state_dict()["weight"])
    stopped = Trainer(None, Line(60, True), replace(options, learning_rate=0.0, patience=4)).run()
    assert stopped["step"] == 8
