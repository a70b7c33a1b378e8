"""ONNX graphs, built from weights when a composer is loaded; fp32, or with 8-bit matrices.

No exporter and no second format of weights: safetensors go in, a session comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from troubadour.core.errors import ModelError
from troubadour.generation.network_spec import Precision, Spec
from troubadour.tokens.copies import LEVELS, READINGS, CopyFeatures

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_EPSILON: Final = 1e-6
_MICROSOFT: Final = "com.microsoft"
_BLOCK: Final = 32


class Graph:
    """A graph that grows node by node; each method returns the name of what it adds.

    Args:
        weights: arrays by name, any float type.
        precision: `int8` stores a matrix as 8-bit whole numbers, with a scale for each block of 32
            in a column, and rounds what is multiplied with it likewise as it runs. Each row has
            scales of its own, so what one sequence sounds like does not depend on its company.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], precision: Precision) -> None:
        self._weights, self._precision = weights, precision
        self._initialisers: list[Any] = []
        self._nodes: list[Any] = []

    def array(self, name: str, shape: tuple[int, ...]) -> Floats:
        """A weight, checked.

        Raises:
            ModelError: it is missing, of another shape, or holds values that are not finite.
        """
        if name not in self._weights:
            raise ModelError(f"weight '{name}' is missing")
        array = np.asarray(self._weights[name], dtype=np.float32)
        if array.shape != shape:
            raise ModelError(f"weight '{name}' has shape {array.shape}; expected {shape}")
        if not np.isfinite(array).all():
            raise ModelError(f"weight '{name}' holds values that are not finite")
        return array

    def weight(self, name: str, shape: tuple[int, ...]) -> str:
        """A weight as it is."""
        return self.constant(name, self.array(name, shape))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """An array that is part of the graph."""
        self._initialisers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> str:
        """An operator; the name of its first output."""
        outputs = [output] if isinstance(output, str) else list(output)
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs[0]

    def embedded(self, spec: Spec) -> str:
        """The sum of the rows that a place's token and positions stand for, (batch, time, width).

        One table and one look-up: `ids` (batch, time, 1 + n_features) comes from `Ids`.
        """
        tables = [self.array("token.weight", (spec.tokens, spec.width))]
        tables += [self.array(f"feature.{i}.weight", (n, spec.width)) for i, n in enumerate(spec.told)]
        rows = self.node("Gather", [self.constant("tables", np.concatenate(tables)), "ids"], "rows")
        axis = self.constant("rows.axis", np.array([2], dtype=np.int64))
        return self.node("ReduceSum", [rows, axis], "embedded", keepdims=0)

    def norm(self, x: str, name: str, width: int) -> str:
        """RMSNorm with the gains `NAME.weight`."""
        scale = self.weight(f"{name}.weight", (width,))
        return self.node("SimplifiedLayerNormalization", [x, scale], f"{name}.out", axis=-1, epsilon=_EPSILON)

    def linear(self, x: str, name: str, shape: tuple[int, int], output: str) -> str:
        """`x @ W.T` for the weight `NAME.weight` of a shape (outputs, inputs)."""
        return self.product(x, self.array(f"{name}.weight", shape), name, output)

    def product(self, x: str, weight: Floats, name: str, output: str) -> str:
        """`x @ weight.T`, the weight (outputs, inputs) stored under names that begin with `name`."""
        shape, matrix = weight.shape, weight.T
        if self._precision == "fp32":
            return self.node("MatMul", [x, self.constant(f"{name}.matrix", matrix)], output)
        whole, scale = in_blocks(matrix)
        inputs = [x, self.constant(f"{name}.whole", whole), self.constant(f"{name}.scale", scale)]
        return self.node(
            "MatMulNBits",
            inputs,
            output,
            domain=_MICROSOFT,
            N=shape[0],
            K=shape[1],
            bits=8,
            block_size=_BLOCK,
            accuracy_level=4,  # whole numbers are multiplied as such
        )

    def recurrent(
        self, x: str, name: str, width: int, past: tuple[str, str], outputs: tuple[str, str, str]
    ) -> str:
        """An LSTM layer over (time, batch, width), weights named as torch names them.

        Args:
            past: outputs and cells before, each (1, batch, width).
            outputs: all outputs (time, 1, batch, width), and the last outputs and cells.
        """
        gates = (4 * width, width)
        # torch orders the gates: input, forget, cell, output; ONNX: input, output, forget, cell.
        order = np.concatenate([np.arange(g * width, (g + 1) * width) for g in (0, 3, 1, 2)])
        fed, kept = (self.array(f"{name}.weight_{k}_l0", gates)[order] for k in ("ih", "hh"))
        biases = [self.array(f"{name}.bias_{k}_l0", gates[:1])[order] for k in ("ih", "hh")]
        bias = self.constant(f"{name}.bias", np.concatenate(biases)[None])
        if self._precision == "fp32":
            inputs = [
                x, self.constant(f"{name}.fed", fed[None]), self.constant(f"{name}.kept", kept[None]), bias, "", *past,
            ]  # fmt: skip
            return self.node("LSTM", inputs, outputs, hidden_size=width)
        inputs, scales = [x], []
        for label, matrix in (("fed", fed.T), ("kept", kept.T)):
            whole, scale = rounded(matrix)
            inputs.append(self.constant(f"{name}.{label}", whole[None]))
            scales += [
                self.constant(f"{name}.{label}.scale", scale[None]),
                self.constant(f"{name}.{label}.zero", np.zeros((1, 4 * width), dtype=np.int8)),
            ]
        return self.node(
            "DynamicQuantizeLSTM",
            [*inputs, bias, "", *past, "", *scales],
            outputs,
            domain=_MICROSOFT,
            hidden_size=width,
        )

    def logits(self, hidden: str, spec: Spec) -> str:
        """Output `logits`, (batch, tokens), of the last place alone; the matrix is the token table."""
        end = self.constant("end", np.array(-1, dtype=np.int64))
        last = self.node("Gather", [hidden, end], "final", axis=1)
        if not spec.copies:
            return self.linear(last, "token", (spec.tokens, spec.width), "logits")
        # One product for the logits and for what lifts them: small operators cost more than they compute.
        tokens = self.array("token.weight", (spec.tokens, spec.width))
        lifts = self.array("lift.weight", (READINGS * LEVELS, spec.width))
        return self.product(last, np.concatenate([tokens, lifts]), "token", "logits")

    def session(
        self,
        spec: Spec,
        inputs: Mapping[str, tuple[Any, list[Any]]],
        outputs: Mapping[str, list[Any]],
        threads: int,
    ) -> Any:
        """The graph, ready to run; `ids`, `logits` and `hidden` are declared for all families.

        Args:
            inputs: what else goes in: type and shape.
            outputs: what else comes out, floats: shape.

        Raises:
            ModelError: ONNX Runtime refuses the graph.
        """
        info = helper.make_tensor_value_info
        ins = [info("ids", TensorProto.INT64, ["batch", "time", 1 + len(spec.told)])]
        ins += [info(name, kind, shape) for name, (kind, shape) in inputs.items()]
        outs = [
            info("logits", TensorProto.FLOAT, ["batch", raw_logits(spec)]),
            info("hidden", TensorProto.FLOAT, ["batch", "time", spec.width]),
        ]
        outs += [info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self._nodes, "composer", ins, outs, self._initialisers)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
        model = cast(bytes, helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises plain exceptions of its own
            raise ModelError(f"weights do not fit the graph: {error}") from error


class Ids:
    """What sequences that grow together are told, as rows of the one table that `Graph.embedded` looks up.

    Args:
        batch: sequences.
        length: most tokens of each.
    """

    def __init__(self, spec: Spec, batch: int, length: int) -> None:
        self._offsets, self._told = self.offsets(spec), 1 + len(spec.features)
        self._copies = CopyFeatures(batch, length) if spec.copies else None
        self._last = np.zeros((batch, 2 * READINGS), dtype=np.int64)
        self._rows, self._tokens = np.arange(batch), spec.tokens

    @staticmethod
    def offsets(spec: Spec) -> Integers:
        """The first row of each part of the table: tokens, then what `Spec.told` lists."""
        return np.cumsum(np.array([0, spec.tokens, *spec.told[:-1]], dtype=np.int64))

    def fill(self, out: Integers, tokens: Integers, features: Integers) -> Integers:
        """Write the next (batch, time) tokens, with features (batch, time, n), into ids (batch, time, rows)."""
        out[..., 0] = tokens
        out[..., 1 : self._told] = features
        if self._copies is not None:
            for i in range(tokens.shape[1]):
                self._last = self._copies.add(tokens[:, i], features[:, i])
                out[:, i, self._told :] = self._last
        out += self._offsets
        return out

    def of(self, tokens: Integers, features: Integers) -> Integers:
        """As `fill`, into an array of their own."""
        return self.fill(np.empty((*tokens.shape, len(self._offsets)), dtype=np.int64), tokens, features)

    def lifted(self, raw: Floats) -> Floats:
        """What the graph puts out for the last place, as logits of their own, (batch, tokens)."""
        logits = raw[:, : self._tokens].copy()
        if self._copies is not None:
            lifts = raw[:, self._tokens :]
            for reading in range(READINGS):
                foretold, level = self._last[:, 2 * reading], self._last[:, 2 * reading + 1]
                lift = lifts[self._rows, LEVELS * reading + level]
                logits[self._rows, foretold] += np.where(level > 0, lift, 0)
        return logits


def raw_logits(spec: Spec) -> int:
    """How many numbers the graph puts out for a place: logits, and lifts where there are copies."""
    return spec.tokens + (READINGS * LEVELS if spec.copies else 0)


def in_blocks(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """A matrix (inputs, outputs) as ONNX Runtime's MatMulNBits has it: (outputs, blocks, 32), 128 = zero."""
    inputs, outputs = matrix.shape
    blocks = -(-inputs // _BLOCK)
    padded = np.zeros((outputs, blocks * _BLOCK), dtype=np.float32)
    padded[:, :inputs] = matrix.T
    rows = padded.reshape(outputs, blocks, _BLOCK)
    scale = np.maximum(np.abs(rows).max(axis=2), 1e-12) / 127
    return (np.rint(rows / scale[:, :, None]) + 128).astype(np.uint8), scale.astype(np.float32)


def rounded(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """8-bit whole numbers and the scale of each column: `whole * scale` is nearly the matrix."""
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 127
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)
