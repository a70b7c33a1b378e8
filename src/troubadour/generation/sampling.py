"""Batched autoregressive decoding under token masks, with classifier-free guidance and nucleus sampling.

This module knows tokens, masks and logits but no music: a `SequenceDecoder` provides the allowed tokens and
the position features of each sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
"""Allowed tokens, shape (n_tokens,)."""


class SequenceDecoder(Protocol):
    """State of one sequence under generation."""

    forced: bool
    """Whether the next token is given rather than sampled."""
    fallback_mask: Mask | None
    """Fallback mask, used when every allowed token was rejected; `None` = no fallback."""

    @property
    def done(self) -> bool:
        """Whether the sequence is complete."""
        ...

    @property
    def fully_forced(self) -> bool:
        """Whether all remaining tokens are forced."""
        ...

    def advance(self, token: int) -> None:
        """Append a token of the prompt."""
        ...

    def take(self, token: int) -> bool:
        """Append a sampled token; returns false and changes nothing if no token could follow it."""
        ...

    def allowed(self) -> Mask:
        """Allowed tokens, shape (n_tokens,), bool."""
        ...

    def unforced(self) -> Mask:
        """Tokens that would be allowed without given tokens, shape (n_tokens,), bool."""
        ...

    def features(self) -> tuple[int, ...]:
        """Position features of the next token."""
        ...


class DecoderState(Protocol):
    """A network with the state of a batch of sequences."""

    length: int
    """Largest number of tokens of a sequence, prompt included."""

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> Floats:
        """Feed tokens and return the logits of the next one.

        Args:
            tokens: shape (batch, time), int64.
            features: shape (batch, time, n_features), int64.

        Returns:
            Logits, shape (batch, n_tokens), float32.
        """
        ...


class GuidanceBranch(NamedTuple):
    """Unconditional branch: same weights, part of the prompt dropped."""

    network: DecoderState
    """State without tokens so far."""
    kept: Mask
    """Tokens of the prompt that the branch reads, shape (prompt,)."""
    weight: float
    """Guidance weight of the dropped tokens; 1 = no effect."""


class GuidedDecoder:
    """Classifier-free guidance (Ho & Salimans 2022) with several unconditional branches.

    The logits are `conditional + sum of (weight - 1) * (conditional - unconditional)` over the branches.
    Each branch costs one more run of the network.

    Args:
        conditional: reads the whole prompt.
        branches: unconditional branches with their weights.
    """

    def __init__(self, conditional: DecoderState, branches: Sequence[GuidanceBranch]) -> None:
        self._conditional, self._branches = conditional, branches
        self._prompt_read = False
        self.length = conditional.length

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> Floats:
        """See `DecoderState.step`; the first call has to hold the whole prompt."""
        conditional = self._conditional.step(tokens, features)
        mixed = conditional.copy()
        for network, kept, weight in self._branches:
            part = slice(None) if self._prompt_read else kept
            unconditional = network.step(tokens[:, part], features[:, part])
            mixed += np.float32(weight - 1) * (conditional - unconditional)
        self._prompt_read = True
        return mixed


class FinishedSequence(NamedTuple):
    """A finished sequence."""

    tokens: list[int]
    """Prompt included."""
    mean_nll: float
    """Mean negative log-likelihood in nats a token, given tokens included, up to the point from which the
    sequence is fully forced."""


class BatchedDecoding:
    """Batched autoregressive decoding; results are independent of batch composition.

    Costs one step of the network for each token of the longest sequence.

    Args:
        network: state without tokens, for as many sequences as there are decoders.
        decoders: one for each sequence.
        prompts: tokens of each sequence, all of one length.
        rng: parent of one generator for each sequence.
        temperature: divisor of the logits, above 0.
        top_p: share of the probability that is sampled from, above 0 to 1.
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
        self._network, self._decoders = network, decoders
        self._temperature, self._top_p = temperature, top_p
        self._rngs = rng.spawn(len(decoders))
        self._out = [list(p) for p in prompts]
        self._prompt = len(self._out[0])
        self._nll = np.zeros(len(decoders))
        self._counted = np.zeros(len(decoders), dtype=np.int64)
        self._dead = [False] * len(decoders)

    def steps(self) -> Iterator[None]:
        """Append one token to each sequence at each step, until all are done or the network is full."""
        places: list[list[tuple[int, ...]]] = []
        for decoder, prompt in zip(self._decoders, self._out, strict=True):
            places.append([])
            for token in prompt:
                decoder.advance(token)
                places[-1].append(decoder.features())
        logits = self._network.step(np.array(self._out, dtype=np.int64), np.array(places, dtype=np.int64))
        tokens = np.zeros((len(self._decoders), 1), dtype=np.int64)
        features = np.array([p[-1:] for p in places], dtype=np.int64)
        for _ in range(self._network.length - self._prompt):
            for row, decoder in enumerate(self._decoders):
                if decoder.done or self._dead[row]:
                    continue
                sampled = self._take(row, decoder, logits[row])
                if sampled is None:
                    self._dead[row] = True
                    continue
                tokens[row, 0] = sampled
                features[row, 0] = decoder.features()
            yield
            unfinished = [d for d, dead in zip(self._decoders, self._dead, strict=True) if not dead]
            if all(decoder.done for decoder in unfinished):
                return
            if not all(decoder.fully_forced for decoder in unfinished):
                logits = self._network.step(tokens, features)

    def _take(self, row: int, decoder: SequenceDecoder, logits: Floats) -> int | None:
        """Sample and append one token; `None` at a dead end."""
        mask = decoder.allowed()
        forced, fully_forced = decoder.forced, decoder.fully_forced
        while True:
            allowed = np.flatnonzero(mask)
            if not len(allowed):
                if decoder.fallback_mask is None:
                    return None
                mask, decoder.fallback_mask = decoder.fallback_mask, None
                continue
            token = choose(logits, allowed, self._rngs[row], self._temperature, self._top_p)
            if forced:
                allowed = np.flatnonzero(decoder.unforced())
            if decoder.take(token):
                self._out[row].append(token)
                if not fully_forced:
                    self._nll[row] -= log_probability(logits, allowed, token)
                    self._counted[row] += 1
                return token
            mask = mask.copy()
            mask[token] = False

    def finished(self) -> list[FinishedSequence | None]:
        """Finished sequences; `None` for a sequence that is too long or came to a dead end."""
        return [
            FinishedSequence(out, float(self._nll[row]) / max(1, int(self._counted[row])))
            if decoder.done
            else None
            for row, (out, decoder) in enumerate(zip(self._out, self._decoders, strict=True))
        ]

    @property
    def n_dead_ends(self) -> int:
        """Number of sequences in which no token was allowed."""
        return sum(self._dead)


