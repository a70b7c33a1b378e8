"""Training of the sequential recommender: the next item at every place, among all items.

Cross-entropy over the whole catalogue, or over a sample with a correction for the probability of each
item: with it an ordinary SASRec is as good as the best (Klenitskiy & Vasilev, "Turning dross into gold loss",
RecSys 2023; Petrov & Macdonald, "gSASRec", RecSys 2023).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.errors import InputError
from troubadour.core.networks.options import TrainerOptions
from troubadour.core.networks.trainer import Trainer, ValidationLosses
from troubadour.recommenders.scorers.sequential.network import SequentialNetwork
from troubadour.recommenders.scorers.sequential.runtime import SequentialRuntime
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec

log = logging.getLogger(__name__)

Rows = NDArray[np.int64]
_EMA_DECAY = 0.99
"""The served weights are an average over about the last hundred steps."""
_NO_LIMIT = 2**62
"""Steps; the number of passes ends a run."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Figures of one pass."""

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

    Each pass takes windows of `context` from long histories, cut at new places each time. A seed gives the
    same weights on one machine.

    Args:
        features: sound features of the items, shape (n_items, d); d may be 0.
        held_out: the item that follows each sequence, to validate on after every pass, shape (n,).
        patience: stop after so many passes without a better NDCG; 0 = never.

    Returns:
        Weights as `SequentialRuntime` takes them, of the best pass if there is a validation, else of the
        last; and figures of each pass.
    """
    task = SequentialTask(sequences, n_items, features, spec, held_out)
    options = TrainerOptions(
        steps=_NO_LIMIT,
        learning_rate=spec.rate,
        muon_lr=None,
        warmup=100,
        cooldown=0.0,
        weight_decay=spec.weight_decay,
        ema_decay=_EMA_DECAY,
        seed=spec.seed,
        evaluate_every=0,
        patience=patience,
    )
    with torch.random.fork_rng(devices=[]):
        trainer = Trainer(None, task, options)
        trainer.run()
        weights = served(trainer.network_of(trainer.best))
    return {name: w.numpy() for name, w in weights.items()}, tuple(task.epochs)


class SequentialTask:
    """The next item at every place of every window; losses in nats, validation by NDCG@10."""

    kind = "sequential"

    def __init__(
        self,
        sequences: Sequence[Rows],
        n_items: int,
        features: NDArray[np.float32],
        spec: SequentialSpec,
        held_out: Rows | None,
    ) -> None:
        self.spec = spec
        self.epochs: list[Epoch] = []
        self._sequences, self._n_items, self._held_out = sequences, n_items, held_out
        self._features = torch.from_numpy(features)
        self._rng = np.random.default_rng(spec.seed)
        self._objective = _Objective(sequences, n_items, spec, self._rng)
        self._losses: list[float] = []

    def network(self) -> SequentialNetwork:
        """See `TrainingTask.network`."""
        return SequentialNetwork(self.spec, self._n_items, self._features)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor] | None]:
        """All passes; such runs are kept in memory and always start at the first batch."""
        if first:
            raise ValueError(f"first is {first}; allowed: 0")
        for _ in range(self.spec.epochs):
            yield from _batches(self._sequences, self._n_items, self.spec, self._rng)
            yield None

    def loss(self, network: SequentialNetwork, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, int]:
        """See `TrainingTask.loss`; the mean over places, as one target."""
        tokens, targets = batch
        there, table = targets >= 0, network.table()
        hidden = network(tokens, table)[there]
        loss = self._objective.loss(hidden, table, network.bias, targets[there])
        self._losses.append(float(loss.detach()))
        return loss, 1

    def validate(self, network: SequentialNetwork) -> ValidationLosses | None:
        """Note a pass, and compute NDCG@10 of the held-out items, if there are any; nothing before the first pass."""
        started = bool(self._losses)
        ndcg = float("nan")
        if started and self._held_out is not None:
            ndcg = _ndcg(served(network), self.spec, self._sequences, self._held_out)
        if started:
            self.epochs.append(Epoch(len(self.epochs) + 1, float(np.mean(self._losses)), ndcg))
            log.info("pass %d: loss %.3f, NDCG@10 %.4f", *astuple(self.epochs[-1]))
            self._losses = []
        return None if np.isnan(ndcg) else ValidationLosses(-ndcg, {"ndcg": ndcg})


def choose_epochs(
    sequences: Sequence[Rows],
    n_items: int,
    features: NDArray[np.float32],
    spec: SequentialSpec,
    patience: int = 8,
) -> tuple[SequentialSpec, tuple[Epoch, ...]]:
    """The number of passes that is best for the last item of each history, in a training without it.

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


class _Objective:
    """Cross-entropy over all items or over a sample."""

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


def served(network: SequentialNetwork) -> dict[str, Tensor]:
    """Weights as `SequentialRuntime` takes them: the mapped sound features are added to the items' own vectors."""
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
