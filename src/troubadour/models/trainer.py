"""Train a composer of any family: warm-up, constant rate, linear decay; averaged weights.

A run is a folder. Its checkpoint holds weights, their running average, the optimiser's state and
the step; data order and dropout depend on seed and step alone, so a run that was killed goes on
exactly where the checkpoint stands.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from troubadour.core.errors import ModelError, TroubadourError
from troubadour.generation.autoregressive import WEIGHTS, AutoregressiveComposer, load_composer
from troubadour.generation.network_spec import Spec
from troubadour.generation.style_statistics import StyleStatistics
from troubadour.models.dataset import Drawn, Example, assemble, batches, collate, with_part_shown
from troubadour.models.families import family_of
from troubadour.models.optim import Optimiser
from troubadour.models.options import TrainOptions
from troubadour.models.overfitting import OverfittingReport, Point, overfitting_report
from troubadour.models.transformer.network import EventNetwork

log = logging.getLogger(__name__)

_SLICE: Final = 200
"""Most training pieces that are scored for comparison."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run went."""

    step: int
    valid_loss: float
    """Nats a token, averaged weights, prefix told."""
    valid_by_style: dict[str, float]
    train_loss: float | None
    """Running mean, with dropout and transposition; nothing before the first step."""
    seen_loss: float
    """On a slice of the training music, scored as `valid_loss` is."""
    seconds: float
    """Of training, over all parts of the run."""
    tokens: int
    best_step: int
    verdict: OverfittingReport
    """Whether it overfitted."""


