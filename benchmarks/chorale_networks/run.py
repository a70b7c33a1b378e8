"""Train a network over frames: averaged weights, the best on the validation pieces kept.

A run is a folder. What is drawn depends on seed and step alone, and the checkpoint holds weights,
their average and the optimiser's state, so a run that was killed goes on exactly where it stood.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from troubadour.core.errors import ModelError, TroubadourError
from troubadour.models.options import TrainOptions
from troubadour.models.trainer import rate
from troubadour.networks.optim import Optimiser

log = logging.getLogger(__name__)
Batch = TypeVar("Batch")


class TrainingTask(Protocol[Batch]):
    """What is to be learnt, and from what."""

    spec: Any
    """A dataclass: the shape of the network."""

    def network(self) -> nn.Module:
        """A new network."""
        ...

    def batches(self, options: TrainOptions, first: int) -> Iterator[Batch]:
        """Batches without end, from the batch `first` on."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """What to lower."""
        ...

    def judge(self, network: nn.Module) -> dict[str, float]:
        """How good a network is; `valid`, the lower the better, decides which is kept."""
        ...


class FrameRun(Generic[Batch]):
    """A training run in a folder; call `go` to start it or to go on with it."""

    def __init__(self, folder: Path, problem: TrainingTask[Batch], options: TrainOptions) -> None:
        self.folder, self.problem, self.options = folder, problem, options
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        self.network = problem.network()
        self.optimiser = Optimiser(self.network, options)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.state: dict[str, Any] = {"step": 0, "seconds": 0.0, "best": None, "best_step": 0, "history": []}
        if (folder / "checkpoint.json").exists():
            self._resume()

    def go(self) -> dict[str, Any]:
        """Train to the last step; returns the state with its history.

        Raises:
            TroubadourError: the loss is not a number; the last good checkpoint stays.
        """
        options, state = self.options, self.state
        stream = self.problem.batches(options, state["step"])
        clock, before, smooth = time.monotonic(), state["seconds"], None
        while state["step"] < options.steps:
            step = state["step"]
            torch.manual_seed(options.seed * 1_000_003 + step)
            self.network.train()
            loss = self.problem.loss(self.network, next(stream))
            if not torch.isfinite(loss):
                raise TroubadourError(
                    f"loss is {float(loss.detach())} at step {step}; lower the learning rate"
                )
            now = float(loss.detach())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step(rate(step, options))
            # A short memory first, so that the average forgets the random start.
            keep = min(options.average, (step + 1) / (step + 10))
            with torch.no_grad():
                for name, value in self.network.state_dict().items():
                    self.average[name].lerp_(value, 1.0 - keep)
            smooth = now if smooth is None else 0.98 * smooth + 0.02 * now
            state["step"] = step + 1
            state["seconds"] = before + time.monotonic() - clock
            if state["step"] % options.evaluate_every == 0 or state["step"] == options.steps:
                self._evaluate(smooth)
            if state["step"] % options.checkpoint_every == 0 or state["step"] == options.steps:
                self._checkpoint()
        return state

    def _evaluate(self, train: float) -> None:
        network = self.problem.network()
        network.load_state_dict(self.average)
        found, state = self.problem.judge(network.eval()), self.state
        state["history"].append({"step": state["step"], "train": train, **found, "seconds": state["seconds"]})
        log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in state["history"][-1].items()))
        now = found["valid"]
        if state["best"] is None or now < state["best"]:
            state["best"], state["best_step"] = now, state["step"]
            _save(self.average, self.folder / "best.safetensors")

    def _checkpoint(self) -> None:
        arrays = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        arrays |= {f"average.{k}": v for k, v in self.average.items()}
        arrays |= {f"optimiser.{k}": v for k, v in self.optimiser.arrays().items()}
        name = f"checkpoint-{self.state['step']}.safetensors"
        _save(arrays, self.folder / name)
        document = {
            "arrays": name, "spec": asdict(self.problem.spec), "options": asdict(self.options), "state": self.state,
        }  # fmt: skip
        part = self.folder / "checkpoint.part"
        part.write_text(json.dumps(document, indent=1))
        part.replace(self.folder / "checkpoint.json")
        for old in self.folder.glob("checkpoint-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _resume(self) -> None:
        document = json.loads((self.folder / "checkpoint.json").read_text())
        if document["spec"] != json.loads(json.dumps(asdict(self.problem.spec))):
            raise ModelError(f"{self.folder}: the checkpoint is of another spec; train in a new folder")
        arrays = load_file(self.folder / document["arrays"])
        self.network.load_state_dict(_under("network.", arrays))
        self.average = _under("average.", arrays)
        self.optimiser.load(_under("optimiser.", arrays).items())
        self.state = document["state"]


def _under(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _save(arrays: dict[str, Tensor], path: Path) -> None:
    part = path.with_suffix(".part")
    save_file({k: v.detach().contiguous() for k, v in arrays.items()}, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