def sample(
    network: DecoderState,
    decoders: Sequence[SequenceDecoder],
    prompts: Sequence[Sequence[int]],
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> list[FinishedSequence | None]:
    """Decode one sequence from each prompt; see `BatchedDecoding` and `BatchedDecoding.finished`."""
    decoding = BatchedDecoding(network, decoders, prompts, rng, temperature=temperature, top_p=top_p)
    for _ in decoding.steps():
        pass
    return decoding.finished()


def log_probability(logits: Floats, allowed: NDArray[np.intp], token: int) -> float:
    """Log-probability in nats of a token among the allowed ones.

    Args:
        logits: shape (n_tokens,).
        allowed: token numbers, shape (n_allowed,).
        token: one of `allowed`.
    """
    x = logits[allowed].astype(np.float64)
    top = x.max()
    return float(logits[token] - top - np.log(np.exp(x - top).sum()))


def choose(
    logits: Floats, allowed: NDArray[np.intp], rng: np.random.Generator, temperature: float, top_p: float
) -> int:
    """Nucleus sampling (Holtzman et al. 2020) among the allowed tokens.

    Costs O(a log a) for `a` allowed tokens.

    Args:
        logits: shape (n_tokens,).
        allowed: token numbers, shape (n_allowed,).
        rng: source of randomness; unused for a single allowed token.
        temperature: divisor of the logits, above 0.
        top_p: share of the probability that is sampled from, above 0 to 1.
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
