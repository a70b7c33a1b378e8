"""Contrastive training of the audio encoder, without labels.

NT-Xent loss (Chen et al., 2020) over pairs of excerpts: two excerpts of one piece are positives, all
others in the batch negatives. Excerpts are augmented in time, level and spectral tilt, which makes the
embedding independent of the notes and of the microphone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from troubadour.core.errors import InputError
from troubadour.core.networks.options import TrainerOptions
from troubadour.core.networks.trainer import Trainer
from troubadour.core.progress import Progress
from troubadour.similarity.encoder import KERNEL, STRIDE, WIDTH, SoundEncoder

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Training options."""

    steps: int = 1500
    batch: int = 64
    """Pieces per step; each is compared with all others of the batch."""
    crop_frames: int = 160
    """Length of an excerpt in frames: 160 = 3.7 s."""
    channels: int = 64
    """Of each convolution."""
    temperature: float = 0.1
    """Divisor of the cosines in the loss, above 0."""
    rate: float = 2e-3
    """Learning rate of AdamW; falls linearly over the run."""
    tilt: float = 0.1
    """Standard deviation of a random offset of each coefficient's mean, in units of that coefficient's deviation."""
    seed: int = 0


def train_encoder(
    pieces: Sequence[Floats],
    options: EncoderOptions,
    notes: dict[str, Any],
    progress: Progress | None = None,
) -> SoundEncoder:
    """Train an encoder on the MFCCs of many pieces; about a minute for 1,500 steps on one core.

    Args:
        pieces: MFCCs, each of shape (n_frames, 20).
        options: training options.
        notes: training data and settings, stored with the encoder.
        progress: callback, called every 100 steps.

    Raises:
        InputError: fewer than two pieces are longer than an excerpt.
    """
    usable = [p for p in pieces if len(p) > options.crop_frames]
    if len(usable) < 2:
        raise InputError(
            f"{len(usable)} pieces of over {options.crop_frames} frames; at least 2 are needed. Give longer "
            "recordings, or a smaller crop_frames"
        )
    task = SoundTask(usable, options)
    trainer = Trainer(
        None,
        task,
        TrainerOptions(
            steps=options.steps,
            learning_rate=options.rate,
            muon_lr=None,
            warmup=1,
            cooldown=1.0,
            weight_decay=1e-3,
            ema_decay=0.0,
            seed=options.seed,
            evaluate_every=options.steps,
        ),
    )

    def every_hundred(step: int, _: float) -> None:
        if progress and step % 100 == 0:
            progress("train", step, options.steps)

    trainer.run(every_hundred)
    net = trainer.network_of(trainer.best)
    weights = _weights(net, task.mean, task.scale)
    return SoundEncoder(_name(net), weights, {**notes, "options": asdict(options)})


class SoundTask:
    """NT-Xent over pairs of excerpts, in nats; there is no validation.

    Args:
        pieces: MFCCs of pieces longer than an excerpt, each (n_frames, n_coefficients).
    """

    kind = "sound"

    def __init__(self, pieces: Sequence[Floats], options: EncoderOptions) -> None:
        self.spec, self._pieces = options, pieces
        stacked = np.concatenate(pieces)
        self.mean, self.scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-3

    def network(self) -> _Net:
        """See `TrainingTask.network`."""
        return _Net(self._pieces[0].shape[1], self.spec.channels)

    def batches(self, first: int) -> Iterator[torch.Tensor]:
        """Excerpts (2 * batch, crop_frames, coefficients); rows i and i + batch are of one piece."""
        options, pieces = self.spec, self._pieces
        batch = min(options.batch, len(pieces))
        while True:
            rng = np.random.default_rng([options.seed, first])
            chosen = rng.choice(len(pieces), batch, replace=False)
            crops = [_crop(pieces[i], options, rng) for i in (*chosen, *chosen)]
            tilt = rng.normal(size=(2 * batch, 1, crops[0].shape[1])).astype(np.float32)
            yield torch.from_numpy((np.stack(crops) - self.mean) / self.scale + options.tilt * tilt)
            first += 1

    def loss(self, network: _Net, batch: torch.Tensor) -> tuple[torch.Tensor, int]:
        """See `TrainingTask.loss`."""
        out = functional.normalize(network(batch), dim=1)
        near = out @ out.T / self.spec.temperature
        near.fill_diagonal_(-1e9)
        target = torch.arange(len(batch)).roll(len(batch) // 2)
        return functional.cross_entropy(near, target, reduction="sum"), len(batch)

    def validate(self, network: _Net) -> None:
        """See `TrainingTask.validate`."""


class _Net(nn.Module):
    def __init__(self, coefficients: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(coefficients, channels, KERNEL, STRIDE)
        self.second = nn.Conv1d(channels, channels, KERNEL, STRIDE)
        self.out = nn.Linear(2 * channels, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings of shape (b, WIDTH) from MFCCs of shape (b, frames, coefficients)."""
        hidden = functional.relu(self.second(functional.relu(self.first(x.transpose(1, 2)))))
        deviation = torch.sqrt(hidden.var(dim=2, unbiased=False) + 1e-6)
        return self.out(torch.cat([hidden.mean(dim=2), deviation], dim=1))


def _crop(frames: Floats, options: EncoderOptions, rng: np.random.Generator) -> Floats:
    start = int(rng.integers(len(frames) - options.crop_frames))
    part = frames[start : start + options.crop_frames].copy()
    part[:, 0] += rng.normal() * 20.0  # coefficient 0 is the level
    return part


def _weights(net: _Net, mean: Floats, scale: Floats) -> dict[str, Floats]:
    found = {
        "mean": mean, "scale": scale,
        "first": net.first.weight, "first_bias": net.first.bias,
        "second": net.second.weight, "second_bias": net.second.bias,
        "out": net.out.weight.T, "out_bias": net.out.bias,
    }  # fmt: skip
    return {
        name: np.ascontiguousarray(
            value.detach().numpy() if isinstance(value, torch.Tensor) else value, dtype=np.float32
        )
        for name, value in found.items()
    }


def _name(net: _Net) -> str:
    import hashlib

    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.numpy().tobytes())
    return f"sound-{digest.hexdigest()[:12]}"
