"""Train the VAE with the trainer of all composers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from troubadour.generation.style_statistics import StyleStatistics
from troubadour.models.trainer import Run
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.dataset import Stack, VaeBatch, batches, free_nats
from troubadour.models.vae.latent_map import latent_map_of, normalised
from troubadour.models.vae.network import VaeNetwork
from troubadour.models.vae.passages import LENGTHS, METRES, STEPS, passages
from troubadour.models.vae.runtime import VaeRuntime
from troubadour.models.vae.space import Space
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


def _encode(engine: VaeRuntime, some: Sequence[Any]) -> Any:
    grid = np.stack([p.grid for p in some])
    return engine.encode(grid, np.array([METRES.index(p.metre) for p in some]))[0]


__all__ = ["Space", "VaeRun", "save_vae"]
