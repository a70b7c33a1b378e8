"""A network over piano rolls in torch: the Transformer over frames, and a reader of the keys in one.

The keys of a frame come from the lowest up and then an end, each knowing those before it; keys that
are not above the last one have no share, so the joint of a frame is exact (as RNN-NADE's is,
Boulanger-Lewandowski et al. 2012).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Norm
from troubadour.core.networks.trainer import ValidationLosses
from troubadour.models.options import TrainOptions

from .backbones import SmallFeedForward, TransformerBackbone
from .copies import MATCH_LEVELS
from .network import FeatureEmbedding, near
from .piano_roll import KEYS, LONGEST, PianoRoll, room_of, transpose_roll
from .spec import FrameSpec

END = KEYS
_NEAR = 36
_KINDS = 4


@dataclass(frozen=True, slots=True)
class Rolls:
    """A batch of rolls as tensors; fields as in `keys.Roll`, with a batch dimension in front."""

    keys: Tensor
    before: Tensor
    held: Tensor
    foretold: Tensor
    match_level: Tensor
    at: Tensor
    counted: Tensor
    """(batch, time): which frames are there and are to be foretold."""


class KeyNetwork(nn.Module):
    """Log-probabilities of frames of any number of keys."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.places = FeatureEmbedding([16, 12, 33, MATCH_LEVELS], width, spec.feature_dropout)
        self.sounds = nn.Linear(4 * KEYS, width, bias=False)
        self.core = TransformerBackbone(spec)
        width = spec.reader_width
        self.context = nn.Linear(spec.width, width, bias=False)
        self.last = FeatureEmbedding([KEYS + 1, KEYS + 2, 2 * _NEAR + 1], width, 0.0)
        self.given = nn.Linear(2 * KEYS, width, bias=False)
        self.reader = nn.ModuleList(
            SmallFeedForward(width, spec.reader_hidden, spec.dropout) for _ in range(spec.reader_layers)
        )
        self.norm = Norm(width)
        # Of each key itself; as an interval from the key below, from the lowest and the highest key of
        # the frame before; and of keys that are down, have just been struck, or are foretold.
        self.head = nn.Linear(width, KEYS + 1 + 3 * (2 * _NEAR + 1) + _KINDS)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def frame_nats(self, x: Rolls) -> Tensor:
        """(batch, time): what each frame costs; 0 where none counts."""
        chosen = x.counted
        keys, before, foretold = x.keys[chosen], x.before[chosen], x.foretold[chosen]
        held, level = x.held[chosen], x.match_level[chosen]
        # (frames, slots): the keys that are down from the lowest up, then the end.
        many = keys.sum(-1)
        slots = int(many.max()) + 1 if len(many) else 1
        ranked = torch.where(keys, torch.arange(KEYS), END).sort(-1).values[:, :slots]
        below = F.pad(ranked[:, :-1], (1, 0), value=-1)
        high = torch.where(before, torch.arange(KEYS), -1).amax(-1)
        low = torch.where(before, torch.arange(KEYS), KEYS).amin(-1)
        high, low = torch.where(high < 0, 50, high), torch.where(low == KEYS, 30, low)
        rank = torch.arange(slots).expand_as(below)
        since = torch.where(below < 0, 0, near(below - high[:, None], _NEAR))
        y = self.last(torch.stack([below.clamp(min=0), rank, since], -1))
        already = (torch.arange(KEYS) <= below[..., None]) & keys[:, None]
        missed = (torch.arange(KEYS) <= below[..., None]) & before[:, None] & ~keys[:, None]
        y = y + self.given(torch.cat([already, missed], -1).float())
        y = F.dropout(y + self.context(self.hidden(x)[chosen])[:, None], self.spec.dropout, self.training)
        for block in self.reader:
            y = block(y)
        rows = self.head(self.norm(y))
        step = 2 * _NEAR + 1
        logits, above, from_low, from_high, kinds = rows.split([KEYS + 1, step, step, step, _KINDS], -1)
        place = torch.arange(KEYS)
        relative = above.gather(-1, near(place - below[..., None], _NEAR)) * (below >= 0)[..., None]
        for part, pivot in ((from_low, low), (from_high, high)):
            relative = relative + part.gather(
                -1, near(place - pivot[:, None, None], _NEAR).expand(-1, slots, -1)
            )
        struck, sure = before & (held == 1), (level > 4)[:, None]
        for kind, down in zip(kinds.unbind(-1), (before, struck, foretold, foretold & sure), strict=True):
            relative = relative + kind[..., None] * down[:, None]
        logits = logits + F.pad(relative, (0, 1))
        # Slots after the end are not there; they are left open so that no softmax is over nothing.
        there = rank <= many[:, None]
        logits = logits.masked_fill(
            (torch.arange(KEYS + 1) <= below[..., None]) & there[..., None], -torch.inf
        )
        cost = F.cross_entropy(logits.flatten(0, 1), ranked.flatten(), reduction="none").view_as(ranked)
        cost = (cost * there).sum(-1)
        return torch.zeros(chosen.shape).masked_scatter(chosen, cost)

    def hidden(self, x: Rolls) -> Tensor:
        """(batch, time, width): what the core makes of the frames before each."""
        sounds = torch.cat([x.before, x.before & (x.held == 1), x.held / LONGEST, x.foretold], -1)
        y = self.places(torch.stack([x.at % 16, x.at % 12, x.at.clamp(max=32), x.match_level], -1))
        y = y + F.dropout(self.sounds(sounds.float()), self.spec.dropout, self.training)
        return self.core(y)


