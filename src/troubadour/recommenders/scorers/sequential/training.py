"""Training of the sequential recommender: the next item at every place, against all others.

Cross-entropy over the whole catalogue, or over a sample corrected for how often each item is drawn:
on it an ordinary SASRec is as good as the best (Klenitskiy & Vasilev, "Turning dross into gold loss",
RecSys 2023; Petrov & Macdonald, "gSASRec", RecSys 2023).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.errors import InputError
from troubadour.recommenders.scorers.sequential.network import SequentialNetwork
from troubadour.recommenders.scorers.sequential.runtime import SequentialRuntime
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec

log = logging.getLogger(__name__)

Rows = NDArray[np.int64]
_AVERAGE = 0.99
"""Weights served are a running mean of those of the last hundred steps or so."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """How one pass went."""

    epoch: int
    loss: float
    """Mean over places, nats, with dropout."""
    ndcg: float
    """NDCG@10 on the items held out, NaN where there are none."""


def train(
    sequences: Sequence[Rows],
    n_items: int,
    features: NDArray[np.float32],
    spec: SequentialSpec,
    held_out: Rows | None = None,
    patience: int = 0,
) -> tuple[dict[str, NDArray[Any]], tuple[Epoch, ...]]:
    """Train on histories, each a row of items, oldest first.

    Each pass takes windows of `context` from long histories, cut anew each time. The same for a
    seed on one machine.

    Args:
        features: what items sound like, shape (n_items, d); d may be 0.
        held_out: the item that follows each sequence, to validate on after every pass.
        patience: stop after so many passes without a better NDCG; 0 = never.

    Returns:
        Weights as `sequential_graph` names them, of the best pass where one was validated, else
        of the last; and how each pass went.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return _train(sequences, n_items, features, spec, held_out, patience)


def _train(
    sequences: Sequence[Rows],
    n_items: int,
    features: NDArray[np.float32],
    spec: SequentialSpec,
    held_out: Rows | None,
    patience: int,
) -> tuple[dict[str, NDArray[Any]], tuple[Epoch, ...]]:
    rng = np.random.default_rng(spec.seed)
    network = SequentialNetwork(spec, n_items, torch.from_numpy(features))
    decayed = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=spec.rate, betas=(0.9, 0.98))
    draw = _Draw(sequences, n_items, spec, rng)
    average = _weights(network)
    best, best_ndcg, since = average, -1.0, 0
    epochs: list[Epoch] = []
    step = 0
    for epoch in range(1, spec.epochs + 1):
        network.train()
        losses: list[float] = []
        for tokens, targets in _batches(sequences, n_items, spec, rng):
            table = network.table()
            hidden = network(tokens, table)[targets >= 0]
            loss = draw.loss(hidden, table, network.bias, targets[targets >= 0])
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = spec.rate * min(1.0, step / 100)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
            keep = min(_AVERAGE, step / (step + 10))
            average = {k: keep * average[k] + (1 - keep) * w for k, w in _weights(network).items()}
        ndcg = float("nan") if held_out is None else _ndcg(average, spec, sequences, held_out)
        epochs.append(Epoch(epoch, float(np.mean(losses)) if losses else 0.0, ndcg))
        log.info("pass %d: loss %.3f, NDCG@10 %.4f", epoch, epochs[-1].loss, ndcg)
        since = 0 if ndcg > best_ndcg else since + 1
        if not since or held_out is None:
            best, best_ndcg = average, ndcg
        if patience and since >= patience:
            break
    return {name: w.numpy() for name, w in best.items()}, tuple(epochs)


def choose_epochs(
    sequences: Sequence[Rows],
    n_items: int,
    features: NDArray[np.float32],
    spec: SequentialSpec,
    patience: int = 8,
) -> tuple[SequentialSpec, tuple[Epoch, ...]]:
    """How many passes are best for the last item of each history, when trained without it.

    Raises:
        InputError: no history has two items.
    """
    long = [s for s in sequences if len(s) > 1]
    if not long:
        raise InputError("no history has two items; there is nothing to validate on")
    last = np.array([s[-1] for s in long])
    _, epochs = train([s[:-1] for s in long], n_items, features, spec, last, patience)
    best = max(epochs, key=lambda e: e.ndcg)
    return replace(spec, epochs=best.epoch), epochs


