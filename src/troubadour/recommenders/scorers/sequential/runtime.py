"""The sequential recommender in ONNX Runtime: the graph is built from weights, no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec

_EPSILON: Final = 1e-5  # torch's LayerNorm


class SequentialRuntime:
    """Runs one set of weights, in one thread.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `sequential_network` names them; `items` is its table.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """

    def __init__(self, spec: SequentialSpec, weights: Mapping[str, NDArray[Any]]) -> None:
        import onnxruntime as ort

        self.spec = spec
        self.table = _take(weights, "items", (None, spec.width))
        self.bias = _take(weights, "bias", (len(self.table) - 1,))
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph = _build(spec, weights)
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def hidden(self, sequences: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """What each sequence of items, oldest first, leads to, shape (n, width)."""
        start = len(self.table) - 1
        kept = [np.asarray(s)[-(self.spec.context - 1) :] for s in sequences]
        last = np.array([len(s) for s in kept], dtype=np.int64)
        tokens = np.full((len(kept), int(last.max(initial=0)) + 1), start)
        for row, sequence in zip(tokens, kept, strict=True):
            row[1 : len(sequence) + 1] = sequence
        vectors = self.table[tokens] * np.float32(self.spec.width**0.5)
        feed = {"x": vectors, "mask": self._mask(tokens.shape[1]), "last": last[:, None]}
        found: NDArray[np.float32] = self._session.run(["hidden"], feed)[0]
        return found

    def score(self, sequences: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Logits of the next item, shape (n, n_items)."""
        return np.asarray(self.hidden(sequences) @ self.table[:-1].T + self.bias)

    @staticmethod
    def _mask(time: int) -> NDArray[np.int64]:
        """Distance back from each place to each, -1 = later, shape (time, time)."""
        place = np.arange(time)
        return np.asarray(np.maximum(place[:, None] - place, -1))


def _take(
    weights: Mapping[str, NDArray[Any]], name: str, shape: tuple[int | None, ...]
) -> NDArray[np.float32]:
    if name not in weights:
        raise ModelError(f"stored sequential lacks the weight {name!r}")
    array = np.asarray(weights[name], dtype=np.float32)
    fits = array.ndim == len(shape) and all(w in (None, s) for s, w in zip(array.shape, shape, strict=True))
    if not fits or not np.isfinite(array).all():
        raise ModelError(f"weight {name!r} has shape {array.shape}, need {shape}, all finite")
    return array


def _build(spec: SequentialSpec, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The serialised ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    initialisers: list[Any] = []
    nodes: list[Any] = []
    width, heads, head = spec.width, spec.heads, spec.width // spec.heads

    def constant(name: str, array: NDArray[Any]) -> str:
        initialisers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(name: str, shape: tuple[int, ...]) -> str:
        array = _take(weights, name, shape)
        return constant(name, array.T if len(shape) == 2 else array)

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def norm(x: str, name: str, output: str) -> str:
        inputs = [x, weight(f"{name}.weight", (width,)), weight(f"{name}.bias", (width,))]
        return node("LayerNormalization", inputs, output, axis=-1, epsilon=_EPSILON)

    split = constant("split", np.array([0, 0, heads, head], dtype=np.int64))
    join = constant("join", np.array([0, 0, width], dtype=np.int64))
    scale = constant("scale", np.array(head**-0.5, dtype=np.float32))
    x = "x"
    for i in range(spec.layers):
        at = f"layers.{i}."
        y = norm(x, f"{at}attention_norm", f"{at}normed")
        packed = _take(weights, f"{at}qkv.weight", (3 * width, width))
        parts = []
        for name, matrix in zip(("query", "key", "value"), np.split(packed, 3), strict=True):
            flat = node("MatMul", [y, constant(f"{at}{name}.weight", matrix.T)], f"{at}{name}.flat")
            apart = node("Reshape", [flat, split], f"{at}{name}.apart")
            order = [0, 2, 3, 1] if name == "key" else [0, 2, 1, 3]
            parts.append(node("Transpose", [apart], f"{at}{name}", perm=order))
        # A column beyond all distances stands for what comes later, which index -1 finds.
        later = np.full((heads, 1), -1e9, dtype=np.float32)
        known = _take(weights, f"{at}distance", (heads, spec.context))
        bias = constant(f"{at}distance", np.concatenate([known, later], axis=1))
        bias = node("Gather", [bias, "mask"], f"{at}bias", axis=1)
        score = node("Mul", [node("MatMul", parts[:2], f"{at}product"), scale], f"{at}scaled")
        share = node("Softmax", [node("Add", [score, bias], f"{at}score")], f"{at}share", axis=-1)
        mixed = node(
            "Transpose", [node("MatMul", [share, parts[2]], f"{at}mix")], f"{at}mixed", perm=[0, 2, 1, 3]
        )
        mixed = node("Reshape", [mixed, join], f"{at}joined")
        out = node("MatMul", [mixed, weight(f"{at}out.weight", (width, width))], f"{at}out")
        x = node("Add", [x, out], f"{at}x")
        y = norm(x, f"{at}feed_norm", f"{at}feed")
        for name, shape in (("up", (2 * width, width)), ("down", (width, 2 * width))):
            y = node("MatMul", [y, weight(f"{at}{name}.weight", shape)], f"{at}{name}.product")
            y = node("Add", [y, weight(f"{at}{name}.bias", shape[:1])], f"{at}{name}")
            y = node("Relu", [y], f"{at}relu") if name == "up" else y
        x = node("Add", [x, y], f"{at}y")
    x = node("GatherND", [x, "last"], "final", batch_dims=1)
    norm(x, "norm", "hidden")
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "time", width]),
        helper.make_tensor_value_info("mask", TensorProto.INT64, ["time", "time"]),
        helper.make_tensor_value_info("last", TensorProto.INT64, ["batch", 1]),
    ]
    outputs = [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", width])]
    graph = helper.make_graph(nodes, "sequential", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    serialised: bytes = model.SerializeToString()
    return serialised