def rolls_of(rolls: Sequence[PianoRoll], unheard: int = 0) -> Rolls:
    """Rolls as one batch, filled up at the end; the first `unheard` frames of each are not counted."""
    longest = max(len(r) for r in rolls)

    def filled(name: str) -> Tensor:
        arrays = [getattr(r, name) for r in rolls]
        ends = [np.pad(a, [(0, longest - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays]
        return torch.from_numpy(np.stack(ends))

    columns = {name: filled(name) for name in PianoRoll.__slots__}
    place = torch.arange(longest).expand(len(rolls), longest)
    counted = (place < torch.tensor([len(r) for r in rolls])[:, None]) & (place >= unheard)
    return Rolls(**columns, counted=counted)


@torch.inference_mode()
def piece_nats(network: KeyNetwork, rolls: Sequence[PianoRoll], window: int = 512) -> list[np.ndarray]:
    """What each frame of each piece costs, (time,) nats; pieces longer than a window are read in several,
    each frame with at least half a window of what came before it."""
    network.eval()
    found = []
    for roll in rolls:
        parts = [network.frame_nats(rolls_of([roll.part(0, window)]))[0]]
        for start in range(window, len(roll), window // 2):
            part = roll.part(start - window // 2, start + window // 2)
            parts.append(network.frame_nats(rolls_of([part], window // 2))[0, window // 2 :])
        found.append(torch.cat(parts).double().numpy())
    return found


class KeyTask:
    """Prediction of piano rolls; losses in nats a frame."""

    kind = "piano-roll"

    def __init__(
        self,
        spec: FrameSpec,
        options: TrainOptions,
        train: Sequence[PianoRoll],
        valid: Sequence[PianoRoll],
        shift: int = 6,
        window: int = 256,
    ) -> None:
        self.spec, self.options = spec, options
        self._train, self._valid, self._shift, self._window = train, valid, shift, window

    def network(self) -> KeyNetwork:
        """See `TrainingTask.network`."""
        return KeyNetwork(self.spec)

    def batches(self, first: int) -> Iterator[Rolls]:
        """Windows of pieces, each transposed anew, from number `first` on."""
        lengths = np.array([len(roll) for roll in self._train], dtype=np.float64)
        many = max(1, self.options.batch_tokens // self._window)
        while True:
            rng = np.random.default_rng([self.options.seed, first])
            parts = []
            # A piece's probability is its share of the frames; the start is any frame from which a window remains.
            for i in rng.choice(len(lengths), size=many, p=lengths / lengths.sum()):
                roll = self._train[i]
                start = int(rng.integers(0, max(1, len(roll) - self._window + 1)))
                part = roll.part(start, start + self._window)
                low, high = room_of(part, self._shift)
                parts.append(transpose_roll(part, int(rng.integers(low, high + 1))))
            yield rolls_of(parts)
            first += 1

    def loss(self, network: KeyNetwork, batch: Rolls) -> tuple[Tensor, Tensor]:
        """See `TrainingTask.loss`."""
        return network.frame_nats(batch).sum(), batch.counted.sum()

    def validate(self, network: KeyNetwork) -> ValidationLosses:
        """Mean over all frames."""
        nats = float(np.concatenate(piece_nats(network, self._valid)).mean())
        return ValidationLosses(nats, {"valid": nats})
