"""ONNX graphs, built from weights when a model is loaded: no exporter and no second format of weights.

A graph grows node by node; the layers are functions in `onnx_layers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from troubadour.core.errors import ModelError

Floats = NDArray[np.float32]
Shape = Sequence[int | str]
"""Sizes of the axes of an input or output; a name stands for a size that differs from run to run."""

FLOAT: Final[int] = TensorProto.FLOAT
INT32: Final[int] = TensorProto.INT32
INT64: Final[int] = TensorProto.INT64
MICROSOFT: Final = "com.microsoft"
"""Domain of the operators that only ONNX Runtime has."""


class Graph:
    """A graph under construction.

    Args:
        weights: arrays by name, any float type; the graph computes in float32.
        int8: whether matrices are rounded to 8-bit integers (`int8.py`). What is multiplied with them is
            then rounded too, each row with scales of its own, so results are independent of batch
            composition.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], *, int8: bool = False) -> None:
        self._weights, self.int8 = weights, int8
        self._initialisers: list[Any] = []
        self._nodes: list[Any] = []

    def array(self, name: str, shape: tuple[int | None, ...]) -> Floats:
        """A weight as an array; see `checked`."""
        return checked(self._weights, name, shape)

    def weight(self, name: str, shape: tuple[int, ...]) -> str:
        """A weight as a constant of the same name; see `checked`."""
        return self.constant(name, self.array(name, shape))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """An array that is part of the graph; returns its name."""
        self._initialisers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> str:
        """An operator; returns the name of its first output."""
        outputs = [output] if isinstance(output, str) else list(output)
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs[0]

    def session(
        self, inputs: Mapping[str, tuple[int, Shape]], outputs: Mapping[str, Shape], threads: int
    ) -> Any:
        """The graph as an ONNX Runtime session on the CPU.

        Args:
            inputs: type and shape of each.
            outputs: shape of each, all float32.
            threads: CPU threads of one run.

        Raises:
            ModelError: ONNX Runtime refuses the graph.
        """
        info = helper.make_tensor_value_info
        ins = [info(name, kind, list(shape)) for name, (kind, shape) in inputs.items()]
        outs = [info(name, FLOAT, list(shape)) for name, shape in outputs.items()]
        graph = helper.make_graph(self._nodes, "network", ins, outs, self._initialisers)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        model = cast(bytes, helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises plain exceptions of its own
            raise ModelError(f"weights do not fit the graph: {error}") from error


def checked(weights: Mapping[str, NDArray[Any]], name: str, shape: tuple[int | None, ...]) -> Floats:
    """A weight in float32; `None` in `shape` stands for any size.

    Raises:
        ModelError: it is missing, of another shape, or holds values that are not finite.
    """
    if name not in weights:
        raise ModelError(f"weight '{name}' is missing")
    array = np.asarray(weights[name], dtype=np.float32)
    if array.ndim != len(shape) or any(
        wanted not in (None, size) for size, wanted in zip(array.shape, shape, strict=True)
    ):
        raise ModelError(f"weight '{name}' has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise ModelError(f"weight '{name}' holds values that are not finite")
    return array
