"""The VAE in NumPy: the same weights as `network`, without torch.

All bars of a passage are written at once, so that a passage of any length takes as many steps as a
bar has: about 25 ms for 16 bars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.models.vae.passages import METRES, PAD
from troubadour.models.vae.spec import VaeSpec

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
_EPSILON: Final = 1e-6

Choose = Callable[[int, Floats, Integers], Integers]
"""(step, logits (n, bars, tokens), tokens so far (n, bars, step)) -> tokens of the step (n, bars)."""


class VaeRuntime:
    """Runs one set of weights.

    Raises:
        ModelError: a weight is missing, of the wrong shape or not finite.
    """

    def __init__(self, spec: VaeSpec, weights: Mapping[str, NDArray[Any]]) -> None:
        self.spec = spec
        self._weights = {name: _checked(name, weights, shape) for name, shape in shapes(spec).items()}

    def encode(self, grid: NDArray[Any], metre: NDArray[Any]) -> tuple[Floats, Floats]:
        """Mean and log-variance, each (n, latent), of grids (n, bars, steps) and metre rows (n,)."""
        w = self._weights
        n, bars, _ = grid.shape
        flat = w["token_in.weight"][grid.astype(np.int64)].reshape(n, bars, -1)
        x = np.square(np.maximum(_norm(flat @ w["bar_up.weight"].T, w["bar_norm.weight"]), 0.0))
        x = x @ w["bar_down.weight"].T
        x = np.concatenate([np.zeros((n, 1, x.shape[2]), dtype=np.float32), x], axis=1)
        x = x + w["place_in.weight"][: bars + 1] + w["metre_in.weight"][metre.astype(np.int64)][:, None]
        for i in range(self.spec.bar_layers):
            x = self._block(x, f"encoder.{i}.")
        x = _norm(x, w["encoder_norm.weight"]).reshape(n, -1)
        out = x @ w["to_latent.weight"][:, : x.shape[1]].T
        mean, log_variance = np.split(out, 2, axis=1)
        return mean, np.clip(log_variance, -8.0, 4.0)

    def write(self, z: Floats, metre: NDArray[Any], bars: int, choose: Choose) -> Integers:
        """Grids (n, bars, steps) from latent vectors (n, latent), step by step as `choose` says.

        Steps past the metre's last are padded.
        """
        w, n = self._weights, len(z)
        rows = metre.astype(np.int64)
        x = (z @ w["from_latent.weight"].T).reshape(n, self.spec.longest, -1)[:, :bars]
        x = (
            x
            + w["place_out.weight"][:bars]
            + w["metre_out.weight"][rows][:, None]
            + w["length_out.weight"][bars]
        )
        for i in range(self.spec.bar_layers):
            x = self._block(x, f"conductor.{i}.")
        bar = (x @ w["bar_out.weight"].T).reshape(n * bars, self.spec.steps, -1)
        lengths = np.array([a * 16 // b for a, b in METRES])[rows]
        out = np.full((n, bars, self.spec.steps), PAD, dtype=np.int64)
        caches: list[list[Floats]] = [[] for _ in range(self.spec.step_layers)]
        before = np.full(n * bars, PAD, dtype=np.int64)
        for step in range(int(lengths.max())):
            x = (w["token_out.weight"][before] + bar[:, step])[:, None]
            for i, cache in enumerate(caches):
                x = self._block(x, f"decoder.{i}.", cache)
            logits = _norm(x[:, 0], w["decoder_norm.weight"]) @ w["head.weight"].T
            logits = logits.reshape(n, bars, -1)
            logits[..., PAD] = -np.inf
            taken = choose(step, logits, out[:, :, :step])
            out[:, :, step] = np.where((step < lengths)[:, None], taken, PAD)
            before = out[:, :, step].reshape(-1)
        return out

    def _block(self, x: Floats, at: str, cache: list[Floats] | None = None) -> Floats:
        """One layer; with a cache, of one more step that sees the steps before it."""
        w, head = self._weights, self.spec.head
        n, time, width = x.shape
        qkv = _norm(x, w[f"{at}attention_norm.weight"]) @ w[f"{at}qkv.weight"].T
        q, k, v = qkv.reshape(n, time, 3, width // head, head).transpose(2, 0, 3, 1, 4)
        if cache is not None:
            if cache:
                k, v = np.concatenate([cache[0], k], axis=2), np.concatenate([cache[1], v], axis=2)
            cache[:] = [k, v]
        scores = q @ k.transpose(0, 1, 3, 2) / np.float32(head**0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        y = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        x = x + y.transpose(0, 2, 1, 3).reshape(n, time, width) @ w[f"{at}out.weight"].T
        up = np.maximum(_norm(x, w[f"{at}feed_norm.weight"]) @ w[f"{at}up.weight"].T, 0.0)
        out: Floats = x + np.square(up) @ w[f"{at}down.weight"].T
        return out


def shapes(spec: VaeSpec) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width, hidden, longest = spec.width, spec.hidden, spec.longest
    found: dict[str, tuple[int, ...]] = {
        "token_in.weight": (spec.tokens, spec.token),
        "metre_in.weight": (len(METRES), width),
        "bar_up.weight": (hidden, spec.steps * spec.token),
        "bar_norm.weight": (hidden,),
        "bar_down.weight": (width, hidden),
        "place_in.weight": (longest + 1, width),
        "encoder_norm.weight": (width,),
        "to_latent.weight": (2 * spec.latent, (longest + 1) * width),
        "from_latent.weight": (longest * width, spec.latent),
        "length_out.weight": (longest + 1, width),
        "place_out.weight": (longest, width),
        "metre_out.weight": (len(METRES), width),
        "token_out.weight": (spec.tokens + 1, width),
        "bar_out.weight": (spec.steps * width, width),
        "decoder_norm.weight": (width,),
        "head.weight": (spec.tokens, width),
    }
    stacks = (("encoder", spec.bar_layers), ("conductor", spec.bar_layers), ("decoder", spec.step_layers))
    for name, layers in stacks:
        for i in range(layers):
            at = f"{name}.{i}."
            found |= {
                f"{at}attention_norm.weight": (width,),
                f"{at}qkv.weight": (3 * width, width),
                f"{at}out.weight": (width, width),
                f"{at}feed_norm.weight": (width,),
                f"{at}up.weight": (4 * width, width),
                f"{at}down.weight": (width, 4 * width),
            }
    return found


def _checked(name: str, weights: Mapping[str, NDArray[Any]], shape: tuple[int, ...]) -> Floats:
    if name not in weights:
        raise ModelError(f"weight '{name}' is missing")
    array = np.ascontiguousarray(weights[name], dtype=np.float32)
    if array.shape != shape:
        raise ModelError(f"weight '{name}' has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise ModelError(f"weight '{name}' holds values that are not finite")
    return array


def _norm(x: Floats, gain: Floats) -> Floats:
    out: Floats = x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + np.float32(_EPSILON)) * gain
    return out
