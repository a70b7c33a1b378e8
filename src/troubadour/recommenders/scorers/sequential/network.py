"""The network of the sequential recommender in torch, for training; `runtime.py` runs the same weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Rotary, Style, TransformerBlock
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec

_STYLE = Style(nn.LayerNorm, F.relu, bias=True)
"""The blocks of SASRec (Kang & McAuley 2018)."""


class SequentialNetwork(nn.Module):
    """A causal Transformer over items; logits are inner products with the same item vectors.

    An item's vector is its own vector plus a linear map of its sound features, so that items with few
    plays take over from items that sound alike. Attention knows the order by distance alone (a learnt bias
    for each head and distance): a window may be cut from a history at any place.

    Args:
        n_items: number of items; row `n_items` of the table stands for the start of a sequence.
        features: one row an item, shape (n_items, d); d may be 0.
    """

    def __init__(self, spec: SequentialSpec, n_items: int, features: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("features", features, persistent=False)
        self.items = nn.Parameter(torch.randn(n_items + 1, spec.width) * 0.02)
        self.sound = nn.Parameter(torch.zeros(features.shape[1], spec.width))
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.layers = nn.ModuleList(SequentialLayer(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.width)
        self.dropout = nn.Dropout(spec.dropout)

    def table(self) -> Tensor:
        """The vectors of all items and of the start, shape (n_items + 1, width)."""
        mapped = self.get_buffer("features") @ self.sound
        return self.items + F.pad(mapped, (0, 0, 0, 1))

    def forward(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Last hidden states, shape (batch, time, width), of tokens of shape (batch, time)."""
        x = self.dropout(F.embedding(tokens, table) * self.spec.width**0.5)
        for layer in self.layers:
            x = layer(x)
        hidden: Tensor = self.norm(x)
        return hidden


class SequentialLayer(TransformerBlock):
    """A causal block whose attention has a learnt bias for each head and distance."""

    def __init__(self, spec: SequentialSpec) -> None:
        super().__init__(spec.width, spec.heads, 2 * spec.width, spec.dropout, causal=True, style=_STYLE)
        self.distance = nn.Parameter(torch.zeros(spec.heads, spec.context))
        for linear in (self.out, self.down):
            nn.init.normal_(linear.weight, std=0.02 / spec.layers**0.5)

    def forward(self, x: Tensor, rotary: Rotary | None = None, bias: Tensor | None = None) -> Tensor:
        """The stream after the block, (batch, time, width)."""
        return super().forward(x, rotary, self.distances(x.shape[1]) if bias is None else bias)

    def distances(self, time: int) -> Tensor:
        """The biases of the scores, (heads, time, time); minus infinity for later places."""
        place = torch.arange(time)
        gap = place[:, None] - place
        return self.distance[:, gap.clamp(min=0)].masked_fill(gap < 0, float("-inf"))
