"""Backbones of the chorale networks in torch, Transformer and LSTM: hidden states of frames, from the frames before."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import FeedForward, Norm, Rotary, SelfAttention, rotary_tables, rotate

from .spec import FrameSpec

Memory: TypeAlias = tuple[Tensor, ...]
BackboneMemory: TypeAlias = list[Memory]
"""State after the frames read so far, by layer; all layers of an LSTM are in one."""
_REACH = 6
"""Frames that the short convolution looks back: one, two and three, one after the other."""


class SmallFeedForward(FeedForward):
    """The feed-forward block; its output starts small."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(width, hidden, dropout)
        nn.init.normal_(self.down.weight, std=0.01)


class ConvolvedAttention(SelfAttention):
    """Causal self-attention with rotary positions and normalised queries and keys, after a short causal convolution."""

    def __init__(self, spec: FrameSpec) -> None:
        width = spec.width
        super().__init__(width, spec.heads, spec.dropout, causal=True)
        self.shifts = nn.Parameter(torch.zeros(3, width))
        self.query_norm = Norm(width // spec.heads)
        self.key_norm = Norm(width // spec.heads)
        nn.init.normal_(self.out.weight, std=0.01)

    def go_on(self, x: Tensor, rotary: Rotary, past: Memory | None = None) -> tuple[Tensor, Memory]:
        """The stream after attention, and the memory for the next frame.

        Args:
            x: (batch, time, width); with a `past`, one frame.
            rotary: angles of these frames.
        """
        normed = self.attention_norm(x)
        line = filtered = torch.cat([past[0], normed], 1) if past else normed
        for back, weight in enumerate(self.shifts, 1):
            filtered = filtered + F.pad(filtered, (0, 0, back, 0))[:, : filtered.shape[1]] * weight
        query, key, value = self.heads_of(filtered[:, -x.shape[1] :], None)
        query, key = rotate(self.query_norm(query), *rotary), rotate(self.key_norm(key), *rotary)
        if past:
            key, value = torch.cat([past[1], key], 2), torch.cat([past[2], value], 2)
        y = self.merged(query, key, value, causal=past is None)
        return x + y, (line[:, -_REACH:], key, value)


class TransformerBackbone(nn.Module):
    """Decoder over frames."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.attention = nn.ModuleList(ConvolvedAttention(spec) for _ in range(spec.layers))
        self.feed = nn.ModuleList(
            SmallFeedForward(spec.width, spec.hidden, spec.dropout) for _ in range(spec.layers)
        )
        self.norm = Norm(spec.width)
        cos, sin = rotary_tables(spec.context, spec.width // spec.heads, spec.rotary_base)
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        return self.go_on(x, None)[0]

    def go_on(self, x: Tensor, past: BackboneMemory | None) -> tuple[Tensor, BackboneMemory]:
        """The same, from where `past` ends: (batch, 1, width), or all of a beginning where there is none."""
        start = past[0][1].shape[2] if past else 0
        cos, sin = (table[start : start + x.shape[1]] for table in (self.cos, self.sin))
        kept = []
        for i, (attention, feed) in enumerate(zip(self.attention, self.feed, strict=True)):
            x, memory = attention.go_on(x, (cos, sin), past[i] if past else None)
            x = feed(x)
            kept.append(memory)
        return self.norm(x), kept


class LstmBackbone(nn.Module):
    """Stacked LSTM (Hochreiter & Schmidhuber 1997) over frames."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            spec.width,
            spec.hidden,
            spec.layers,
            batch_first=True,
            dropout=spec.dropout if spec.layers > 1 else 0.0,
        )
        self.out = nn.Linear(spec.hidden, spec.width, bias=False)
        self.dropout = spec.dropout

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        return self.go_on(x, None)[0]

    def go_on(self, x: Tensor, past: BackboneMemory | None) -> tuple[Tensor, BackboneMemory]:
        """The same, from where `past` ends."""
        y, memory = self.lstm(x, past[0] if past else None)
        y = self.out(F.dropout(y, self.dropout, self.training))
        return F.rms_norm(x + y, (x.shape[-1],), eps=1e-6), [memory]
