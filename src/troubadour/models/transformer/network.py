"""The Transformer in torch, for training.

Decoder-only (Vaswani et al. 2017): pre-norm blocks with RMSNorm, rotary positions (Su et al. 2021) and
squared ReLU (So et al. 2021).
"""

from __future__ import annotations

from torch import Tensor, nn

from troubadour.core.networks.blocks import TransformerBlock, rotary_tables
from troubadour.models.event_network import SCALE, EventNetwork
from troubadour.models.transformer.spec import TransformerSpec


class TransformerNetwork(EventNetwork):
    """Logits of the next token from tokens and their musical positions."""

    def __init__(self, spec: TransformerSpec) -> None:
        super().__init__(spec)
        self.layer = nn.ModuleList(
            TransformerBlock(spec.width, spec.heads, spec.hidden, spec.dropout, causal=True)
            for _ in range(spec.layers)
        )
        self.cos: Tensor
        self.sin: Tensor
        cos, sin = rotary_tables(spec.context, spec.head, spec.rotary_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, parameter in self.layer.named_parameters():
            if parameter.dim() == 2:
                # Residual outputs start small, so that depth does not blow up the stream (GPT-2).
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=SCALE / (2 * spec.layers) ** 0.5 if residual else SCALE)

    def hidden(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The normalised stream before the output matrix, (batch, time, width)."""
        x = self.embedded(tokens, features)
        time = tokens.shape[1]
        rotary = self.cos[:time], self.sin[:time]
        for layer in self.layer:
            x = layer(x, rotary)
        normed: Tensor = self.norm(x)
        return normed
