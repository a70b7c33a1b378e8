"""One trainer for all networks: warm-up, constant rate, linear cooldown; EMA of the weights; best on validation.

What is learnt, and from what, is a `TrainingTask` of the network's family.

A run in a folder keeps checkpoints: weights, their average, the optimiser's state and the step. Batches
and dropout depend on seed and step alone, so a run that was killed resumes exactly.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from troubadour.core.errors import ModelError, TroubadourError
from troubadour.core.networks.checkpoint import (
    DOCUMENT,
    Arrays,
    read_checkpoint,
    write_arrays,
    write_checkpoint,
)
from troubadour.core.networks.optim import Optimiser
from troubadour.core.networks.options import TrainerOptions, rate
from troubadour.core.networks.overfitting import OverfittingReport, Point, overfitting_report

log = logging.getLogger(__name__)
Batch = TypeVar("Batch")

BEST: Final = "best.safetensors"
"""File of the best averaged weights in a run's folder."""
_LARGEST_GRADIENT: Final = 1.0
"""Norm to which larger gradients are scaled down."""


@dataclass(frozen=True, slots=True)
class ValidationLosses:
    """Losses of one set of weights on held-out data; lower is better."""

    loss: float
    """Decides which weights are kept."""
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further figures for the history, as JSON. `valid` and `seen`, in one unit, are the curves of the
    overfitting report: on held-out data, and on a slice of the training data."""


class TrainingTask(Protocol[Batch]):
    """What a network learns, and from what."""

    kind: str
    """Name of the family, stored with checkpoints."""
    spec: Any
    """Shape of the network, a dataclass; a checkpoint of another shape is refused."""

    def network(self) -> nn.Module:
        """A new network with random weights."""
        ...

    def batches(self, first: int) -> Iterator[Batch | None]:
        """Batches from number `first` on; number n depends on the seed and n alone. None marks the end of a pass."""
        ...

    def loss(self, network: Any, batch: Batch) -> tuple[Tensor, Tensor | int]:
        """Loss summed over targets, a scalar, and the number of targets."""
        ...

    def validate(self, network: Any) -> ValidationLosses | None:
        """Losses on held-out data, without gradients; None = the task has none, and the last weights are kept."""
        ...


class Trainer(Generic[Batch]):
    """A training run; call `run` to start it or to resume it.

    Args:
        folder: the run's own, where checkpoints are kept; None = in memory only.
        start: weights to start from (fine-tuning), by name; without them, random ones.

    Raises:
        ModelError: the folder holds a checkpoint of another shape, or one that cannot be read.
    """

    def __init__(
        self,
        folder: Path | None,
        task: TrainingTask[Batch],
        options: TrainerOptions,
        start: Arrays | None = None,
    ) -> None:
        self.folder, self.task, self.options = folder, task, options
        torch.manual_seed(options.seed)
        self.network = task.network()
        if start is not None:
            self.network.load_state_dict(start, strict=False)
        self.optimiser = Optimiser(self.network, options)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.best: Arrays = {}
        """Averaged weights of the lowest validation loss so far."""
        self.state: dict[str, Any] = {
            "step": 0, "seconds": 0.0, "tokens": 0, "best": None, "best_step": 0, "train_loss": None, "history": [],
        }  # fmt: skip
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / DOCUMENT).exists():
                self._resume(folder)

    def run(
        self,
        progress: Callable[[int, float], None] | None = None,
        on_validation: Callable[[int, float], None] | None = None,
    ) -> dict[str, Any]:
        """Train to the last step, to the end of the batches, or until `patience` is exhausted.

        Args:
            progress: called with the step and the running training loss.
            on_validation: called with the step and the validation loss; an exception that it raises ends
                the run, which can be resumed.

        Returns:
            The state: step, seconds, targets, best loss and step, running training loss, history.

        Raises:
            InputError: there is nothing to train on.
            TroubadourError: the loss is not a number; the last good checkpoint stays.
        """
        if not self.state["history"]:
            self._validate()
            self._checkpoint()
        if self.state["step"] < self.options.steps:
            self._train(progress, on_validation)
            self._checkpoint()
        return self.state

    def overfitting(self) -> OverfittingReport | None:
        """Judgement of the curves so far; None where the task has none on data that it was trained on."""
        curve = [Point(p["step"], p["seen"], p["valid"]) for p in self.state["history"] if "seen" in p]
        return overfitting_report(curve, self.state["best_step"]) if curve else None

    def network_of(self, weights: Arrays) -> Any:
        """A network with these weights, ready for evaluation."""
        with torch.random.fork_rng(devices=[]):  # the run's own random stream stays as it is
            network = self.task.network()
        network.load_state_dict(weights, strict=False)
        return network.eval()

    def _train(
        self,
        progress: Callable[[int, float], None] | None,
        on_validation: Callable[[int, float], None] | None,
    ) -> None:
        options, state = self.options, self.state
        started, before, every = time.monotonic(), state["seconds"], options.evaluate_every
        for batch in self.task.batches(state["step"]):
            if batch is None:
                due, last = not every, False
            else:
                self._step(batch)
                state["seconds"] = before + time.monotonic() - started
                if progress:
                    progress(state["step"], state["train_loss"])
                last = state["step"] == options.steps
                due = last or (every > 0 and state["step"] % every == 0)
            if due:
                self._validate()
                if on_validation and state["history"]:
                    on_validation(state["step"], state["history"][-1]["loss"])
            if last or (due and self._stale()):
                break
            if batch is not None and state["step"] % options.checkpoint_every == 0:
                self._checkpoint()

    def _step(self, batch: Batch) -> None:
        options, state = self.options, self.state
        step = state["step"]
        if self.folder is not None:
            # Dropout depends on seed and step alone, so that a resumed run repeats it.
            torch.manual_seed(options.seed * 1_000_003 + step)
        self.network.train()
        total, count = self.task.loss(self.network, batch)
        mean = total / count
        loss = float(mean.detach())
        if not np.isfinite(loss):
            where = "" if self.folder is None else f" are kept in {self.folder}"
            raise TroubadourError(
                f"loss is {loss} at step {step}; the last checkpoint and the best weights (step "
                f"{state['best_step']}){where}. Lower the learning rate"
            )
        mean.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step(rate(step, options))
        # A short memory first, so that the average forgets the random start.
        decay = min(options.ema_decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1.0 - decay)
        smooth = state["train_loss"]
        state["train_loss"] = loss if smooth is None else 0.98 * smooth + 0.02 * loss
        state["step"] = step + 1
        state["tokens"] += int(count)

    def _validate(self) -> None:
        state = self.state
        with torch.no_grad():
            found = self.task.validate(self.network_of(self.average))
        if found is None:
            self._keep()
            return
        entry = {"step": state["step"], "train": state["train_loss"], "loss": found.loss, **found.metrics}
        state["history"].append({**entry, "seconds": state["seconds"]})
        log.info("%s", _line(state["history"][-1]))
        if state["best"] is None or found.loss < state["best"]:
            state["best"] = found.loss
            self._keep()

    def _keep(self) -> None:
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.state["best_step"] = self.state["step"]
        if self.folder is not None:
            write_arrays(self.folder / BEST, self.best)

    def _stale(self) -> bool:
        """Whether the last `patience` validations brought no lower loss."""
        history, patience = self.state["history"], self.options.patience
        since = sum(entry["step"] > self.state["best_step"] for entry in history)
        return bool(patience) and since >= patience

    def _checkpoint(self) -> None:
        if self.folder is None:
            return
        parts = {
            "network": self.network.state_dict(), "average": self.average, "optimiser": self.optimiser.arrays(),
        }  # fmt: skip
        document = {
            "family": self.task.kind, "spec": asdict(self.task.spec), "options": asdict(self.options), "state": self.state,
        }  # fmt: skip
        write_checkpoint(self.folder, self.state["step"], parts, document)

    def _resume(self, folder: Path) -> None:
        parts, document = read_checkpoint(folder)
        shape = json.loads(json.dumps(asdict(self.task.spec)))
        if (document.get("family"), document.get("spec")) != (self.task.kind, shape):
            raise ModelError(f"{folder}: the checkpoint is of another spec; train in a new folder")
        try:
            self.network.load_state_dict(parts["network"], strict=False)
            self.average, self.state = parts["average"], document["state"]
            self.optimiser.load(parts.get("optimiser", {}).items())
            self.best = load_file(folder / BEST)
        except (OSError, KeyError, SafetensorError) as error:
            raise ModelError(f"{folder}: checkpoint cannot be read: {error}") from error


def _line(entry: Mapping[str, Any]) -> str:
    """An entry of the history as a line of the log."""
    figures = [f"{name} {value:.4g}" for name, value in entry.items() if isinstance(value, float)]
    return f"step {entry['step']}: " + ", ".join(figures)
