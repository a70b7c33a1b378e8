"""Training of networks that predict the next token, with the trainer of all networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from troubadour.core.networks.checkpoint import write_json
from troubadour.core.networks.trainer import Trainer, ValidationLosses
from troubadour.generation.autoregressive import WEIGHTS, AutoregressiveComposer, load_composer
from troubadour.generation.network_spec import Spec
from troubadour.generation.style_statistics import StyleStatistics
from troubadour.models.dataset import (
    Batch,
    Example,
    TrainingSequence,
    batches,
    build,
    collate,
    with_visible_context,
)
from troubadour.models.event_network import EventNetwork
from troubadour.models.families import family_of
from troubadour.models.options import TrainOptions

_SEEN: Final = 200
"""Most training pieces that are scored for the overfitting report."""


class EventTask:
    """The objectives of `objectives.py` on whole pieces; losses in nats a token."""

    def __init__(
        self, spec: Spec, options: TrainOptions, train: Sequence[Example], valid: Sequence[Example]
    ) -> None:
        self.spec, self.options = spec, options
        self.family = family_of(spec)
        self.kind = str(self.family.kind)
        self._train, self._valid = train, valid
        self._seen = slice_of(train, len(valid))

    def network(self) -> EventNetwork:
        """See `TrainingTask.network`."""
        network: EventNetwork = self.family.network(self.spec)
        network.precision = self.options.precision
        return network

    def batches(self, first: int) -> Iterator[Batch]:
        """See `TrainingTask.batches`."""
        options = self.options
        return batches(
            self._train,
            options.seed,
            options.batch_tokens,
            context=options.context,
            cond_keep_prob=options.cond_keep_prob,
            first=first,
            objectives=options.objectives,
        )

    def loss(self, network: EventNetwork, batch: Batch) -> tuple[Tensor, Tensor]:
        """See `TrainingTask.loss`."""
        return network.objective(batch)

    def validate(self, network: EventNetwork) -> ValidationLosses:
        """The mean loss of the objectives, weighted by their shares; by style for the next token."""
        context, shares = self.options.context, self.options.objectives
        by_style, valid = evaluate(network, self._valid, context)
        losses = {"next": valid} if shares.get("next") else {}
        for name, share in shares.items():
            if share and name != "next":
                # A quarter of the pieces is enough for objectives that are not compared with other models.
                losses[name] = evaluate(network, self._valid[::4], context, name)[1]
        total = sum(shares[n] * loss for n, loss in losses.items()) / sum(shares[n] for n in losses)
        _, seen = evaluate(network, self._seen, context)
        return ValidationLosses(
            total, {"seen": seen, "valid": valid, "objectives": losses, "groups": by_style}
        )


@torch.no_grad()
def evaluate(
    network: EventNetwork, examples: Sequence[Example], context: int, objective: str = "next"
) -> tuple[dict[str, float], float]:
    """Mean loss in nats a token, by style and over all; full prefix, no transposition.

    The visible context that an objective draws for a piece is the same each time.
    """
    network.eval()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    ordered = sorted(examples, key=lambda e: len(e.tokens))
    for start in range(0, len(ordered), 8):
        rows = ordered[start : start + 8]
        batch = collate([_whole(e, objective, start + i, context) for i, e in enumerate(rows)], context)
        for row, (loss, count) in zip(rows, network.nats(batch), strict=True):
            sums[row.style][0] += loss
            sums[row.style][1] += count
    by_style = {style: loss / count for style, (loss, count) in sorted(sums.items())}
    total = sum(loss for loss, _ in sums.values()) / max(1.0, sum(count for _, count in sums.values()))
    return by_style, total


def _whole(item: Example, objective: str, number: int, context: int) -> TrainingSequence:
    whole = build(item, item.prefix >= 0)
    if objective == "next":
        return whole
    return with_visible_context(whole, objective, np.random.default_rng(number), context)


def slice_of(train: Sequence[Example], size: int) -> list[Example]:
    """About `size` different training pieces, at most 200, spread evenly over them."""
    pieces = list({e.piece: e for e in train}.values())
    stride = max(1, len(pieces) // max(1, min(size, _SEEN)))
    return pieces[::stride][: max(1, min(size, _SEEN))]


def load_start(folder: Path) -> tuple[Spec, dict[str, Tensor]]:
    """Spec and weights of a stored composer, to start from.

    Raises:
        ModelError: no composer can be read there.
    """
    spec = cast(AutoregressiveComposer, load_composer(folder)).spec
    return spec, {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}


def save_composer(
    folder: Path, trainer: Trainer[Any], styles: Mapping[str, StyleStatistics], name: str
) -> None:
    """Write the best averaged weights of a run as a composer, and its history as `report.json` beside them."""
    spec = trainer.task.spec
    arrays = {k: v.numpy() for k, v in trainer.best.items()}
    family_of(spec)(spec, arrays, styles, name).save(folder)
    write_json(folder / "report.json", {**trainer.state, "options": asdict(trainer.options)})
