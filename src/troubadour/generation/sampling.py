"""Sample token sequences from any network: logits, a mask of what may follow, a seed.

Nothing here knows music: a `Guide` says which tokens may follow and what the network is told of
each place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class SequenceDecoder(Protocol):
    """Follows one sequence as it grows."""

    forced: bool
    """Whether the next token is given rather than chosen."""
    fallback_mask: Mask | None
    """What may follow where none of `allowed` can be taken."""

    @property
    def done(self) -> bool:
        """Whether the sequence is complete."""
        ...

    @property
    def fully_forced(self) -> bool:
        """Whether one token alone may follow from here on, each time."""
        ...

    def advance(self, token: int) -> None:
        """Take a token of the prompt."""
        ...

    def take(self, token: int) -> bool:
        """Take the token that was chosen; false, and nothing changed, if it leads nowhere."""
        ...

    def allowed(self) -> Mask:
        """Tokens that may follow, shape (n_tokens,)."""
        ...

    def unforced(self) -> Mask:
        """Tokens that might follow if nothing were given, shape (n_tokens,)."""
        ...

    def features(self) -> tuple[int, ...]:
        """What the network is told of the next place."""
        ...


class DecoderState(Protocol):
    """A network with the state of several sequences."""

    length: int

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> Floats:
        """(batch, time) tokens -> logits of the next, (batch, n_tokens)."""
        ...


class GuidanceBranch(NamedTuple):
    """The same network, told less."""

    network: DecoderState
    """Fresh, like the one it stands beside."""
    kept: Mask
    """Which tokens of the prompt it is told, shape (prompt,)."""
    weight: float
    """How much what it is not told counts: 1 = as if there were no guidance."""


class GuidedDecoder:
    """Classifier-free guidance (Ho & Salimans 2022): what a part of the prompt changes, made larger.

    Networks grow the same sequences, each but the first from a prompt with a part left out; what is
    sampled from is `told + sum of (weight - 1) * (told - untold)`. Each contrast costs the time of
    one network more.

    Args:
        told: grows from the whole prompt.
        contrasts: what is left out, and how much it is to count.
    """

    def __init__(self, conditional: DecoderState, contrasts: Sequence[GuidanceBranch]) -> None:
        self._told, self._contrasts = conditional, contrasts
        self._begun = False
        self.length = conditional.length

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> Floats:
        """As `DecoderState.feed`; the prompt comes first, at once."""
        conditional = self._told.step(tokens, features)
        mixed = conditional.copy()
        for network, kept, weight in self._contrasts:
            part = slice(None) if self._begun else kept
            unconditional = network.step(tokens[:, part], features[:, part])
            mixed += np.float32(weight - 1) * (conditional - unconditional)
        self._begun = True
        return mixed


class FinishedSequence(NamedTuple):
    """A finished sequence."""

    tokens: list[int]
    """With its prompt."""
    mean_nll: float
    """Mean of -log p in nats of its tokens up to where it was settled, given ones included: how unlikely
    the network finds it."""


class BatchedDecoding:
    """Sequences while they grow, one token each at a time.

    Args:
        network: fresh, with room for as many sequences as there are decoders.
        decoders: one for each sequence.
        prompts: all of one length.
        rng: each sequence draws from a generator of its own, spawned from it: the result does not
            depend on how many are grown together.
    """

    def __init__(
        self,
        network: DecoderState,
        decoders: Sequence[SequenceDecoder],
        prompts: Sequence[Sequence[int]],
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> None:
        self._network, self._guides = network, decoders
        self._temperature, self._top_p = temperature, top_p
        self._draws = rng.spawn(len(decoders))
        self._out = [list(p) for p in prompts]
        self._prompt = len(self._out[0])
        self._surprise = np.zeros(len(decoders))
        self._counted = np.zeros(len(decoders), dtype=np.int64)
        self._stopped = [False] * len(decoders)

    def steps(self) -> Iterator[None]:
        """Grow by a token a sequence at each step, until all are done or the network is full."""
        places: list[list[tuple[int, ...]]] = []
        for decoder, prompt in zip(self._guides, self._out, strict=True):
            places.append([])
            for token in prompt:
                decoder.advance(token)
                places[-1].append(decoder.features())
        logits = self._network.step(np.array(self._out, dtype=np.int64), np.array(places, dtype=np.int64))
        tokens = np.zeros((len(self._guides), 1), dtype=np.int64)
        features = np.array([p[-1:] for p in places], dtype=np.int64)
        for _ in range(self._network.length - self._prompt):
            for row, decoder in enumerate(self._guides):
                if decoder.done or self._stopped[row]:
                    continue
                taken = self._take(row, decoder, logits[row])
                if taken is None:
                    self._stopped[row] = True
                    continue
                tokens[row, 0] = taken
                features[row, 0] = decoder.features()
            yield
            growing = [g for g, stopped in zip(self._guides, self._stopped, strict=True) if not stopped]
            if all(decoder.done for decoder in growing):
                return
            if not all(decoder.fully_forced for decoder in growing):
                logits = self._network.step(tokens, features)

    def _take(self, row: int, decoder: SequenceDecoder, logits: Floats) -> int | None:
        mask = decoder.allowed()
        given, fully_forced = decoder.forced, decoder.fully_forced
        while True:
            allowed = np.flatnonzero(mask)
            if not len(allowed):
                if decoder.fallback_mask is None:
                    return None
                mask, decoder.fallback_mask = decoder.fallback_mask, None
                continue
            token = choose(logits, allowed, self._draws[row], self._temperature, self._top_p)
            if given:
                allowed = np.flatnonzero(decoder.unforced())
            if decoder.take(token):
                self._out[row].append(token)
                if not fully_forced:
                    self._surprise[row] -= log_probability(logits, allowed, token)
                    self._counted[row] += 1
                return token
            mask = mask.copy()
            mask[token] = False

    def finished(self) -> list[FinishedSequence | None]:
        """The finished sequences; `None` stands for one that did not end, or could not go on."""
        return [
            FinishedSequence(out, float(self._surprise[row]) / max(1, int(self._counted[row])))
            if decoder.done
            else None
            for row, (out, decoder) in enumerate(zip(self._out, self._guides, strict=True))
        ]

    @property
    def stopped(self) -> int:
        """How many sequences came to a place where nothing may follow."""
        return sum(self._stopped)


def sample(
    network: DecoderState,
    decoders: Sequence[SequenceDecoder],
    prompts: Sequence[Sequence[int]],
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> list[FinishedSequence | None]:
    """Grow one sequence from each prompt (all of one length) until its decoder is done.

    `None` stands for one that did not end in time, or came where nothing may follow.
    """
    decoding = BatchedDecoding(network, decoders, prompts, rng, temperature=temperature, top_p=top_p)
    for _ in decoding.steps():
        pass
    return decoding.finished()


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
