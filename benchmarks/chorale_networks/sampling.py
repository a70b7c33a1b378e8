"""Write chorales frame by frame from one frame network or several, many at a time, freely or within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .backbones import BackboneMemory
from .network import VoiceNetwork
from .training import batch_of
from .voices import LOWEST, VOICES, Past, VoiceGrid

Bound = Callable[[NDArray[np.int64], NDArray[np.int64], int, tuple[int, ...]], NDArray[np.bool_]]
"""Frame before, this frame, voice, voices already given -> which ids are allowed, (65,)."""


@dataclass(frozen=True, slots=True)
class Written:
    """Sampled pieces, and what their bound cost."""

    pieces: list[NDArray[np.int64]]
    """Each (time, 4) MIDI pitches, -1 = rest."""
    cost_nats: float
    """Mean over notes of -log of the probability that the bound left; 0 without one."""


@torch.inference_mode()
def write(
    networks: Sequence[VoiceNetwork],
    pieces: int,
    frames: int,
    rng: np.random.Generator,
    bound: Bound | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Written:
    """Sample pieces of a length; the cost grows with its square.

    Args:
        networks: trained, all of one order; where there are several, the mean of their probabilities counts.
        pieces: how many, at once.
        frames: of each.
        rng: what is drawn.
        bound: what is allowed; everything without it.
        temperature: above 0.
        top_p: share of the probability that is sampled from, above 0 to 1 (Holtzman et al. 2020).
    """
    order = networks[0].spec.order
    for network in networks:
        network.eval()
    lines = np.zeros((pieces, frames, VOICES), dtype=np.int64)
    pasts = [Past() for _ in range(pieces)]
    known = [np.zeros((pieces, frames, VOICES), dtype=np.int64) for _ in range(4)]
    known += [np.zeros((pieces, frames, 2), dtype=np.int64) for _ in range(2)]
    memories: list[BackboneMemory | None] = [None] * len(networks)
    cost = 0.0
    for t in range(frames):
        for i, past in enumerate(pasts):
            for column, value in zip(known, past.known(), strict=True):
                column[i, t] = value
        batch = batch_of(
            [VoiceGrid(lines[i, : t + 1], *(c[i, : t + 1] for c in known)) for i in range(pieces)]
        )
        frame = batch.last()
        went_on = [network.go_on(frame, memory) for network, memory in zip(networks, memories, strict=True)]
        hidden, memories = [h for h, _ in went_on], [memory for _, memory in went_on]
        for place, voice in enumerate(order):
            read = [n.read(frame, h)[:, 0, voice].double() for n, h in zip(networks, hidden, strict=True)]
            shares = (torch.stack(read).softmax(-1).mean(0) ** (1 / temperature)).numpy()
            shares /= shares.sum(axis=1, keepdims=True)
            for i in range(pieces):
                share = shares[i] if top_p == 1.0 else nucleus(shares[i], top_p)
                if bound is not None:
                    share = share * bound(known[0][i, t], lines[i, t], voice, order[:place])
                    cost -= float(np.log(share.sum()))
                    share = share / share.sum()
                lines[i, t, voice] = rng.choice(len(share), p=share)
            frame.frames[:, 0, voice] = torch.from_numpy(lines[:, t, voice])
        for i, past in enumerate(pasts):
            past.add(lines[i, t])
    pitches = np.where(lines > 0, lines + LOWEST - 1, -1)
    return Written(list(pitches), cost / (pieces * frames * VOICES))


def nucleus(shares: NDArray[np.float64], top_p: float) -> NDArray[np.float64]:
    """The likeliest that make up `top_p` together, summing to one; the rest is nil.

    >>> nucleus(np.array([0.5, 0.3, 0.2]), 0.6).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    kept = np.zeros_like(shares)
    kept[order[before < top_p]] = shares[order[before < top_p]]
    return kept / kept.sum()
