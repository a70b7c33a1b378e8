"""The Transformer in ONNX Runtime, with a key-value cache in place.

The graph uses ONNX Runtime's fused operators (GroupQueryAttention with packed queries, keys and
values and rotary positions; SimplifiedLayerNormalization = RMSNorm). The cache is one buffer a
layer, bound as both past and present, so that a step copies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto

from troubadour.core.errors import ModelError
from troubadour.generation.network_spec import FULL, Precision
from troubadour.models.onnx_graph import Floats, Graph, Ids, Integers, raw_logits
from troubadour.models.transformer.spec import TransformerSpec

_MICROSOFT: Final = "com.microsoft"


class TransformerRuntime:
    """Runs one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `network.Network` names them; any float type.
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
    """Sequences that grow together, with their key-value cache."""

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
        self._one = np.zeros((batch, 1, 1 + len(spec.told)), dtype=np.int64)
        self._last = np.zeros(batch, dtype=np.int32)
        self._total = np.zeros((), dtype=np.int32)
        self._logits = np.zeros((batch, raw_logits(spec)), dtype=np.float32)
        self._step = self._bound(self._one)
        self._step.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(self._logits))

    def step(self, tokens: Integers, features: Integers) -> Floats:
        """Feed (batch, time) tokens with features (batch, time, n); logits of the next, (batch, tokens)."""
        if tokens.shape[1] > 1:
            return self._ids.lifted(self.run(tokens, features, "logits"))
        self._ids.fill(self._one, tokens, features)
        self._advance(1)
        self._session.run_with_iobinding(self._step)
        return self._ids.lifted(self._logits)

    def run(self, tokens: Integers, features: Integers, output: str) -> Floats:
        """As `feed`, with a choice of output: `logits` or `hidden`."""
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
    graph = Graph(weights, precision)
    width, hidden = spec.width, spec.hidden
    angle = np.arange(spec.context)[:, None] * spec.rotary_base ** (-np.arange(0, spec.head, 2) / spec.head)
    cos = graph.constant("rotary.cos", np.cos(angle).astype(np.float32))
    sin = graph.constant("rotary.sin", np.sin(angle).astype(np.float32))
    x = graph.embedded(spec)
    shape = ["batch", spec.heads, "length", spec.head]
    past: dict[str, tuple[Any, list[Any]]] = {}
    present: dict[str, list[Any]] = {}
    for i in range(spec.layers):
        at = f"layer.{i}"
        y = graph.norm(x, f"{at}.attention_norm", width)
        y = graph.linear(y, f"{at}.qkv", (3 * width, width), f"{at}.packed")
        y = graph.node(
            "GroupQueryAttention",
            [y, "", "", f"past_key_{i}", f"past_value_{i}", "last", "total", cos, sin],
            [f"{at}.attended", f"present_key_{i}", f"present_value_{i}"],
            domain=_MICROSOFT,
            num_heads=spec.heads,
            kv_num_heads=spec.heads,
            do_rotary=1,
            rotary_interleaved=0,
        )
        for kind in ("key", "value"):
            past[f"past_{kind}_{i}"] = (TensorProto.FLOAT, shape)
            present[f"present_{kind}_{i}"] = shape
        y = graph.linear(y, f"{at}.out", (width, width), f"{at}.o")
        x = graph.node("Add", [x, y], f"{at}.x")
        y = graph.norm(x, f"{at}.feed_norm", width)
        y = graph.linear(y, f"{at}.up", (hidden, width), f"{at}.raised")
        y = graph.node("Relu", [y], f"{at}.relu")
        y = graph.node("Mul", [y, y], f"{at}.squared")
        y = graph.linear(y, f"{at}.down", (width, hidden), f"{at}.lowered")
        x = graph.node("Add", [x, y], f"{at}.y")
    graph.logits(graph.node("Identity", [graph.norm(x, "norm", width)], "hidden"), spec)
    lengths = {"last": (TensorProto.INT32, ["batch"]), "total": (TensorProto.INT32, [])}
    return graph.session(spec, {**past, **lengths}, present, threads)