class _Draw:
    """The loss, over all items or over a sample."""

    def __init__(
        self, sequences: Sequence[Rows], n_items: int, spec: SequentialSpec, rng: np.random.Generator
    ) -> None:
        self._spec, self._rng, self._full = spec, rng, n_items <= spec.full_items
        counts = np.bincount(np.concatenate([np.empty(0, np.int64), *sequences]), minlength=n_items)
        self._share = (counts + 1.0) / (counts + 1.0).sum()

    def loss(self, hidden: Tensor, table: Tensor, bias: Tensor, target: Tensor) -> Tensor:
        """Mean nats of `target`, shape (n,), by hidden states, shape (n, width)."""
        if self._full:
            logits = hidden @ table[:-1].T + bias
            return F.cross_entropy(logits, target, label_smoothing=self._spec.smoothing)
        drawn = self._rng.choice(len(self._share), self._spec.sample, p=self._share)
        others = torch.from_numpy(drawn)
        # Z = exp(s_target) + mean over the sample of exp(s_j) / q_j (Bengio & Senécal, 2008); a drawn
        # target is not counted twice.
        expected = torch.from_numpy(np.log(self._spec.sample * self._share[drawn])).float()
        logits = hidden @ table[others].T + bias[others] - expected
        logits = logits.masked_fill(others == target[:, None], float("-inf"))
        own = (hidden * table[target]).sum(-1, keepdim=True) + bias[target, None]
        zero = torch.zeros(len(target), dtype=torch.long)
        return F.cross_entropy(torch.cat([own, logits], dim=1), zero)


def _batches(
    sequences: Sequence[Rows], n_items: int, spec: SequentialSpec, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass: tokens and next items, shape (batch, context) both; -1 = nothing to learn there."""
    windows: list[Rows] = []
    for sequence in sequences:
        first = int(rng.integers(1, spec.context + 1)) if len(sequence) > spec.context else len(sequence)
        starts = [0, *range(first, len(sequence), spec.context)]
        ends = [*starts[1:], len(sequence)]
        windows += [sequence[a:b] for a, b in zip(starts, ends, strict=True) if b > a]
    order = rng.permutation(len(windows))
    for at in range(0, len(order), spec.batch):
        chosen = [windows[i] for i in order[at : at + spec.batch]]
        time = max(len(w) for w in chosen)
        tokens = np.full((len(chosen), time), n_items)
        targets = np.full((len(chosen), time), -1)
        for row, window in enumerate(chosen):
            tokens[row, 1 : len(window)] = window[:-1]
            targets[row, : len(window)] = window
        yield torch.from_numpy(tokens), torch.from_numpy(targets)


def _weights(network: SequentialNetwork) -> dict[str, Tensor]:
    """As the graph wants them: the map of sounds is added to the items' own vectors."""
    weights = {k: v.detach().clone() for k, v in network.state_dict().items() if k not in ("items", "sound")}
    return {**weights, "items": network.table().detach().clone()}


def _ndcg(weights: dict[str, Tensor], spec: SequentialSpec, sequences: Sequence[Rows], target: Rows) -> float:
    engine = SequentialRuntime(spec, {name: w.numpy() for name, w in weights.items()})
    gains: list[float] = []
    for at in range(0, len(sequences), 256):
        some = sequences[at : at + 256]
        scores = engine.score(some)
        for row, met, wanted in zip(scores, some, target[at : at + 256].tolist(), strict=True):
            row[met[met != wanted]] = -np.inf
            rank = int((row > row[wanted]).sum())
            gains.append(1.0 / np.log2(rank + 2) if rank < 10 else 0.0)
    return float(np.mean(gains))
