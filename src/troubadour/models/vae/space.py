"""What can be done in the latent space: reconstruct, sample, blend two passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.models.vae.latent_map import LatentMap
from troubadour.models.vae.passages import HOLD, LENGTHS, LOWEST, METRES, PAD, PITCH, Passage
from troubadour.models.vae.runtime import Choose, VaeRuntime

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn from the decoder."""

    temperature: float = 1.0
    """0 = always the likeliest."""
    top_p: float = 1.0
    pitches: Mask | None = None
    """MIDI pitches that may sound, shape (128,)."""

    def chooser(self, rng: np.random.Generator) -> Choose:
        """Draws for `VaeRuntime.write`."""
        allowed = np.ones(PAD + 1, dtype=bool)
        if self.pitches is not None:
            allowed[PITCH:PAD] = self.pitches[LOWEST : LOWEST + PAD - PITCH]

        def choose(step: int, logits: Floats, _: NDArray[np.int64]) -> NDArray[np.int64]:
            logits = np.where(allowed, logits, -np.inf)
            if step == 0:
                logits[:, 0, HOLD] = -np.inf  # nothing sounds before a passage
            if not self.temperature:
                return np.asarray(logits.argmax(axis=-1))
            noisy = logits / np.float32(self.temperature)
            if self.top_p < 1.0:
                noisy = _nucleus(noisy, self.top_p)
            # The largest of logits with Gumbel noise is a draw from their softmax.
            return np.asarray((noisy + rng.gumbel(size=noisy.shape)).argmax(axis=-1))

        return choose


class Space:
    """The latent space of one VAE."""

    def __init__(self, engine: VaeRuntime, latent_map: LatentMap) -> None:
        self.engine, self.latent_map = engine, latent_map

    def encode(self, passages: Sequence[Passage]) -> Floats:
        """Posterior means, shape (n, latent).

        Raises:
            InputError: the passages differ in length, or are of a length that is not known.
        """
        _one_length(passages)
        grid = np.stack([p.grid for p in passages])
        return self.engine.encode(grid, np.array([METRES.index(p.metre) for p in passages]))[0]

    def decode(
        self, z: Floats, like: Passage, rng: np.random.Generator, sampling: Sampling | None = None
    ) -> list[Passage]:
        """Passages of latent vectors (n, latent), in the length, metre, key and tempo of another."""
        metre = np.full(len(z), METRES.index(like.metre))
        grids = self.engine.write(z, metre, like.bars, (sampling or Sampling()).chooser(rng))
        return [Passage(g.astype(np.uint8), like.metre, like.key, like.tempo_bpm) for g in grids]

    def reconstruct(
        self, passages: Sequence[Passage], rng: np.random.Generator, sampling: Sampling | None = None
    ) -> list[Passage]:
        """Each passage through the latent vector and back."""
        latents = self.encode(passages)
        return [self.decode(z[None], p, rng, sampling)[0] for z, p in zip(latents, passages, strict=True)]

    def nats(self, passages: Sequence[Passage], rng: np.random.Generator) -> NDArray[np.float64]:
        """Negative ELBO of each passage, shape (n,): what it costs to tell it, at most (Kingma & Welling 2014).

        One draw of the latent vector a passage; the KL is whole, without the free bits of training.

        Raises:
            InputError: the passages differ in length, or are of a length that is not known.
        """
        _one_length(passages)
        out = np.zeros(len(passages))
        for start in range(0, len(passages), _CHUNK):
            chunk = passages[start : start + _CHUNK]
            grid = np.stack([p.grid for p in chunk]).astype(np.int64)
            metre = np.array([METRES.index(p.metre) for p in chunk])
            mean, log_variance = self.engine.encode(grid, metre)
            z = mean + np.exp(log_variance / 2) * rng.standard_normal(mean.shape).astype(np.float32)
            spent = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1, dtype=np.float64)

            def tell(
                step: int,
                logits: Floats,
                _: NDArray[np.int64],
                grid: NDArray[np.int64] = grid,
                spent: NDArray[np.float64] = spent,
            ) -> NDArray[np.int64]:
                said = grid[:, :, step]
                top = logits.max(axis=-1)
                whole = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
                taken = np.take_along_axis(logits, said[..., None], axis=-1)[..., 0]
                spent += np.where(said == PAD, 0.0, whole - taken).sum(axis=1)
                return said

            self.engine.write(z, metre, grid.shape[1], tell)
            out[start : start + len(chunk)] = spent
        return out

    def interpolate(
        self, a: Passage, b: Passage, steps: int, rng: np.random.Generator, sampling: Sampling | None = None
    ) -> list[Passage]:
        """From one passage to another along an arc, both ends included, in the metre and key of the first.

        Raises:
            InputError: lengths or metres differ, or steps is below 2.
        """
        if steps < 2:
            raise InputError(f"steps is {steps}; allowed: 2 and more, both ends counted")
        if a.metre != b.metre:
            raise InputError(f"metres are {a.metre} and {b.metre}; allowed: two passages of one metre")
        first, last = self.encode([a, b])
        z = np.stack([slerp(first, last, t) for t in np.linspace(0.0, 1.0, steps)])
        return self.decode(z, a, rng, sampling or Sampling(temperature=0.0))

    def sample(
        self,
        style: str,
        mode: str,
        n: int,
        rng: np.random.Generator,
        guidance: float = 1.0,
        width: float = 1.0,
    ) -> Floats:
        """Latent vectors of a style, shape (n, latent), from its region's Gaussian.

        Args:
            width: standard deviations; below 1 nearer to the middle.
        """
        noise = rng.standard_normal((n, len(self.latent_map.spread))).astype(np.float32)
        centre = self.latent_map.centre(style, mode, guidance)
        return np.asarray(centre + np.float32(width) * noise @ self.latent_map.spread.T, dtype=np.float32)


def _one_length(passages: Sequence[Passage]) -> None:
    lengths = {p.bars for p in passages}
    if len(lengths) != 1 or not lengths <= set(LENGTHS):
        raise InputError(
            f"passages of {sorted(lengths)} bars; allowed: all of one length, {', '.join(map(str, LENGTHS))}"
        )


def slerp(a: Floats, b: Floats, share: float) -> Floats:
    """Spherical interpolation, so that what lies between is as long as the ends are."""
    cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))
    angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
    if angle < 1e-4:
        return np.asarray((1.0 - share) * a + share * b, dtype=np.float32)
    weights = np.sin((1.0 - share) * angle), np.sin(share * angle)
    return np.asarray((weights[0] * a + weights[1] * b) / np.sin(angle), dtype=np.float32)


def token_accuracy(truth: Sequence[Passage], made: Sequence[Passage]) -> float:
    """Share of the steps whose token is the same (MusicVAE's measure)."""
    same = total = 0
    for a, b in zip(truth, made, strict=True):
        there = a.grid != PAD
        same += int((a.grid == b.grid)[there].sum())
        total += int(there.sum())
    return same / max(total, 1)


def _nucleus(logits: Floats, top_p: float) -> Floats:
    """Strike out what lies beyond the likeliest `top_p` of the probability."""
    order: Floats = np.sort(logits, axis=-1)[..., ::-1]
    odds: Floats = np.exp(order - order[..., :1])
    shares: Floats = odds / odds.sum(axis=-1, keepdims=True)
    kept = np.cumsum(shares, axis=-1) - shares < top_p
    floor = np.where(kept, order, np.inf).min(axis=-1, keepdims=True)
    out: Floats = np.where(logits >= floor, logits, -np.inf).astype(np.float32)
    return out


__all__ = ["Sampling", "Space", "slerp", "token_accuracy"]
