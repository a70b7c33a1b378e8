"""ONNX graphs of networks that predict the next token: their input, their output and their session.

All families read one integer array `ids`, the rows of one table: token, position features and, where the
spec has them, copy features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troubadour.core.networks.onnx_graph import INT64, Floats, Graph, Shape
from troubadour.core.networks.onnx_layers import product, rms_norm
from troubadour.generation.network_spec import Precision, Spec
from troubadour.tokens.copies import LEVELS, VIEWS, CopyFeatures

Integers = NDArray[np.int64]


def event_graph(weights: Mapping[str, NDArray[Any]], precision: Precision) -> Graph:
    """An empty graph over the weights of a composer."""
    return Graph(weights, int8=precision == "int8")


def embedded(graph: Graph, spec: Spec) -> str:
    """The sum of the embeddings of a place's token and features, (batch, time, width): one look-up in one table."""
    tables = [graph.array("token.weight", (spec.tokens, spec.width))]
    tables += [graph.array(f"feature.{i}.weight", (n, spec.width)) for i, n in enumerate(spec.input_sizes)]
    rows = graph.node("Gather", [graph.constant("tables", np.concatenate(tables)), "ids"], "rows")
    axis = graph.constant("rows.axis", np.array([2], dtype=np.int64))
    return graph.node("ReduceSum", [rows, axis], "embedded", keepdims=0)


def output(graph: Graph, x: str, spec: Spec) -> None:
    """The outputs `hidden`, (batch, time, width), and `logits`, (batch, raw_logits), of the last place alone."""
    hidden = graph.node("Identity", [rms_norm(graph, x, "norm", spec.width)], "hidden")
    end = graph.constant("end", np.array(-1, dtype=np.int64))
    last = graph.node("Gather", [hidden, end], "final", axis=1)
    matrix = graph.array("token.weight", (spec.tokens, spec.width))
    if spec.copies:
        # One product for the logits and their copy biases: small operators cost more than they compute.
        biases = graph.array("lift.weight", (VIEWS * LEVELS, spec.width))
        matrix = np.concatenate([matrix, biases])
    product(graph, last, matrix, "token", "logits")


def event_session(
    graph: Graph,
    spec: Spec,
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, Shape],
    threads: int,
) -> Any:
    """The graph as a session; `inputs` and `outputs` are those beside `ids`, `logits` and `hidden`.

    Raises:
        ModelError: ONNX Runtime refuses the graph.
    """
    return graph.session(
        {"ids": (INT64, ["batch", "time", 1 + len(spec.input_sizes)]), **inputs},
        {
            "logits": ["batch", raw_logits(spec)],
            "hidden": ["batch", "time", spec.width],
            **outputs,
        },
        threads,
    )


class Ids:
    """The input `ids` of a batch of sequences under generation, and its inverse for copy biases.

    Args:
        batch: sequences.
        length: most tokens of each.
    """

    def __init__(self, spec: Spec, batch: int, length: int) -> None:
        self._offsets, self._n_known = self.offsets(spec), 1 + len(spec.features)
        self._copies = CopyFeatures(batch, length) if spec.copies else None
        self._last = np.zeros((batch, 2 * VIEWS), dtype=np.int64)
        self._rows, self._tokens = np.arange(batch), spec.tokens

    @staticmethod
    def offsets(spec: Spec) -> Integers:
        """First row of each part of the table: tokens, then the features in the order of `Spec.input_sizes`."""
        return np.cumsum(np.array([0, spec.tokens, *spec.input_sizes[:-1]], dtype=np.int64))

    def fill(self, out: Integers, tokens: Integers, features: Integers) -> Integers:
        """Write the next tokens (batch, time) with features (batch, time, n) into `out`, (batch, time, rows)."""
        out[..., 0] = tokens
        out[..., 1 : self._n_known] = features
        if self._copies is not None:
            for i in range(tokens.shape[1]):
                self._last = self._copies.add(tokens[:, i], features[:, i])
                out[:, i, self._n_known :] = self._last
        out += self._offsets
        return out

    def of(self, tokens: Integers, features: Integers) -> Integers:
        """As `fill`, into a new array."""
        return self.fill(np.empty((*tokens.shape, len(self._offsets)), dtype=np.int64), tokens, features)

    def logits(self, raw: Floats) -> Floats:
        """The graph's output for the last place, (batch, raw_logits), as new logits, (batch, tokens)."""
        logits = raw[:, : self._tokens].copy()
        if self._copies is not None:
            biases = raw[:, self._tokens :]
            for view in range(VIEWS):
                copied, level = self._last[:, 2 * view], self._last[:, 2 * view + 1]
                bias = biases[self._rows, LEVELS * view + level]
                logits[self._rows, copied] += np.where(level > 0, bias, 0)
        return logits


def raw_logits(spec: Spec) -> int:
    """Size of the graph's output for a place: logits, and copy biases where the spec has copy features."""
    return spec.tokens + (VIEWS * LEVELS if spec.copies else 0)
