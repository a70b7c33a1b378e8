"""Four voices as batches: transpositions drawn anew each epoch, and what each cell costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from troubadour.models.options import TrainOptions

from .network import Frames, VoiceNetwork
from .scoring import score
from .spec import FrameSpec
from .voices import VOICES, VoiceGrid, room, transpose

FIELDS = ("frames", "before", "reference", "earlier", "held", "match_level")


def batch_of(pieces: Sequence[VoiceGrid]) -> Frames:
    """Pieces as one batch, filled up at the end."""
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
    """Batches of about `options.tokens_a_step` frames without end, from the batch `first` on; each epoch
    draws a new order and a new transposition, up to `shift` semitones either way, of each piece."""
    epoch, seen = 0, 0
    while True:
        rng = np.random.default_rng([options.seed, epoch])
        order = rng.permutation(len(pieces))
        moves = [int(rng.integers(low, high + 1)) for low, high in (room(p, shift) for p in pieces)]
        groups = list(groups_of(order, [len(p) for p in pieces], options.tokens_a_step))
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
    """What each cell of each piece costs, (time, 4) nats; so many frames at once."""
    network.eval()
    found: list[np.ndarray] = [np.empty(0)] * len(pieces)
    for group in groups_of(np.arange(len(pieces)), [len(p) for p in pieces], frames):
        nats = network.nats(batch_of([pieces[i] for i in group]), temperature)
        for row, i in enumerate(group):
            found[i] = nats[row, : len(pieces[i])].double().numpy()
    return found


class VoiceTask:
    """To foretell four voices; nats a cell."""

    def __init__(
        self, spec: FrameSpec, train: Sequence[VoiceGrid], valid: Sequence[VoiceGrid], shift: int = 6
    ) -> None:
        self.spec, self._train, self._valid, self._shift = spec, train, valid, shift

    def network(self) -> VoiceNetwork:
        """A new network."""
        return VoiceNetwork(self.spec)

    def batches(self, options: TrainOptions, first: int) -> Iterator[Frames]:
        """Batches without end, from the batch `first` on."""
        return batches(self._train, options, self._shift, first)

    def loss(self, network: nn.Module, batch: Frames) -> Tensor:
        """Mean over cells."""
        assert isinstance(network, VoiceNetwork)
        return network.nats(batch).sum() / (VOICES * batch.counted.sum())

    def judge(self, network: nn.Module) -> dict[str, float]:
        """Means over all cells and over those that changed."""
        assert isinstance(network, VoiceNetwork)
        found = score(cell_nats(network, self._valid), self._valid)
        return {"valid": found.nats, "changed": found.changed}
