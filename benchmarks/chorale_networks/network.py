"""Networks over frames in torch: a core over time, and a reader of the voices within a frame.

The core (Transformer or LSTM) sees the frames before; the reader then gives the four voices in a
fixed order, each knowing those before it in the same frame, so the joint of a frame is exact. The
logit of a pitch is a sum of one for the pitch itself, one for its interval from the voice's own
last pitch, one for its interval from each voice already given, one if it would run parallel to such
a voice in fifths or octaves, and one if an earlier passage would go on so: what is learnt in one key
then holds in all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Norm
from troubadour.generation.evaluation.voice_leading import PERFECT

from .backbones import BackboneMemory, LstmBackbone, SmallFeedForward, TransformerBackbone
from .copies import MATCH_LEVELS
from .spec import FrameSpec
from .voices import LONGEST_HOLD, PITCHES, VOICES

IDS = PITCHES + 1
_MELODIC = 24
_HARMONIC = 40
_LOUD = 8.0
"""Scale of the logits of parallels, which are rare: it lets the few that there are be learnt in time."""


class FeatureEmbedding(nn.Module):
    """Sum of the embeddings of several features: one table, and a row of it for each value.

    Args:
        sizes: number of values of each feature.
        dropout: share of the features that are left out in training.
        rank: width of the table, where it is narrower than `width`.
    """

    def __init__(self, sizes: list[int], width: int, dropout: float, rank: int = 0) -> None:
        super().__init__()
        self.dropout = dropout
        self.wide: nn.Module = nn.Identity()
        if rank:
            self.wide = wide = nn.Linear(rank, width, bias=False)
            nn.init.normal_(wide.weight, std=rank**-0.5)
        offsets = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.offsets: Tensor
        self.register_buffer("offsets", offsets, persistent=False)
        self.table = nn.Embedding(sum(sizes), rank or width)
        nn.init.normal_(self.table.weight, std=0.5 / len(sizes) ** 0.5)

    def forward(self, values: Tensor) -> Tensor:
        """values: (..., features) -> (..., width)."""
        flat = (values + self.offsets).reshape(-1, values.shape[-1])
        weight = self.table.weight
        if self.training and self.dropout:
            told = F.dropout(torch.ones(flat.shape), self.dropout)
            y = F.embedding_bag(flat, weight, mode="sum", per_sample_weights=told)
        else:
            y = F.embedding_bag(flat, weight, mode="sum")
        widened: Tensor = self.wide(y)
        return widened.view(*values.shape[:-1], -1)


@dataclass(frozen=True, slots=True)
class Frames:
    """A batch of pieces as tensors; fields as in `voices.Piece`, with a batch dimension in front."""

    frames: Tensor
    before: Tensor
    reference: Tensor
    earlier: Tensor
    held: Tensor
    match_level: Tensor
    foretold: Tensor
    """(batch, time, 2, 4): the frame that followed each match; the one before, if there is none."""
    at: Tensor
    """(batch, time): frames since the piece began."""
    counted: Tensor
    """(batch, time): which frames are there."""

    def last(self) -> Frames:
        """The last frame of each piece alone."""
        return Frames(*(getattr(self, field.name)[:, -1:] for field in fields(self)))


class VoiceNetwork(nn.Module):
    """Log-probabilities of four voices on a grid."""

    def __init__(self, spec: FrameSpec) -> None:
        super().__init__()
        self.spec = spec
        per_voice = [IDS, LONGEST_HOLD + 1, 2 * _MELODIC + 1, 2 * _MELODIC + 1]
        self.bag = FeatureEmbedding(
            [*per_voice * VOICES, *[2 * _HARMONIC + 1] * 6, 16, 12, 33, MATCH_LEVELS, MATCH_LEVELS],
            spec.width,
            spec.feature_dropout,
        )
        self.core = (LstmBackbone if spec.core == "lstm" else TransformerBackbone)(spec)
        width = spec.reader_width
        self.context = nn.Linear(spec.width, VOICES * width, bias=False)
        v = VOICES
        sizes = [v * IDS, v * (LONGEST_HOLD + 1), v * (2 * _MELODIC + 1), v * 16]
        sizes += [v * MATCH_LEVELS * 2, v * 3 * 2 * (2 * _MELODIC + 1)] * 2
        # Of each other voice: its pitch from one's own last one, its step, whether it is given yet.
        sizes += [v * 2 * (2 * _HARMONIC + 1), v * (2 * _MELODIC + 2), v * 2 * IDS] * v
        self.reader_bag = FeatureEmbedding(sizes, width, spec.feature_dropout, spec.reader_rank)
        self.reader = nn.ModuleList(
            SmallFeedForward(width, spec.reader_hidden, spec.dropout) for _ in range(spec.reader_layers)
        )
        self.reader_norm = Norm(width)
        self.rows = IDS + (2 * _MELODIC + 1) + v * (2 * _HARMONIC + 1) + 2
        self.head = nn.Linear(width, self.rows)
        nn.init.normal_(self.head.weight, std=0.02)
        self.parallel = nn.Linear(width, v * len(PERFECT))
        nn.init.zeros_(self.parallel.weight)
        nn.init.zeros_(self.parallel.bias)
        nn.init.zeros_(self.head.bias)
        given = torch.zeros(v, v, dtype=torch.long)
        for place, voice in enumerate(spec.order):
            given[voice, list(spec.order[:place])] = 1
        self.given: Tensor
        self.register_buffer("given", given, persistent=False)

    def log_probabilities(self, x: Frames) -> Tensor:
        """(batch, time, 4, 65): of each pitch of each voice, given all that comes before it."""
        return self.read(x, self.hidden(x)).log_softmax(-1)

    def nats(self, x: Frames, temperature: float = 1.0) -> Tensor:
        """(batch, time, 4): what each cell of the batch costs; 0 where none is."""
        logits = self.read(x, self.hidden(x)) / temperature
        cost = F.cross_entropy(logits.view(-1, IDS), x.frames.reshape(-1), reduction="none")
        return cost.view(x.frames.shape) * x.counted[..., None]

    def hidden(self, x: Frames) -> Tensor:
        """(batch, time, width): what the core makes of the frames before each."""
        return self.go_on(x, None)[0]

    def go_on(self, x: Frames, past: BackboneMemory | None) -> tuple[Tensor, BackboneMemory]:
        """`hidden` of one more frame, (batch, 1, width), and what to remember for the next."""
        columns = []
        foretold = x.foretold[..., 0, :]
        for v in range(VOICES):
            columns += [
                x.before[..., v],
                x.held[..., v],
                near(x.reference[..., v] - x.earlier[..., v], _MELODIC),
                near(foretold[..., v] - x.reference[..., v], _MELODIC),
            ]
        for v in range(VOICES):
            columns += [
                near(x.reference[..., v] - x.reference[..., u], _HARMONIC) for u in range(v + 1, VOICES)
            ]
        columns += [x.at % 16, x.at % 12, x.at.clamp(max=32), x.match_level[..., 0], x.match_level[..., 1]]
        h = F.dropout(self.bag(torch.stack(columns, -1)), self.spec.dropout, self.training)
        return self.core.go_on(h, past)

    def read(self, x: Frames, hidden: Tensor) -> Tensor:
        """(batch, time, 4, 65): logits; `hidden` as from `hidden`."""
        batch, time, v = x.frames.shape
        own = torch.arange(v)
        foretold = x.foretold
        # Other voices as one knows them: as they are where given, else as they were.
        known = torch.where(self.given.bool(), x.frames[..., None, :], x.before[..., None, :])
        sung = torch.where(known > 0, known, x.reference[..., None, :])
        wrong = (self.given * (x.frames[..., None, :] != foretold[..., 0, None, :])).amax(-1)
        wrong_soprano = (self.given * (x.frames[..., None, :] != foretold[..., 1, None, :])).amax(-1)
        step = 2 * _MELODIC + 1
        columns = [
            own * IDS + x.before,
            own * (LONGEST_HOLD + 1) + x.held,
            own * step + near(x.reference - x.earlier, _MELODIC),
            own * 16 + x.at[..., None] % 16,
        ]
        for i, miss in enumerate((wrong, wrong_soprano)):
            length = x.match_level[..., i, None]
            kind = (length > 0).long() + (length > 4).long()
            offset = near(foretold[..., i, :] - x.reference, _MELODIC)
            columns += [
                (own * MATCH_LEVELS + length) * 2 + miss,
                ((own * 3 + kind) * 2 + miss) * step + offset,
            ]
        for u in range(v):
            given = self.given[:, u]
            move = torch.where(given > 0, near(sung[..., u] - x.reference[..., u : u + 1], _MELODIC) + 1, 0)
            columns += [
                (own * 2 + given) * (2 * _HARMONIC + 1) + near(sung[..., u] - x.reference, _HARMONIC),
                own * (step + 1) + move,
                (own * 2 + given) * IDS + known[..., u],
            ]
        y = self.reader_bag(torch.stack(columns, -1))
        y = y + self.context(hidden).view(batch, time, v, -1)
        y = F.dropout(y, self.spec.dropout, self.training)
        for block in self.reader:
            y = block(y)
        y = self.reader_norm(y)
        rows = self.head(y)
        logits, melodic, harmonic, copies = rows.split([IDS, step, v * (2 * _HARMONIC + 1), 2], -1)
        pitches = torch.arange(1, IDS)
        relative = melodic.gather(-1, near(pitches - x.reference[..., None], _MELODIC))
        harmonic = harmonic.view(batch, time, v, v, -1)
        for place, u in enumerate(self.spec.order[:-1]):
            later = list(self.spec.order[place + 1 :])
            index = near(pitches - sung[:, :, later, u][..., None], _HARMONIC)
            part = harmonic[:, :, later, u].gather(-1, index)
            relative = relative.index_add(2, torch.tensor(later), part)
        logits = logits + F.pad(relative, (1, 0))
        pitch, kind = parallels(x.before, x.frames)
        there = (kind >= 0) & self.given.bool()
        chances = _LOUD * self.parallel(y).view(batch, time, v, v, -1)
        chosen = chances.gather(-1, kind.clamp(min=0)[..., None])[..., 0] * there
        logits = logits.scatter_add(-1, pitch, chosen)
        matched = (x.match_level > 0)[..., None, :].float()
        return logits.scatter_add(-1, foretold.transpose(-1, -2), copies * matched)


def parallels(before: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """The pitch with which each voice would run parallel to each other, as `voice_leading.check` counts.

    Args:
        before: ids of the frames before, (..., 4).
        frames: ids, (..., 4), of which the other voice's counts.

    Returns:
        Of each voice to each other, (..., 4, 4): the id, and where its kind is in `PERFECT`; -1 = there is none.
    """
    own, other, now = before[..., :, None], before[..., None, :], frames[..., None, :]
    pitch = now + own - other
    upper = torch.arange(VOICES)
    apart = torch.where(upper[:, None] < upper, own - other, other - own) % 12
    moved = (own > 0) & (other > 0) & (now > 0) & (now != other) & (pitch > 0) & (pitch < IDS)
    kind = torch.full_like(pitch, -1)
    for i, interval in enumerate(PERFECT):
        kind = torch.where(moved & (apart == interval), i, kind)
    return pitch.clamp(0, IDS - 1), kind


def near(interval: Tensor, most: int) -> Tensor:
    """An interval as an index, 0 to 2 · most."""
    return interval.clamp(-most, most) + most
