"""Sample token sequences from any network: logits, a mask of what may follow, a seed.

Nothing here knows music: a `Guide` says which tokens may follow and what the network is told of
each place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import TroubadourError

Floats = NDArray[np.float32]


class Guide(Protocol):
    """Follows one sequence as it grows."""

    @property
    def done(self) -> bool:
        """Whether the sequence is complete."""
        ...

    def advance(self, token: int) -> None:
        """Take the token that was chosen."""
        ...

    def allowed(self) -> NDArray[np.bool_]:
        """Tokens that may follow, shape (n_tokens,)."""
        ...

    def features(self) -> tuple[int, ...]:
        """What the network is told of the next place."""
        ...


class Feed(Protocol):
    """A network with the state of several sequences."""

    length: int

    def feed(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> Floats:
        """(batch, time) tokens -> logits of the next, (batch, n_tokens)."""
        ...


class Grown(NamedTuple):
    """A finished sequence."""

    tokens: list[int]
    """With its prompt."""
    surprise: float
    """Mean of -log p of its tokens, in nats: how unlikely the network itself finds it."""


def sample(
    network: Feed,
    guides: Sequence[Guide],
    prompts: Sequence[Sequence[int]],
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> list[Grown | None]:
    """Grow one sequence from each prompt (all of one length) until its guide is done.

    Each sequence draws from a generator of its own, spawned from `rng`: the result does not
    depend on how many are grown together. `None` stands for one that did not end in time.
    """
    draws = rng.spawn(len(guides))
    out = [list(p) for p in prompts]
    surprise = np.zeros(len(guides))
    places: list[list[tuple[int, ...]]] = []
    for guide, prompt in zip(guides, prompts, strict=True):
        places.append([])
        for token in prompt:
            guide.advance(token)
            places[-1].append(guide.features())
    logits = network.feed(np.array(out, dtype=np.int64), np.array(places, dtype=np.int64))
    tokens = np.zeros((len(guides), 1), dtype=np.int64)
    features = np.array([p[-1:] for p in places], dtype=np.int64)
    for _ in range(network.length - len(out[0])):
        for row, guide in enumerate(guides):
            if guide.done:
                continue
            allowed = np.flatnonzero(guide.allowed())
            if not len(allowed):
                raise TroubadourError("the grammar came to a dead end; this is a defect, please report it")
            token = choose(logits[row], allowed, draws[row], temperature, top_p)
            out[row].append(token)
            surprise[row] -= log_probability(logits[row], allowed, token)
            guide.advance(token)
            tokens[row, 0] = token
            features[row, 0] = guide.features()
        if all(guide.done for guide in guides):
            break
        logits = network.feed(tokens, features)
    return [
        Grown(grown, float(surprise[row]) / max(1, len(grown) - len(prompts[row]))) if guide.done else None
        for row, (grown, guide) in enumerate(zip(out, guides, strict=True))
    ]


def log_probability(logits: Floats, allowed: NDArray[np.intp], token: int) -> float:
    """Natural logarithm of the chance that the network gives a token among those allowed."""
    x = logits[allowed].astype(np.float64)
    top = x.max()
    return float(logits[token] - top - np.log(np.exp(x - top).sum()))


def choose(
    logits: Floats, allowed: NDArray[np.intp], rng: np.random.Generator, temperature: float, top_p: float
) -> int:
    """Draw one of the `allowed` tokens; only these are exponentiated and sorted.

    Nucleus sampling (Holtzman et al. 2020): the most probable tokens that make up `top_p`.
    """
    if len(allowed) == 1:
        return int(allowed[0])
    x = logits[allowed].astype(np.float64) / temperature
    p = np.exp(x - x.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    cumulated = np.cumsum(p[order])
    kept = int(np.searchsorted(cumulated, top_p * cumulated[-1])) + 1
    point = rng.random() * cumulated[min(kept, len(order)) - 1]
    return int(allowed[order[min(int(np.searchsorted(cumulated, point, side="right")), kept - 1)]])
