"""The Transformer in ONNX Runtime, with a key-value cache in place.

The cache is one buffer a layer, bound as both past and present, so that a step copies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.core.networks.onnx_graph import FLOAT, INT32, Floats, Shape
from troubadour.core.networks.onnx_layers import cached_attention, feed_forward, rotary
from troubadour.generation.network_spec import FULL, Precision
from troubadour.models.event_graph import (
    Ids,
    Integers,
    embedded,
    event_graph,
    event_session,
    output,
    raw_logits,
)
from troubadour.models.transformer.spec import TransformerSpec


class TransformerRuntime:
    """Runs one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `TransformerNetwork` names them; any float type.
        threads: CPU threads of one step. One is best for one sequence of a small model.
        precision: of the matrices.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """

    def __init__(
        self,
        spec: TransformerSpec,
        weights: Mapping[str, NDArray[Any]],
        threads: int = 1,
        precision: Precision = FULL,
    ) -> None:
        self.spec = spec
        self._session = _session(spec, weights, threads, precision)

    def start(self, batch: int, length: int) -> TransformerState:
        """Room for `batch` sequences of up to `length` tokens, nothing fed yet."""
        if length > self.spec.context:
            raise ModelError(f"{length} tokens asked for; this model holds {self.spec.context}")
        return TransformerState(self._session, self.spec, batch, length)

    def embed(self, tokens: Integers, features: Integers) -> Floats:
        """Last hidden states of whole sequences, (batch, time, width)."""
        batch, time = tokens.shape
        return self.start(batch, time).run(tokens, features, "hidden")


class TransformerState:
    """A batch of sequences under generation, with its key-value cache."""

    def __init__(self, session: Any, spec: TransformerSpec, batch: int, length: int) -> None:
        self._session, self.batch, self.length = session, batch, length
        self.position = 0
        self._ids = Ids(spec, batch, length)
        shape = (batch, spec.heads, length, spec.head)
        self._cache = {
            f"{kind}_{i}": ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=np.float32))
            for i in range(spec.layers)
            for kind in ("key", "value")
        }
        # A step of one token writes into these and runs what is bound to them: a tenth of the time
        # of a small model would go into binding afresh.
        self._one = np.zeros((batch, 1, 1 + len(spec.input_sizes)), dtype=np.int64)
        self._last = np.zeros(batch, dtype=np.int32)
        self._total = np.zeros((), dtype=np.int32)
        self._logits = np.zeros((batch, raw_logits(spec)), dtype=np.float32)
        self._step = self._bound(self._one)
        self._step.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(self._logits))

    def step(self, tokens: Integers, features: Integers) -> Floats:
        """Feed (batch, time) tokens with features (batch, time, n); logits of the next, (batch, tokens)."""
        if tokens.shape[1] > 1:
            return self._ids.logits(self.run(tokens, features, "logits"))
        self._ids.fill(self._one, tokens, features)
        self._advance(1)
        self._session.run_with_iobinding(self._step)
        return self._ids.logits(self._logits)

    def run(self, tokens: Integers, features: Integers, output: str) -> Floats:
        """As `step`, with a choice of output: `logits` or `hidden`."""
        self._advance(tokens.shape[1])
        binding = self._bound(self._ids.of(tokens, features))
        binding.bind_output(output)
        self._session.run_with_iobinding(binding)
        return cast(Floats, binding.get_outputs()[-1].numpy())

    def _advance(self, time: int) -> None:
        if self.position + time > self.length:
            raise ModelError(f"sequence is full: {self.position} + {time} tokens, room for {self.length}")
        self.position += time
        self._last[...] = self.position - 1
        self._total[...] = self.position

    def _bound(self, ids: Integers) -> Any:
        binding = self._session.io_binding()
        for name, array in (("ids", ids), ("last", self._last), ("total", self._total)):
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for name, value in self._cache.items():
            binding.bind_ortvalue_input(f"past_{name}", value)
            binding.bind_ortvalue_output(f"present_{name}", value)
        return binding


def _session(
    spec: TransformerSpec, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision
) -> Any:
    graph = event_graph(weights, precision)
    angles = rotary(graph, spec.context, spec.head, spec.rotary_base)
    x = embedded(graph, spec)
    shape: Shape = ["batch", spec.heads, "length", spec.head]
    past: dict[str, tuple[int, Shape]] = {}
    present: dict[str, Shape] = {}
    for i in range(spec.layers):
        x = cached_attention(graph, x, f"layer.{i}", spec.width, spec.heads, i, angles)
        x = feed_forward(graph, x, f"layer.{i}", spec.width, spec.hidden)
        for kind in ("key", "value"):
            past[f"past_{kind}_{i}"] = (FLOAT, shape)
            present[f"present_{kind}_{i}"] = shape
    output(graph, x, spec)
    lengths: dict[str, tuple[int, Shape]] = {"last": (INT32, ["batch"]), "total": (INT32, [])}
    return event_session(graph, spec, {**past, **lengths}, present, threads)
