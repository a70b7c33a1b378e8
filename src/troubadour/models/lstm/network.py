"""The LSTM in torch, for training: residual layers over the same input as the Transformer's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Norm
from troubadour.models.event_network import EventNetwork
from troubadour.models.lstm.spec import LstmSpec


class LstmLayer(nn.Module):
    """One pre-norm residual LSTM layer."""

    def __init__(self, spec: LstmSpec) -> None:
        super().__init__()
        self.dropout = spec.dropout
        self.norm = Norm(spec.width)
        self.lstm = nn.LSTM(spec.width, spec.width, batch_first=True)
        # A forget gate that starts open lets the gradient reach far back (Gers et al. 2000).
        nn.init.ones_(dict(self.lstm.named_parameters())["bias_ih_l0"][spec.width : 2 * spec.width])

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        # oneDNN has no LSTM in bfloat16 on most machines.
        with torch.autocast("cpu", enabled=False):
            y, _ = self.lstm(self.norm(x.float()))
        return x + F.dropout(y, self.dropout, self.training)


class LstmNetwork(EventNetwork):
    """Logits of the next token from tokens and their musical positions."""

    def __init__(self, spec: LstmSpec) -> None:
        super().__init__(spec)
        self.layer = nn.ModuleList(LstmLayer(spec) for _ in range(spec.layers))

    def hidden(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The normalised stream before the output matrix, (batch, time, width)."""
        x = self.embedded(tokens, features)
        for layer in self.layer:
            x = layer(x)
        normed: Tensor = self.norm(x)
        return normed
