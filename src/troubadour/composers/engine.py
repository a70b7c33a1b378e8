"""The Transformer in ONNX Runtime: the graph, built from weights, with a key-value cache in place.

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
from onnx import TensorProto, helper, numpy_helper

from troubadour.composers.spec import TransformerSpec
from troubadour.errors import ModelError

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_EPSILON: Final = 1e-6
_MICROSOFT: Final = "com.microsoft"


class Engine:
    """Runs one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `network.Network` names them; any float type.
        threads: CPU threads of one step. One is best for one sequence of a small model.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """

    def __init__(self, spec: TransformerSpec, weights: Mapping[str, NDArray[Any]], threads: int = 1) -> None:
        self.spec = spec
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph = build_graph(spec, weights)
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises plain exceptions of its own
            raise ModelError(f"weights do not fit the graph: {error}") from error

    def start(self, batch: int, length: int) -> Stream:
        """Room for `batch` sequences of up to `length` tokens, nothing fed yet."""
        if length > self.spec.context:
            raise ModelError(f"{length} tokens asked for; this model holds {self.spec.context}")
        return Stream(self._session, self.spec, batch, length)

    def embed(self, tokens: Integers, features: Integers) -> Floats:
        """Last hidden states of whole sequences, (batch, time, width)."""
        batch, time = tokens.shape
        stream = self.start(batch, time)
        return stream.run(tokens, features, "hidden")


class Stream:
    """Sequences that grow together, with their key-value cache."""

    def __init__(self, session: Any, spec: TransformerSpec, batch: int, length: int) -> None:
        self._session, self._spec, self.batch, self.length = session, spec, batch, length
        self.position = 0
        shape = (batch, spec.heads, length, spec.head)
        self._cache = {
            f"{kind}_{i}": ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=np.float32))
            for i in range(spec.layers)
            for kind in ("key", "value")
        }

    def feed(self, tokens: Integers, features: Integers) -> Floats:
        """Feed (batch, time) tokens with features (batch, time, n); logits of the next, (batch, tokens)."""
        return self.run(tokens, features, "logits")

    def run(self, tokens: Integers, features: Integers, output: str) -> Floats:
        """As `feed`, with a choice of output: `logits` or `hidden`."""
        time = tokens.shape[1]
        if self.position + time > self.length:
            raise ModelError(f"sequence is full: {self.position} + {time} tokens, room for {self.length}")
        total = self.position + time
        binding = self._session.io_binding()
        inputs = {
            "tokens": np.ascontiguousarray(tokens, dtype=np.int64),
            "features": np.ascontiguousarray(features, dtype=np.int64),
            "last": np.full(self.batch, total - 1, dtype=np.int32),
            "total": np.array(total, dtype=np.int32),
        }
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name, value in self._cache.items():
            binding.bind_ortvalue_input(f"past_{name}", value)
            binding.bind_ortvalue_output(f"present_{name}", value)
        binding.bind_output(output)
        self._session.run_with_iobinding(binding)
        self.position = total
        return cast(Floats, binding.get_outputs()[-1].numpy())


def build_graph(spec: TransformerSpec, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The serialised ONNX model.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """
    initialisers: list[Any] = []
    nodes: list[Any] = []

    def weight(name: str, shape: tuple[int, ...], transpose: bool = False) -> str:
        if name not in weights:
            raise ModelError(f"weight '{name}' is missing")
        array = np.asarray(weights[name], dtype=np.float32)
        if array.shape != shape:
            raise ModelError(f"weight '{name}' has shape {array.shape}; expected {shape}")
        if not np.isfinite(array).all():
            raise ModelError(f"weight '{name}' holds values that are not finite")
        label = f"{name}.T" if transpose else name
        array = np.ascontiguousarray(array.T if transpose else array)
        initialisers.append(numpy_helper.from_array(array, label))
        return label

    def constant(name: str, array: NDArray[Any]) -> str:
        initialisers.append(numpy_helper.from_array(array, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def norm(x: str, name: str, output: str) -> str:
        scale = weight(f"{name}.weight", (spec.width,))
        return node("SimplifiedLayerNormalization", [x, scale], output, axis=-1, epsilon=_EPSILON)

    angle = np.arange(spec.context)[:, None] * spec.rotary_base ** (-np.arange(0, spec.head, 2) / spec.head)
    cos = constant("rotary.cos", np.cos(angle).astype(np.float32))
    sin = constant("rotary.sin", np.sin(angle).astype(np.float32))
    width, hidden = spec.width, spec.hidden
    x = node("Gather", [weight("token.weight", (spec.tokens, width)), "tokens"], "x.token")
    for i, size in enumerate(spec.features):
        index = constant(f"feature.{i}.index", np.array(i, dtype=np.int64))
        column = node("Gather", ["features", index], f"feature.{i}.column", axis=2)
        table = weight(f"feature.{i}.weight", (size, width))
        x = node("Add", [x, node("Gather", [table, column], f"feature.{i}.out")], f"x.{i}")
    past, present = [], []
    for i in range(spec.layers):
        at = f"layer.{i}."
        y = norm(x, f"{at}attention_norm", f"{at}normed")
        y = node("MatMul", [y, weight(f"{at}qkv.weight", (3 * width, width), transpose=True)], f"{at}packed")
        nodes.append(
            helper.make_node(
                "GroupQueryAttention",
                [y, "", "", f"past_key_{i}", f"past_value_{i}", "last", "total", cos, sin],
                [f"{at}attended", f"present_key_{i}", f"present_value_{i}"],
                domain=_MICROSOFT,
                num_heads=spec.heads,
                kv_num_heads=spec.heads,
                do_rotary=1,
                rotary_interleaved=0,
            )
        )
        shape: list[str | int | None] = ["batch", spec.heads, "length", spec.head]
        for kind in ("key", "value"):
            past.append(helper.make_tensor_value_info(f"past_{kind}_{i}", TensorProto.FLOAT, shape))
            present.append(helper.make_tensor_value_info(f"present_{kind}_{i}", TensorProto.FLOAT, shape))
        y = node(
            "MatMul", [f"{at}attended", weight(f"{at}out.weight", (width, width), transpose=True)], f"{at}o"
        )
        x = node("Add", [x, y], f"{at}x")
        y = norm(x, f"{at}feed_norm", f"{at}feed")
        y = node("MatMul", [y, weight(f"{at}up.weight", (hidden, width), transpose=True)], f"{at}up")
        y = node("Relu", [y], f"{at}relu")
        y = node("Mul", [y, y], f"{at}squared")
        y = node("MatMul", [y, weight(f"{at}down.weight", (width, hidden), transpose=True)], f"{at}down")
        x = node("Add", [x, y], f"{at}y")
    x = norm(x, "norm", "hidden")
    end = constant("end", np.array(-1, dtype=np.int64))
    x = node("Gather", [x, end], "final", axis=1)
    node("MatMul", [x, weight("token.weight", (spec.tokens, width), transpose=True)], "logits")
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "time"]),
        helper.make_tensor_value_info("features", TensorProto.INT64, ["batch", "time", len(spec.features)]),
        *past,
        helper.make_tensor_value_info("last", TensorProto.INT32, ["batch"]),
        helper.make_tensor_value_info("total", TensorProto.INT32, []),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", spec.tokens]),
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "time", width]),
        *present,
    ]
    graph = helper.make_graph(nodes, "composer", inputs, outputs, initialisers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
    return cast(bytes, helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
