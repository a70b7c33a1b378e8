"""The sequential recommender in ONNX Runtime: the graph is built from weights, no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troubadour.core.networks.onnx_graph import FLOAT, INT64, Graph, Shape, checked
from troubadour.core.networks.onnx_layers import distance_attention, feed_forward, layer_norm
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec


class SequentialRuntime:
    """Runs one set of weights, in one thread.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `SequentialNetwork` names them; `items` is its table of vectors.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """

    def __init__(self, spec: SequentialSpec, weights: Mapping[str, NDArray[Any]]) -> None:
        self.spec = spec
        self.table = checked(weights, "items", (None, spec.width))
        self.bias = checked(weights, "bias", (len(self.table) - 1,))
        self._session = _session(spec, weights)

    def hidden(self, sequences: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Last hidden state of each sequence of items, oldest first, shape (n, width)."""
        start = len(self.table) - 1
        kept = [np.asarray(s)[-(self.spec.context - 1) :] for s in sequences]
        last = np.array([len(s) for s in kept], dtype=np.int64)
        tokens = np.full((len(kept), int(last.max(initial=0)) + 1), start)
        for row, sequence in zip(tokens, kept, strict=True):
            row[1 : len(sequence) + 1] = sequence
        vectors = self.table[tokens] * np.float32(self.spec.width**0.5)
        feed = {"x": vectors, "distances": self._distances(tokens.shape[1]), "last": last[:, None]}
        found: NDArray[np.float32] = self._session.run(["hidden"], feed)[0]
        return found

    def score(self, sequences: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Logits of the next item, shape (n, n_items)."""
        return np.asarray(self.hidden(sequences) @ self.table[:-1].T + self.bias)

    @staticmethod
    def _distances(time: int) -> NDArray[np.int64]:
        """How far back each place is from each, shape (time, time); -1 = later."""
        place = np.arange(time)
        return np.asarray(np.maximum(place[:, None] - place, -1))


def _session(spec: SequentialSpec, weights: Mapping[str, NDArray[Any]]) -> Any:
    graph = Graph(weights)
    x, width = "x", spec.width
    for i in range(spec.layers):
        name = f"layers.{i}"
        x = distance_attention(graph, x, name, width, spec.heads, spec.context, "distances")
        x = feed_forward(graph, x, name, width, 2 * width, norm=layer_norm, squared=False, bias=True)
    x = graph.node("GatherND", [x, "last"], "final", batch_dims=1)
    graph.node("Identity", [layer_norm(graph, x, "norm", width)], "hidden")
    inputs: dict[str, tuple[int, Shape]] = {
        "x": (FLOAT, ["batch", "time", width]),
        "distances": (INT64, ["time", "time"]),
        "last": (INT64, ["batch", 1]),
    }
    return graph.session(inputs, {"hidden": ["batch", width]}, threads=1)
