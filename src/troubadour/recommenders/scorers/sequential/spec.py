"""Hyperparameters of the sequential recommender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from troubadour.core.errors import InputError
from troubadour.recommenders.base import Search, check_range


@dataclass(frozen=True, slots=True)
class SequentialSpec:
    """Architecture and training options."""

    width: int = 64
    """Width of the network, a multiple of `heads`, 8 to 1,024."""
    layers: int = 2
    """Number of layers, 1 to 24."""
    heads: int = 2
    """Number of attention heads, 1 to 16."""
    context: int = 50
    """Context length: number of latest history items plus one, 2 to 2,048."""
    dropout: float = 0.4
    """Dropout rate, 0 to 0.9."""
    epochs: int = 40
    """Passes over the histories, 1 to 10,000; `training.choose_epochs` finds the number on validation
    data."""
    batch: int = 64
    """Sequences per step, 1 to 4,096."""
    rate: float = 1e-3
    """Learning rate of AdamW, above 0 to 1."""
    weight_decay: float = 0.1
    """Weight decay of AdamW, 0 to 10."""
    smoothing: float = 0.0
    """Label smoothing, 0 to 0.5."""
    sound: bool = True
    """Whether item embeddings include a projection of the item vectors."""
    full_items: int = 20_000
    """Largest catalogue for the full softmax; larger catalogues use sampled items."""
    sample: int = 4096
    """Number of sampled items, 1 to 1,000,000."""
    seed: int = 0
    """Random seed, 0 to 2^32 - 1."""
    memory_bytes: int = 4 * 2**30
    """Memory limit of the fit, bytes; larger catalogues raise `InputError`."""

    def __post_init__(self) -> None:
        check_range("width", self.width, 8, 1024)
        check_range("layers", self.layers, 1, 24)
        check_range("heads", self.heads, 1, 16)
        check_range("context", self.context, 2, 2048)
        check_range("dropout", self.dropout, 0, 0.9)
        check_range("epochs", self.epochs, 1, 10_000)
        check_range("batch", self.batch, 1, 4096)
        check_range("rate", self.rate, 0, 1, above=True)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("smoothing", self.smoothing, 0, 0.5)
        check_range("full_items", self.full_items, 0, float("inf"))
        check_range("sample", self.sample, 1, 1_000_000)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))
        if self.width % self.heads:
            raise InputError(f"width is {self.width}; allowed: a multiple of heads ({self.heads})")


SEARCH: Final[Search] = {
    "dropout": (0.2, 0.6, False),
    "weight_decay": (0.01, 1.0, True),
    "epochs": (10, 100, True),
}
