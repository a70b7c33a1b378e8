"""Building blocks of the networks in torch, for training: normalisation, attention, feed-forward.

Attention and feed-forward register their weights under flat names (`qkv`, `out`, `up`, `down`), by which
trained weights are stored. The order in which weights are made is fixed: a seed gives the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

Rotary: TypeAlias = tuple[Tensor, Tensor]
"""Cosines and sines of the rotary angles, each (time, head / 2)."""


def autocast(precision: str = "auto") -> torch.autocast:
    """Autocast on the CPU to a number type of `TrainOptions.precision`.

    With AVX-512 bfloat16 is 1.5 times as quick; without, it is emulated and takes ten times as long.
    """
    able = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(
        "cpu", torch.bfloat16, enabled=able if precision == "auto" else precision == "bfloat16"
    )


class Norm(nn.RMSNorm):
    """RMSNorm (Zhang & Sennrich 2019) in the number type of its input.

    Autocast leaves the gains in float32. torch has a fused kernel only where gains and input are of
    one type; otherwise it warns and takes a slower path.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width)."""
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0) squared (So et al. 2021)."""
    return F.relu(x).square()


@dataclass(frozen=True, slots=True)
class Style:
    """Variants of the blocks."""

    norm: Callable[[int], nn.Module] = Norm
    activation: Callable[[Tensor], Tensor] = squared_relu
    bias: bool = False
    """Whether the feed-forward layers have biases."""


DEFAULT: Style = Style()


class SelfAttention(nn.Module):
    """Pre-norm residual self-attention with several heads (Vaswani et al. 2017).

    Args:
        width: width of the stream, a multiple of `heads`.
        causal: whether a place attends only to itself and to earlier places.
    """

    def __init__(
        self, width: int, heads: int, dropout: float, *, causal: bool, style: Style = DEFAULT
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.add_attention(width, heads, causal, style)

    def add_attention(self, width: int, heads: int, causal: bool, style: Style) -> None:
        """Register the weights."""
        self.heads, self.causal = heads, causal
        self.attention_norm = style.norm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, rotary: Rotary | None = None, bias: Tensor | None = None) -> Tensor:
        """See `attend`."""
        return self.attend(x, rotary, bias)

    def attend(self, x: Tensor, rotary: Rotary | None = None, bias: Tensor | None = None) -> Tensor:
        """The stream after attention, (batch, time, width).

        Args:
            x: (batch, time, width).
            rotary: angles of the places; without them attention knows no order.
            bias: added to the scores, (heads, time, time); replaces the causal mask.
        """
        query, key, value = self.heads_of(self.attention_norm(x), rotary)
        return x + self.merged(query, key, value, self.causal and bias is None, bias)

    def heads_of(self, y: Tensor, rotary: Rotary | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, time, head), of y: (batch, time, width)."""
        batch, time, _ = y.shape
        qkv = self.qkv(y).view(batch, time, 3, self.heads, -1).transpose(1, 3)
        query, key, value = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        if rotary is not None:
            query, key = rotate(query, *rotary), rotate(key, *rotary)
        return query, key, value

    def merged(
        self, query: Tensor, key: Tensor, value: Tensor, causal: bool, bias: Tensor | None = None
    ) -> Tensor:
        """What attention adds to the stream, (batch, time, width), from heads (batch, heads, time, head)."""
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=causal)
        y = self.out(y.transpose(1, 2).flatten(2))
        return F.dropout(y, self.dropout, self.training)


class FeedForward(nn.Module):
    """Pre-norm residual feed-forward net with one hidden layer.

    Args:
        width: width of the stream.
        hidden: width of the hidden layer.
    """

    def __init__(self, width: int, hidden: int, dropout: float, style: Style = DEFAULT) -> None:
        super().__init__()
        self.dropout = dropout
        self.add_feed_forward(width, hidden, style)

    def add_feed_forward(self, width: int, hidden: int, style: Style) -> None:
        """Register the weights."""
        self.activation = style.activation
        self.feed_norm = style.norm(width)
        self.up = nn.Linear(width, hidden, bias=style.bias)
        self.down = nn.Linear(hidden, width, bias=style.bias)

    def forward(self, x: Tensor) -> Tensor:
        """See `feed`."""
        return self.feed(x)

    def feed(self, x: Tensor) -> Tensor:
        """The stream after the feed-forward net; x: (..., width)."""
        y = self.down(self.activation(self.up(self.feed_norm(x))))
        return x + F.dropout(y, self.dropout, self.training)


class TransformerBlock(SelfAttention, FeedForward):
    """Self-attention, then the feed-forward net, under one name in the stored weights."""

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, *, causal: bool, style: Style = DEFAULT
    ) -> None:
        nn.Module.__init__(self)
        self.dropout = dropout
        self.add_attention(width, heads, causal, style)
        self.add_feed_forward(width, hidden, style)

    def forward(self, x: Tensor, rotary: Rotary | None = None, bias: Tensor | None = None) -> Tensor:
        """The stream after both, (batch, time, width); arguments as in `attend`."""
        return self.feed(self.attend(x, rotary, bias))


def rotary_tables(context: int, head: int, base: float) -> Rotary:
    """Cosines and sines of the rotary angles (Su et al. 2021), each (context, head / 2)."""
    frequency = base ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.arange(context, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float(), angle.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions in halves, as ONNX Runtime's non-interleaved form has them; x: (..., time, head)."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
