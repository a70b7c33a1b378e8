"""Cores of the networks over frames in torch, Transformer and LSTM: what each frame makes of those before it."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from .spec import FrameSpec

Memory: TypeAlias = tuple[Tensor, ...]
CoreMemory: TypeAlias = list[Memory]
"""What a core keeps of the frames that it has read, by layer; an LSTM's layers are in one."""
_REACH = 6
"""How far the short convolution hears: one, two and three frames back, one after the other."""


class BackboneLayer(nn.Module):
    """Pre-norm residual feed-forward net with squared ReLU."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        self.dropout = dropout
        nn.init.normal_(self.down.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width)."""
        y = self.down(F.relu(self.up(self.norm(x))).square())
        return x + F.dropout(y, self.dropout, self.training)


class Attention(nn.Module):
    """Pre-norm causal self-attention with rotary positions, on a short causal convolution."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        width = spec.width
        self.heads, self.dropout = spec.heads, spec.dropout
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.shifts = nn.Parameter(torch.zeros(3, width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = nn.RMSNorm(width // spec.heads, eps=1e-6)
        self.key_norm = nn.RMSNorm(width // spec.heads, eps=1e-6)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, past: Memory | None = None
    ) -> tuple[Tensor, Memory]:
        """x: (batch, time, width); cos, sin: (time, head / 2); one frame alone, if there is a past."""
        batch, time, width = x.shape
        normed = self.norm(x)
        line = filtered = torch.cat([past[0], normed], 1) if past else normed
        for back, weight in enumerate(self.shifts, 1):
            filtered = filtered + F.pad(filtered, (0, 0, back, 0))[:, : filtered.shape[1]] * weight
        y = filtered[:, -time:]
        qkv = self.qkv(y).view(batch, time, 3, self.heads, -1).transpose(1, 3)
        q = rotate(self.query_norm(qkv[:, :, 0]), cos, sin)
        k, v = rotate(self.key_norm(qkv[:, :, 1]), cos, sin), qkv[:, :, 2]
        if past:
            k, v = torch.cat([past[1], k], 2), torch.cat([past[2], v], 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        y = self.out(y.transpose(1, 2).reshape(batch, time, width))
        return x + F.dropout(y, self.dropout, self.training), (line[:, -_REACH:], k, v)


class TransformerCore(nn.Module):
    """Decoder over frames."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.attention = nn.ModuleList(Attention(spec) for _ in range(spec.layers))
        self.step = nn.ModuleList(
            BackboneLayer(spec.width, spec.hidden, spec.dropout) for _ in range(spec.layers)
        )
        self.norm = nn.RMSNorm(spec.width, eps=1e-6)
        head = spec.width // spec.heads
        frequency = spec.rotary_base ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
        angle = torch.arange(spec.context, dtype=torch.float64)[:, None] * frequency
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        return self.go_on(x, None)[0]

    def go_on(self, x: Tensor, past: CoreMemory | None) -> tuple[Tensor, CoreMemory]:
        """The same, from where `past` ends: (batch, 1, width), or all of a beginning where there is none."""
        start = past[0][1].shape[2] if past else 0
        cos, sin = (table[start : start + x.shape[1]] for table in (self.cos, self.sin))
        kept = []
        for i, (attention, feed) in enumerate(zip(self.attention, self.step, strict=True)):
            x, memory = attention(x, cos, sin, past[i] if past else None)
            x = feed(x)
            kept.append(memory)
        return self.norm(x), kept


class LstmCore(nn.Module):
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

    def go_on(self, x: Tensor, past: CoreMemory | None) -> tuple[Tensor, CoreMemory]:
        """The same, from where `past` ends."""
        y, memory = self.lstm(x, past[0] if past else None)
        y = self.out(F.dropout(y, self.dropout, self.training))
        return F.rms_norm(x + y, (x.shape[-1],), eps=1e-6), [memory]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021), in halves."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
