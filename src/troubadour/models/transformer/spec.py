"""Shape of the Transformer."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.core.errors import ModelError
from troubadour.generation.network_spec import Spec


@dataclass(frozen=True, slots=True)
class TransformerSpec(Spec):
    """Shape of a decoder-only Transformer; its width is a multiple of `head`."""

    head: int = 64
    """Width of one attention head."""
    hidden: int = 1024
    """Width of the feed-forward layers."""
    rotary_base: float = 10_000.0

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        if self.width % self.head:
            raise ModelError(f"width {self.width} must be a multiple of head {self.head}")

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head
