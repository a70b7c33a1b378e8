"""Options of a composer's training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from troubadour.core.errors import InputError
from troubadour.core.networks.options import TrainerOptions
from troubadour.models.objectives import ONLY_NEXT, check

PRECISIONS: Final = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class TrainOptions(TrainerOptions):
    """Schedule, optimiser and batches of a composer's run."""

    batch_tokens: int = 4096
    """Tokens of a batch, about."""
    context: int = 1024
    """Longest training sequence in tokens; longer pieces are cut."""
    cond_keep_prob: float = 0.75
    """Probability that a field of the prefix is kept, 0 to 1."""
    objectives: Mapping[str, float] = field(default_factory=lambda: dict(ONLY_NEXT))
    """Share of each objective, by its name in `objectives`."""

    precision: str = "auto"
    """Number type of activations: "float32", "bfloat16", or "auto" (bfloat16 where the processor has AVX-512).
    Weights and the optimiser's state are always float32; so are the chorale networks of the benchmarks."""

    def __post_init__(self) -> None:
        TrainerOptions.__post_init__(self)
        check(self.objectives)
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}; allowed: {', '.join(PRECISIONS)}")
        if not 0 <= self.cond_keep_prob <= 1:
            raise InputError(f"cond_keep_prob is {self.cond_keep_prob}; allowed: 0 to 1")
