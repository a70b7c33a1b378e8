"""The network of the sequential recommender, for training; serving builds the same in ONNX Runtime."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.recommenders.scorers.sequential.spec import SequentialSpec


class SequentialNetwork(nn.Module):
    """A causal Transformer over items, its output compared with the same item vectors.

    An item's vector is its own plus a linear map of what it sounds like, so that rarely heard items
    borrow from those that sound alike. Attention knows order by distance alone (a learnt bias for
    each head and distance), which is all that a window cut anywhere from a history can tell.

    Args:
        n_items: the start of a sequence is item `n_items`.
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


class SequentialLayer(nn.Module):
    """Attention, then two matrices with ReLU between, each after a norm and beside a bypass."""

    def __init__(self, spec: SequentialSpec) -> None:
        super().__init__()
        self.heads, width = spec.heads, spec.width
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.distance = nn.Parameter(torch.zeros(spec.heads, spec.context))
        self.dropout = nn.Dropout(spec.dropout)
        for linear in (self.out, self.down):
            nn.init.normal_(linear.weight, std=0.02 / spec.layers**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """One layer, shapes (batch, time, width)."""
        batch, time, width = x.shape
        packed = self.qkv(self.attention_norm(x)).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        place = torch.arange(time)
        gap = place[:, None] - place
        bias = self.distance[:, gap.clamp(min=0)].masked_fill(gap < 0, float("-inf"))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, time, width)))
        return x + self.dropout(self.down(F.relu(self.up(self.feed_norm(x)))))
