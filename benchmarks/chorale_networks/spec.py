"""Shape of a network over frames."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Shape of a frame network."""

    core: str = "transformer"
    """`transformer` or `lstm`."""
    width: int = 192
    layers: int = 5
    heads: int = 6
    hidden: int = 768
    reader_width: int = 192
    reader_layers: int = 2
    reader_hidden: int = 512
    reader_rank: int = 0
    """Rank of the decoder's feature table (Lan et al. 2020); 0 = the decoder's width."""
    dropout: float = 0.4
    feature_dropout: float = 0.15
    """Share of the input features dropped in training."""
    order: tuple[int, ...] = (0, 1, 2, 3)
    """Order of the voices of a frame."""
    rotary_base: float = 1000.0
    context: int = 1024
