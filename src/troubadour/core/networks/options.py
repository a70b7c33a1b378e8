"""Options of a training run. Apart from the trainer, so that reading a recipe needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.core.errors import InputError


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """Schedule and optimiser of a run."""

    steps: int = 12_000
    """Most optimiser steps in all. The constant phase does not depend on it, so it may be changed
    before the cooldown starts."""
    learning_rate: float = 2e-3
    """Of AdamW: embeddings and gains, or everything where `muon_lr` is None."""
    muon_lr: float | None = 2e-3
    """Of Muon: the hidden layers' matrices, scaled to AdamW's step. None = AdamW for everything."""
    warmup: int = 200
    """Steps over which the rate rises to its full value."""
    cooldown: float = 0.25
    """Share of the steps, at the end, over which the rate falls linearly to 2% of its full value, 0 to 1."""
    weight_decay: float = 0.1
    ema_decay: float = 0.998
    """Decay of the running average (EMA) of the weights, which is validated and kept; 0 = the weights
    themselves."""
    seed: int = 1
    evaluate_every: int = 500
    """Steps between validations; 0 = where the batches mark the end of a pass."""
    checkpoint_every: int = 100
    patience: int = 0
    """Validations without a lower loss after which the run stops; 0 = never."""

    def __post_init__(self) -> None:
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay}; allowed: 0 to below 1")
        if not 0 <= self.cooldown <= 1:
            raise InputError(f"cooldown is {self.cooldown}; allowed: 0 to 1")


def rate(step: int, options: TrainerOptions) -> float:
    """Share of the full learning rate at a step, above 0 to 1: warm-up, constant phase, linear cooldown."""
    cool_from = options.steps * (1.0 - options.cooldown)
    up = min(1.0, (step + 1) / options.warmup)
    down = 1.0 if step < cool_from else max(0.02, (options.steps - step) / (options.steps - cool_from))
    return up * down
