"""Training of the VAE, with the trainer of all networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from troubadour.core.networks.trainer import Trainer, ValidationLosses
from troubadour.generation.loading import WEIGHTS
from troubadour.generation.style_statistics import StyleStatistics, style_statistics
from troubadour.models.families import Styled, TrainedFamily
from troubadour.models.options import TrainOptions
from troubadour.models.train_report import train_report
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.dataset import Stack, VaeBatch, batches, free_nats, stacks
from troubadour.models.vae.latent_map import latent_map_of, normalised
from troubadour.models.vae.network import VaeNetwork
from troubadour.models.vae.passages import LENGTHS, METRES, STEPS, passages
from troubadour.models.vae.runtime import VaeRuntime
from troubadour.models.vae.spec import VaeSpec
from troubadour.music.score import Score

_VALIDATED = 1000
"""Passages of each length that an evaluation takes, evenly spread."""
_CHUNK = 64


class VaeTask:
    """Passages as stacks by length; the loss is the evidence lower bound (ELBO) in nats a step."""

    kind = VaeComposer.kind

    def __init__(
        self, spec: VaeSpec, options: TrainOptions, train: Mapping[int, Stack], valid: Mapping[int, Stack]
    ) -> None:
        self.spec, self.options, self._train, self._valid = spec, options, train, valid
        self._seen = seen_of(train, valid)

    def network(self) -> VaeNetwork:
        """See `TrainingTask.network`."""
        network = VaeNetwork(self.spec)
        network.precision = self.options.precision
        return network

    def batches(self, first: int) -> Iterator[VaeBatch]:
        """See `TrainingTask.batches`."""
        options, spec = self.options, self.spec
        bars = max(1, options.batch_tokens // STEPS)
        return batches(self._train, options.seed, bars, spec.kl_weight, spec.annealing, first)

    def loss(self, network: VaeNetwork, batch: VaeBatch) -> tuple[Tensor, Tensor]:
        """See `TrainingTask.loss`."""
        return network.objective(batch)

    def validate(self, network: VaeNetwork) -> ValidationLosses:
        """Mean over the lengths."""
        by_length, loss = self._losses(network, self._valid)
        _, seen = self._losses(network, self._seen)
        return ValidationLosses(loss, {"seen": seen, "valid": loss, "groups": by_length})

    def _losses(self, network: VaeNetwork, stacks: Mapping[int, Stack]) -> tuple[dict[str, float], float]:
        """Reconstruction nats a step plus the weighted KL above the free bits, by length, and their mean."""
        found: dict[str, float] = {}
        for bars, (grid, metre) in stacks.items():
            rows = np.unique(np.linspace(0, len(grid) - 1, _VALIDATED).astype(np.int64))
            nats = kl = steps = count = 0.0
            for start in range(0, len(rows), _CHUNK):
                chosen = rows[start : start + _CHUNK]
                batch = VaeBatch(grid[chosen], metre[chosen], free_nats(bars), self.spec.kl_weight)
                sums = network.nats(batch)
                nats, kl, steps, count = (a + b for a, b in zip((nats, kl, steps, count), sums, strict=True))
            excess = max(0.0, kl / count - free_nats(bars)) * count
            found[f"{bars} bars"] = (nats + self.spec.kl_weight * excess) / steps
        return found, float(np.mean(list(found.values())))


def seen_of(train: Mapping[int, Stack], valid: Mapping[int, Stack]) -> dict[int, Stack]:
    """Training passages for the overfitting report, spread evenly, as many of each length as in `valid`."""
    found = {}
    for bars, (grid, metre) in train.items():
        size = len(valid[bars].grid) if bars in valid else _VALIDATED
        rows = np.unique(np.linspace(0, len(grid) - 1, size).astype(np.int64))
        found[bars] = Stack(grid[rows], metre[rows])
    return found


def save_vae(
    folder: Path,
    trainer: Trainer[VaeBatch],
    pieces: Sequence[tuple[Score, str]],
    profiles: Mapping[str, StyleStatistics],
    name: str,
) -> VaeComposer:
    """Write the best averaged weights as a composer, with the latent map of the training pieces (score, style)."""
    weights: dict[str, Any] = {k: v.to(torch.float16).numpy() for k, v in trainer.best.items()}
    engine = VaeRuntime(trainer.task.spec, weights)
    found = [
        (normalised(p), style) for score, style in pieces for p in passages(score, LENGTHS[-1], stride=8)
    ]
    latents = np.concatenate(
        [_encode(engine, [p for p, _ in found[i : i + _CHUNK]]) for i in range(0, len(found), _CHUNK)]
    )
    latent_map = latent_map_of(latents, [p for p, _ in found], [s for _, s in found])
    composer = VaeComposer(trainer.task.spec, weights, profiles, latent_map, name)
    composer.save(folder)
    return composer


def train_vae(
    folder: Path,
    name: str,
    shape: Mapping[str, Any],
    options: TrainOptions,
    train: Sequence[Styled],
    valid: Sequence[Styled],
    start: Path | None,
    tell: Callable[[int, float], None] | None,
) -> TrainedFamily:
    """See `models.families.TrainsItself`: trains on passages instead of whole pieces."""
    spec, weights = VaeSpec(**shape), None
    if start is not None:
        spec = VaeComposer.load(start).spec
        weights = {k: v.float() for k, v in load_file(start / WEIGHTS).items() if not k.startswith("atlas.")}
    cut, held = (stacks(score for score, _ in part) for part in (train, valid))
    trainer = Trainer(folder, VaeTask(spec, options, cut, held), options, weights)
    trainer.run(tell)
    save_vae(folder, trainer, train, style_statistics(train), name)
    counts = {f"{n}_bars": len(s.grid) for n, s in cut.items()}
    return TrainedFamily(train_report(trainer), trainer.state["history"], {"passages": counts})


def _encode(engine: VaeRuntime, some: Sequence[Any]) -> Any:
    grid = np.stack([p.grid for p in some])
    return engine.encode(grid, np.array([METRES.index(p.metre) for p in some]))[0]