class Run:
    """A training run in a folder; call `go` to start it or to go on with it.

    Args:
        folder: where checkpoints are kept.
        start: weights to start from (fine-tuning); without them, from random ones.
    """

    def __init__(
        self,
        folder: Path,
        spec: Any,
        options: TrainOptions,
        start: dict[str, Tensor] | None = None,
    ) -> None:
        self.folder, self.spec, self.options = folder, spec, options
        self.family = self.kind()
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        self.network = self._built()
        if start is not None:
            self.network.load_state_dict(start, strict=False)
        self.optimiser = Optimiser(self.network, options)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.state: dict[str, Any] = {
            "step": 0, "seconds": 0.0, "tokens": 0, "best": None, "best_step": 0, "train_loss": None, "history": [],
        }  # fmt: skip
        if (folder / "checkpoint.json").exists():
            self._resume()

    def go(
        self,
        train: Any,
        valid: Any,
        progress: Callable[[int, float], None] | None = None,
        judged: Callable[[int, float], None] | None = None,
    ) -> TrainReport:
        """Train to the last step, or until validation has not become better for long.

        Args:
            progress: is told the step and the running loss.
            judged: is told the step and the validation loss of each evaluation; what it raises ends
                the run, which can be resumed.

        Raises:
            InputError: there is no piece to train on.
            TroubadourError: the loss is not a number; the last good checkpoint stays.
        """
        options, state = self.options, self.state
        stream = self.batches(train)
        seen = self.slice(train, valid)
        if not state["history"]:
            self._evaluate(seen, valid)
            self._checkpoint()
        started = time.monotonic()
        before = state["seconds"]
        while state["step"] < options.steps:
            step = state["step"]
            loss, tokens = self._step(next(stream), step)
            if not np.isfinite(loss):
                raise TroubadourError(
                    f"loss is {loss} at step {step}; the last checkpoint and the weights that were best (step "
                    f"{state['best_step']}) are kept in {self.folder}. Lower the learning rate"
                )
            smooth = state["train_loss"]
            state["train_loss"] = loss if smooth is None else 0.98 * smooth + 0.02 * loss
            state["step"] += 1
            state["tokens"] += tokens
            state["seconds"] = before + time.monotonic() - started
            if progress:
                progress(state["step"], state["train_loss"])
            last = state["step"] == options.steps
            if state["step"] % options.evaluate_every == 0 or last:
                self._evaluate(seen, valid)
                if judged:
                    judged(state["step"], state["history"][-1]["valid"])
                if self._gone_stale():
                    break
            if state["step"] % options.checkpoint_every == 0 or last:
                self._checkpoint()
        self._checkpoint()
        return self.report(valid)

    def report(self, valid: Any) -> TrainReport:
        """Validation by style of the best averaged weights so far."""
        best = load_file(self.folder / "best.safetensors")
        by_style, total = self.validate(self._network_of(best), valid)
        state = self.state
        return TrainReport(
            state["step"],
            total,
            by_style,
            state["train_loss"],
            next(p["seen"] for p in state["history"] if p["step"] == state["best_step"]),
            state["seconds"],
            state["tokens"],
            state["best_step"],
            self.verdict(),
        )

    def verdict(self) -> OverfittingReport:
        """What the curves say so far."""
        state = self.state
        return overfitting_report(
            [Point(p["step"], p["seen"], p["valid"]) for p in state["history"]], state["best_step"]
        )

    # What differs between networks of events and others ---------------------------------------

    def kind(self) -> str:
        """Name of the family."""
        return str(family_of(self.spec).kind)

    def build(self) -> Any:
        """A fresh network; its `objective(batch)` is what training makes small, and the number of targets."""
        return family_of(self.spec).network(self.spec)

    def batches(self, train: Any) -> Iterator[Any]:
        """Endless batches from the run's step on; the n-th depends on the seed and n alone."""
        options = self.options
        return batches(
            train,
            options.seed,
            options.tokens_a_step,
            context=options.context,
            keep=options.keep,
            first=self.state["step"],
            objectives=options.objectives,
        )

    def slice(self, train: Any, valid: Any) -> Any:
        """About as much of the training data as there is to validate with: what the gap is measured on."""
        return slice_of(train, len(valid))

    def validate(self, network: Any, valid: Any) -> tuple[dict[str, float], float]:
        """Validation loss by style and over all."""
        return evaluate(network, valid, self.options.context)

    def judge(self, network: Any, valid: Any) -> tuple[dict[str, float], float]:
        """Validation loss of each objective, and the one by which the best weights are chosen."""
        shares = self.options.objectives
        # Every fourth piece says enough of the objectives that are not compared with other models.
        losses = {
            name: evaluate(network, valid[:: 1 if name == "next" else 4], self.options.context, name)[1]
            for name in shares
            if shares[name]
        }
        total = sum(shares[name] * loss for name, loss in losses.items()) / sum(shares[n] for n in losses)
        return losses, total

    def _step(self, batch: Any, step: int) -> tuple[float, int]:
        options = self.options
        torch.manual_seed(options.seed * 1_000_003 + step)
        self.network.train()
        loss, count = self.network.objective(batch)
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step(rate(step, options))
        # A short memory first, so that the average forgets the random start.
        keep = min(options.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1.0 - keep)
        return float(loss.detach() / count), int(count)

    def _evaluate(self, seen: Any, valid: Any) -> None:
        network, state = self._network_of(self.average), self.state
        losses, total = self.judge(network, valid)
        _, known = self.validate(network, seen)
        state["history"].append(
            {"step": state["step"], "train": state["train_loss"], "seen": known,
             "valid": losses.get("next", total), "objectives": losses, "seconds": state["seconds"]}
        )  # fmt: skip
        log.info(
            "step %d: train %s, seen %.4f, valid %.4f, %.0f s",
            state["step"],
            "-" if state["train_loss"] is None else f"{state['train_loss']:.4f}",
            known,
            total,
            state["seconds"],
        )
        if state["best"] is None or total < state["best"]:
            state["best"], state["best_step"] = total, state["step"]
            _save(self.average, self.folder / "best.safetensors")

    def _gone_stale(self) -> bool:
        late = self.state["step"] - self.state["best_step"]
        return bool(self.options.patience) and late >= self.options.patience * self.options.evaluate_every

    def _built(self) -> Any:
        network = self.build()
        network.precision = self.options.precision
        return network

    def _network_of(self, weights: dict[str, Tensor]) -> Any:
        network = self._built()
        network.load_state_dict(weights, strict=False)
        return network.eval()

    def _checkpoint(self) -> None:
        arrays = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        arrays |= {f"average.{k}": v for k, v in self.average.items()}
        arrays |= {f"optimiser.{k}": v for k, v in self.optimiser.arrays().items()}
        name = f"checkpoint-{self.state['step']}.safetensors"
        _save(arrays, self.folder / name)
        document = {
            "arrays": name, "family": self.family, "spec": self.spec.to_dict(), "options": asdict(self.options), "state": self.state,
        }  # fmt: skip
        _write(self.folder / "checkpoint.json", json.dumps(document, indent=1).encode())
        for old in self.folder.glob("checkpoint-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _resume(self) -> None:
        try:
            document = json.loads((self.folder / "checkpoint.json").read_text())
            if document["family"] != self.family or type(self.spec).from_dict(document["spec"]) != self.spec:
                raise ModelError(f"{self.folder}: the checkpoint is of another spec; train in a new folder")
            arrays = load_file(self.folder / document["arrays"])
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(f"{self.folder}: checkpoint cannot be read: {error}") from error
        self.network.load_state_dict(_under("network.", arrays), strict=False)
        self.average = _under("average.", arrays)
        self.optimiser.load(_under("optimiser.", arrays).items())
        self.state = document["state"]


def load_start(folder: Path) -> tuple[Spec, dict[str, Tensor]]:
    """Spec and weights of a stored composer, to start from.

    Raises:
        ModelError: no composer can be read there.
    """
    spec = cast(AutoregressiveComposer, load_composer(folder)).spec
    return spec, {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}


def save_composer(folder: Path, run: Run, styles: Mapping[str, StyleStatistics], name: str) -> None:
    """Write the best averaged weights of a run as a composer, with its history beside them."""
    best = load_file(run.folder / "best.safetensors")
    arrays = {k: v.numpy() for k, v in best.items()}
    family_of(run.spec)(run.spec, arrays, styles, name).save(folder)
    _write(
        folder / "report.json", json.dumps({**run.state, "options": asdict(run.options)}, indent=1).encode()
    )


def slice_of(train: Sequence[Example], size: int) -> list[Example]:
    """About `size` different training pieces, spread evenly over them: what the gap is measured on."""
    pieces = list({e.piece: e for e in train}.values())
    stride = max(1, len(pieces) // max(1, min(size, _SLICE)))
    return pieces[::stride][: max(1, min(size, _SLICE))]


def rate(step: int, options: TrainOptions) -> float:
    """Share of the full learning rate at a step."""
    decay_from = options.steps * (1.0 - options.decay)
    up = min(1.0, (step + 1) / options.warmup)
    down = 1.0 if step < decay_from else max(0.02, (options.steps - step) / (options.steps - decay_from))
    return up * down


@torch.no_grad()
def evaluate(
    network: EventNetwork, examples: Sequence[Example], context: int, objective: str = "next"
) -> tuple[dict[str, float], float]:
    """Validation loss in nats a token, by style and over all; prefix told, no transposition.

    What an objective shows of a piece is the same each time.
    """
    network.eval()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    ordered = sorted(examples, key=lambda e: len(e.tokens))
    for start in range(0, len(ordered), 8):
        rows = ordered[start : start + 8]
        batch = collate([_told(e, objective, start + i, context) for i, e in enumerate(rows)], context)
        for row, (loss, count) in zip(rows, network.nats(batch), strict=True):
            sums[row.style][0] += loss
            sums[row.style][1] += count
    by_style = {style: loss / count for style, (loss, count) in sorted(sums.items())}
    total = sum(loss for loss, _ in sums.values()) / max(1.0, sum(count for _, count in sums.values()))
    return by_style, total


def _told(item: Example, objective: str, number: int, context: int) -> Drawn:
    whole = assemble(item, item.prefix >= 0)
    if objective == "next":
        return whole
    return with_part_shown(whole, objective, np.random.default_rng(number), context)


def _under(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _save(arrays: dict[str, Tensor], path: Path) -> None:
    part = path.with_suffix(".part")
    save_file({k: v.detach().contiguous() for k, v in arrays.items()}, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
