"""How a training run trains. Apart from the trainer, so that reading a recipe needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from troubadour.core.errors import InputError
from troubadour.models.objectives import ONLY_NEXT, check

PRECISIONS: Final = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a run trains."""

    steps: int = 12_000
    """Optimiser steps in all. The constant phase does not depend on it, so it may be changed
    before the decay starts."""
    tokens_a_step: int = 4096
    learning_rate: float = 2e-3
    """Of embeddings and gains (AdamW)."""
    matrix_rate: float = 2e-3
    """Of the hidden layers' matrices (Muon, scaled to AdamW's step)."""
    warmup: int = 200
    decay: float = 0.25
    """Share of the steps, at the end, over which the rate falls to zero."""
    weight_decay: float = 0.1
    average: float = 0.998
    """Decay of the running average of the weights, which is what ships."""
    context: int = 1024
    """Longest training sequence in tokens; longer pieces are cut."""
    keep: float = 0.75
    """Chance that each field of the prefix is told."""
    seed: int = 1
    evaluate_every: int = 500
    checkpoint_every: int = 100
    patience: int = 0
    """Evaluations without a better validation loss after which to stop; 0 = never."""
    objectives: Mapping[str, float] = field(default_factory=lambda: dict(ONLY_NEXT))
    """Share of each objective, by its name in `objectives`."""

    precision: str = "auto"
    """Number type of activations: "float32", "bfloat16", or "auto" (bfloat16 where the processor has AVX-512).
    Weights and the optimiser's state are always float32; so are networks over frames."""

    def __post_init__(self) -> None:
        check(self.objectives)
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}; allowed: {', '.join(PRECISIONS)}")
