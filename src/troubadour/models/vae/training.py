"""Train the VAE with the trainer of all composers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from troubadour.generation.loading import WEIGHTS
from troubadour.generation.style_statistics import StyleStatistics, profiles
from troubadour.models.families import Styled, TrainedFamily
from troubadour.models.options import TrainOptions
from troubadour.models.trainer import Run
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.dataset import Stack, VaeBatch, batches, free_nats, stacks
from troubadour.models.vae.latent_map import latent_map_of, normalised
from troubadour.models.vae.network import VaeNetwork
from troubadour.models.vae.passages import LENGTHS, METRES, STEPS, passages
from troubadour.models.vae.runtime import VaeRuntime
from troubadour.models.vae.space import Space
from troubadour.models.vae.spec import VaeSpec
from troubadour.music.score import Score

_VALIDATED = 1000
"""Passages of each length that an evaluation takes, evenly spread."""
_CHUNK = 64


class VaeRun(Run):
    """A training run of a VAE; training and validation data are stacks of passages by length."""

    def kind(self) -> str:
        """Name of the family."""
        return VaeComposer.kind

    def build(self) -> VaeNetwork:
        """A fresh network."""
        return VaeNetwork(self.spec)

    def batches(self, train: Mapping[int, Stack]) -> Iterator[VaeBatch]:
        """See `Run.batches`."""
        options, spec = self.options, self.spec
        bars = max(1, options.tokens_a_step // STEPS)
        return batches(train, options.seed, bars, spec.kl_weight, spec.annealing, self.state["step"])

    def slice(self, train: Mapping[int, Stack], valid: Mapping[int, Stack]) -> Mapping[int, Stack]:
        """See `Run.slice`: passages spread evenly over the training pieces."""
        found = {}
        for bars, (grid, metre) in train.items():
            size = len(valid[bars].grid) if bars in valid else _VALIDATED
            rows = np.unique(np.linspace(0, len(grid) - 1, size).astype(np.int64))
            found[bars] = Stack(grid[rows], metre[rows])
        return found

    def validate(self, network: VaeNetwork, valid: Mapping[int, Stack]) -> tuple[dict[str, float], float]:
        """Reconstruction nats a step, with the weighted KL above the free bits, by length and their mean."""
        found: dict[str, float] = {}
        for bars, (grid, metre) in valid.items():
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

    def judge(self, network: VaeNetwork, valid: Mapping[int, Stack]) -> tuple[dict[str, float], float]:
        """See `Run.judge`: as `validate`."""
        return self.validate(network, valid)


def save_vae(
    folder: Path,
    run: VaeRun,
    pieces: Sequence[tuple[Score, str]],
    profiles: Mapping[str, StyleStatistics],
    name: str,
) -> VaeComposer:
    """Write the best averaged weights as a composer, with the atlas of the training pieces (score, style)."""
    weights: dict[str, Any] = {
        k: v.to(torch.float16).numpy() for k, v in load_file(run.folder / "best.safetensors").items()
    }
    engine = VaeRuntime(run.spec, weights)
    found = [
        (normalised(p), style) for score, style in pieces for p in passages(score, LENGTHS[-1], stride=8)
    ]
    latents = np.concatenate(
        [_encode(engine, [p for p, _ in found[i : i + _CHUNK]]) for i in range(0, len(found), _CHUNK)]
    )
    atlas = latent_map_of(latents, [p for p, _ in found], [s for _, s in found])
    composer = VaeComposer(run.spec, weights, profiles, atlas, name)
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
    run = VaeRun(folder, spec, options, weights)
    report = run.go(cut, held, tell)
    save_vae(folder, run, train, profiles(train), name)
    counts = {f"{n}_bars": len(s.grid) for n, s in cut.items()}
    return TrainedFamily(report, run.state["history"], {"passages": counts})


def _encode(engine: VaeRuntime, some: Sequence[Any]) -> Any:
    grid = np.stack([p.grid for p in some])
    return engine.encode(grid, np.array([METRES.index(p.metre) for p in some]))[0]


__all__ = ["Space", "VaeRun", "save_vae", "train_vae"]
