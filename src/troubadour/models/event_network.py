"""Networks that predict the next token, in torch, for training: what all families of them share.

The input of a place is the sum of the embeddings of its token and of the musical position of the token
to come. The output matrix is the token table (tied embeddings). Composing runs the same weights in ONNX
Runtime (`event_graph.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Norm, autocast
from troubadour.generation.network_spec import Spec
from troubadour.models.dataset import Batch
from troubadour.tokens.copies import LEVELS, VIEWS, columns

SCALE: Final = 0.02
"""Standard deviation of fresh embeddings and matrices (GPT-2)."""


class EventNetwork(nn.Module, ABC):
    """Embeddings, the output matrix tied to them, and the losses; subclasses add the layers between."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.precision = "auto"
        """Number type of activations, as `TrainOptions.precision`."""
        self.token = nn.Embedding(spec.tokens, spec.width)
        self.feature = nn.ModuleList(nn.Embedding(n, spec.width) for n in spec.input_sizes)
        self.norm = Norm(spec.width)
        for i, table in enumerate((self.token, *self.feature)):
            # Copy features start at zero, so that they can be added to a trained network without change.
            nn.init.normal_(table.weight, std=SCALE if i <= len(spec.features) else 0.0)
        if spec.copies:
            self.lift = nn.Linear(spec.width, VIEWS * LEVELS, bias=False)
            nn.init.zeros_(self.lift.weight)

    @abstractmethod
    def hidden(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The normalised stream before the output matrix, (batch, time, width)."""

    def embedded(self, tokens: Tensor, features: Tensor) -> Tensor:
        """The sum of the embeddings of tokens and features, (batch, time, width)."""
        x: Tensor = self.token(tokens)
        for i, table in enumerate(self.feature):
            x = x + table(features[..., i])
        return F.dropout(x, self.spec.dropout, self.training)

    def forward(self, tokens: Tensor, features: Tensor) -> Tensor:
        """tokens: (batch, time); features: (batch, time, len(spec.input_sizes)) -> (batch, time, tokens)."""
        return self.logits(self.hidden(tokens, features), features)

    def inputs(self, batch: Batch) -> Tensor:
        """Features of the inputs, (batch, time, len(spec.input_sizes)): positions, and copy features if the spec has them."""
        features = batch.features
        if self.spec.copies:
            features = np.concatenate([features, columns(batch.tokens[:, :-1], features)], axis=-1)
        return torch.from_numpy(features)

    def logits(self, hidden: Tensor, features: Tensor) -> Tensor:
        """(..., width) and the features of these places, (..., len(spec.input_sizes)) -> (..., tokens)."""
        logits = hidden @ self.token.weight.T
        if not self.spec.copies:
            return logits
        copies = features[..., len(self.spec.features) :]
        copied, levels = copies[..., ::2], copies[..., 1::2]
        biases = self.lift(hidden).unflatten(-1, (VIEWS, LEVELS))
        chosen = biases.gather(-1, levels[..., None])[..., 0] * (levels > 0)
        return logits.scatter_add(-1, copied, chosen.to(logits.dtype))

    def objective(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Training loss in nats, summed over targets, and the number of targets."""
        tokens = torch.from_numpy(batch.tokens)
        weight = torch.from_numpy(batch.weight)
        with autocast(self.precision):
            features = self.inputs(batch)
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
            logits = self(tokens[:, :-1], self.inputs(batch))
        each = F.cross_entropy(logits.float().transpose(1, 2), tokens[:, 1:], reduction="none") * weight
        return list(zip(each.sum(1).tolist(), weight.sum(1).tolist(), strict=True))
