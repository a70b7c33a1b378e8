"""What trains in torch: the part that all families share, and the Transformer; composing runs the same weights in ONNX Runtime.

Pre-norm decoder (RMSNorm, rotary positions (Su et al. 2021), squared ReLU (So et al. 2021)) with
tied embeddings, whose input is the sum of the token's embedding and of the musical positions of
the token to come: place in the bar, voice, bar, bars left, and what each voice sounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.generation.network_spec import Spec
from troubadour.models.dataset import Batch
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.tokens.copies import LEVELS, READINGS, columns

_SCALE: Final = 0.02
"""Standard deviation of fresh embeddings and matrices (GPT-2)."""


class EventNetwork(nn.Module, ABC):
    """What the families share: embeddings, the output matrix tied to them, and how they are scored."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.precision = "auto"
        self.token = nn.Embedding(spec.tokens, spec.width)
        self.feature = nn.ModuleList(nn.Embedding(n, spec.width) for n in spec.told)
        self.norm = Norm(spec.width)
        for i, table in enumerate((self.token, *self.feature)):
            # What is foretold starts out as nothing: a network that knew no copies goes on as it was.
            nn.init.normal_(table.weight, std=_SCALE if i <= len(spec.features) else 0.0)
        if spec.copies:
            self.lift = nn.Linear(spec.width, READINGS * LEVELS, bias=False)
            nn.init.zeros_(self.lift.weight)

    @abstractmethod
    def hidden(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The normed stream before the output matrix, (batch, time, width)."""

    def embedded(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The sum of the embeddings of tokens and positions, (batch, time, width)."""
        x: Tensor = self.token(tokens)
        for i, table in enumerate(self.feature):
            x = x + table(features[..., i])
        return F.dropout(x, self.spec.dropout, self.training)

    def forward(self, tokens: Tensor, features: Tensor) -> Tensor:
        """tokens: (batch, time); features: (batch, time, told) -> (batch, time, tokens)."""
        return self.logits(self.hidden(tokens, features), features)

    def told(self, batch: Batch) -> Tensor:
        """What the network is told of each place of the inputs, (batch, time, told), as `Spec.told` lists it."""
        features = batch.features
        if self.spec.copies:
            features = np.concatenate([features, columns(batch.tokens[:, :-1], features)], axis=-1)
        return torch.from_numpy(features)

    def logits(self, hidden: Tensor, features: Tensor) -> Tensor:
        """(..., width) and what is told of these places, (..., told) -> (..., tokens)."""
        logits = hidden @ self.token.weight.T
        if not self.spec.copies:
            return logits
        copies = features[..., len(self.spec.features) :]
        foretold, levels = copies[..., ::2], copies[..., 1::2]
        lifts = self.lift(hidden).unflatten(-1, (READINGS, LEVELS))
        chosen = lifts.gather(-1, levels[..., None])[..., 0] * (levels > 0)
        return logits.scatter_add(-1, foretold, chosen.to(logits.dtype))

    def objective(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What training makes small, summed over targets (here nats), and the number of targets."""
        tokens = torch.from_numpy(batch.tokens)
        weight = torch.from_numpy(batch.weight)
        with autocast(self.precision):
            features = self.told(batch)
            hidden = self.hidden(tokens[:, :-1], features)
            # Only counted places go through the output matrix: a tenth of the time of a small model.
            chosen = weight > 0
            logits = self.logits(hidden[chosen], features[chosen])
        return F.cross_entropy(logits.float(), tokens[:, 1:][chosen], reduction="sum"), weight.sum()

    def nats(self, batch: Batch) -> list[tuple[float, float]]:
        """Cross-entropy of each row in nats, summed over its targets, and the number of these."""
        tokens = torch.from_numpy(batch.tokens)
        weight = torch.from_numpy(batch.weight)
        with autocast(self.precision):
            logits = self(tokens[:, :-1], self.told(batch))
        each = F.cross_entropy(logits.float().transpose(1, 2), tokens[:, 1:], reduction="none") * weight
        return list(zip(each.sum(1).tolist(), weight.sum(1).tolist(), strict=True))


def autocast(precision: str = "auto") -> torch.autocast:
    """Autocast on the CPU to the number type of `TrainOptions.precision`.

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


class TransformerLayer(nn.Module):
    """One pre-norm block: causal self-attention, then the feed-forward net."""

    def __init__(self, spec: TransformerSpec) -> None:
        super().__init__()
        self.heads, self.dropout = spec.heads, spec.dropout
        self.attention_norm = Norm(spec.width)
        self.qkv = nn.Linear(spec.width, 3 * spec.width, bias=False)
        self.out = nn.Linear(spec.width, spec.width, bias=False)
        self.feed_norm = Norm(spec.width)
        self.up = nn.Linear(spec.width, spec.hidden, bias=False)
        self.down = nn.Linear(spec.hidden, spec.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x: (batch, time, width); cos, sin: (time, head / 2)."""
        batch, time, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, time, 3, self.heads, -1).transpose(1, 3)
        q, k, v = rotate(qkv[:, :, 0], cos, sin), rotate(qkv[:, :, 1], cos, sin), qkv[:, :, 2]
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.0)
        y = y.transpose(1, 2).reshape(batch, time, width)
        x = x + F.dropout(self.out(y), dropout, self.training)
        y = F.relu(self.up(self.feed_norm(x))).square()
        return x + F.dropout(self.down(y), dropout, self.training)


class TransformerNetwork(EventNetwork):
    """Logits of the next token from tokens and their musical positions."""

    def __init__(self, spec: TransformerSpec) -> None:
        super().__init__(spec)
        self.layer = nn.ModuleList(TransformerLayer(spec) for _ in range(spec.layers))
        self.cos: Tensor
        self.sin: Tensor
        cos, sin = rotary_tables(spec.context, spec.head, spec.rotary_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, parameter in self.layer.named_parameters():
            if parameter.dim() == 2:
                # Residual outputs start small, so that depth does not blow up the stream (GPT-2).
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=_SCALE / (2 * spec.layers) ** 0.5 if residual else _SCALE)

    def hidden(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The normed stream before the output matrix, (batch, time, width)."""
        x = self.embedded(tokens, features)
        time = tokens.shape[1]
        for layer in self.layer:
            x = layer(x, self.cos[:time], self.sin[:time])
        normed: Tensor = self.norm(x)
        return normed


def rotary_tables(context: int, head: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, each (context, head / 2)."""
    frequency = base ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.arange(context, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float(), angle.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding in halves, as ONNX Runtime's non-interleaved form has it."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
