"""Four voices as batches: transpositions anew in each epoch, and nats of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from troubadour.core.networks.trainer import ValidationLosses
from troubadour.models.options import TrainOptions

from .network import Frames, VoiceNetwork
from .scoring import score
from .spec import FrameSpec
from .voices import VOICES, VoiceGrid, room, transpose

FIELDS = ("frames", "before", "reference", "earlier", "held", "match_level")


def batch_of(pieces: Sequence[VoiceGrid]) -> Frames:
    """Pieces as one batch, padded at the end."""
    longest = max(len(p) for p in pieces)

    def filled(arrays: list[np.ndarray]) -> Tensor:
        ends = [np.pad(a, [(0, longest - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays]
        return torch.from_numpy(np.stack(ends))

    columns = {name: filled([getattr(p, name) for p in pieces]) for name in FIELDS}
    foretold = filled(
        [np.where(p.matched[..., None] >= 0, p.frames[p.matched], p.before[:, None]) for p in pieces]
    )
    at = torch.arange(longest).expand(len(pieces), longest)
    counted = at < torch.tensor([len(p) for p in pieces])[:, None]
    return Frames(**columns, foretold=foretold, at=at, counted=counted)


def batches(
    pieces: Sequence[VoiceGrid], options: TrainOptions, shift: int, first: int = 0
) -> Iterator[Frames]:
    """Batches of about `options.batch_tokens` frames without end, from number `first` on; each epoch
    draws a new order and a new transposition, up to `shift` semitones either way, of each piece."""
    epoch, seen = 0, 0
    while True:
        rng = np.random.default_rng([options.seed, epoch])
        order = rng.permutation(len(pieces))
        moves = [int(rng.integers(low, high + 1)) for low, high in (room(p, shift) for p in pieces)]
        groups = list(groups_of(order, [len(p) for p in pieces], options.batch_tokens))
        for i in rng.permutation(len(groups)):
            if seen >= first:
                yield batch_of([transpose(pieces[j], moves[j]) for j in groups[i]])
            seen += 1
        epoch += 1


def groups_of(order: np.ndarray, lengths: Sequence[int], frames: int) -> Iterator[list[int]]:
    """Groups of like lengths that hold at most `frames` frames, or one piece."""
    ranked = sorted(order.tolist(), key=lambda i: lengths[i] // 32)
    group: list[int] = []
    longest = 0
    for i in ranked:
        longest = max(longest, lengths[i])
        if group and longest * (len(group) + 1) > frames:
            yield group
            group, longest = [], lengths[i]
        group.append(i)
    yield group


@torch.inference_mode()
def cell_nats(
    network: VoiceNetwork, pieces: Sequence[VoiceGrid], frames: int = 4096, temperature: float = 1.0
) -> list[np.ndarray]:
    """Nats of each cell of each piece, (time, 4); at most `frames` frames in a batch."""
    network.eval()
    found: list[np.ndarray] = [np.empty(0)] * len(pieces)
    for group in groups_of(np.arange(len(pieces)), [len(p) for p in pieces], frames):
        nats = network.nats(batch_of([pieces[i] for i in group]), temperature)
        for row, i in enumerate(group):
            found[i] = nats[row, : len(pieces[i])].double().numpy()
    return found


class VoiceTask:
    """Prediction of four voices; losses in nats a cell."""

    kind = "chorale-voices"

    def __init__(
        self,
        spec: FrameSpec,
        options: TrainOptions,
        train: Sequence[VoiceGrid],
        valid: Sequence[VoiceGrid],
        shift: int = 6,
    ) -> None:
        self.spec, self.options = spec, options
        self._train, self._valid, self._shift = train, valid, shift

    def network(self) -> VoiceNetwork:
        """See `TrainingTask.network`."""
        return VoiceNetwork(self.spec)

    def batches(self, first: int) -> Iterator[Frames]:
        """See `TrainingTask.batches`."""
        return batches(self._train, self.options, self._shift, first)

    def loss(self, network: VoiceNetwork, batch: Frames) -> tuple[Tensor, Tensor]:
        """See `TrainingTask.loss`."""
        return network.nats(batch).sum(), VOICES * batch.counted.sum()

    def validate(self, network: VoiceNetwork) -> ValidationLosses:
        """Means over all cells and over those whose pitch changed."""
        found = score(cell_nats(network, self._valid), self._valid)
        return ValidationLosses(found.nats, {"valid": found.nats, "changed": found.changed})
