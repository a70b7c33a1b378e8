"""Layers of ONNX graphs, as `blocks.py` has them in torch: each function adds nodes and returns the output's name.

Weights are named as torch names them. Where ONNX Runtime has a fused operator, it is used: small
operators cost more than what they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from troubadour.core.networks.int8 import BLOCK, by_column, in_blocks
from troubadour.core.networks.onnx_graph import MICROSOFT, Floats, Graph

Norm = Callable[[Graph, str, str, int], str]
"""Graph, input, name and width -> output."""

_LATER: Final = -1e9
"""Added to the attention score of a later place."""


def linear(graph: Graph, x: str, name: str, shape: tuple[int, int], *, bias: bool = False) -> str:
    """`x @ W.T`, plus the bias if there is one; `shape` is (outputs, inputs)."""
    y = product(graph, x, graph.array(f"{name}.weight", shape), name)
    if not bias:
        return y
    return graph.node("Add", [y, graph.weight(f"{name}.bias", shape[:1])], f"{name}.biased")


def product(graph: Graph, x: str, weight: Floats, name: str, output: str | None = None) -> str:
    """`x @ weight.T` for a weight (outputs, inputs), stored under names that begin with `name`."""
    (n_out, n_in), matrix, output = weight.shape, weight.T, output or f"{name}.product"
    if not graph.int8:
        return graph.node("MatMul", [x, graph.constant(f"{name}.matrix", matrix)], output)
    integers, scale = in_blocks(matrix)
    return graph.node(
        "MatMulNBits",
        [x, graph.constant(f"{name}.integers", integers), graph.constant(f"{name}.scale", scale)],
        output,
        domain=MICROSOFT,
        N=n_out,
        K=n_in,
        bits=8,
        block_size=BLOCK,
        accuracy_level=4,  # integers are multiplied as such
    )


def rms_norm(graph: Graph, x: str, name: str, width: int) -> str:
    """RMSNorm with the gains `NAME.weight`."""
    gains = graph.weight(f"{name}.weight", (width,))
    return graph.node("SimplifiedLayerNormalization", [x, gains], f"{name}.normed", axis=-1, epsilon=1e-6)


def layer_norm(graph: Graph, x: str, name: str, width: int) -> str:
    """LayerNorm with the gains `NAME.weight` and the shifts `NAME.bias`."""
    inputs = [x, graph.weight(f"{name}.weight", (width,)), graph.weight(f"{name}.bias", (width,))]
    return graph.node("LayerNormalization", inputs, f"{name}.normed", axis=-1, epsilon=1e-5)


def rotary(graph: Graph, context: int, head: int, base: float) -> tuple[str, str]:
    """Cosines and sines of the rotary angles, each (context, head / 2)."""
    angle = np.arange(context)[:, None] * base ** (-np.arange(0, head, 2) / head)
    cos = graph.constant("rotary.cos", np.cos(angle).astype(np.float32))
    return cos, graph.constant("rotary.sin", np.sin(angle).astype(np.float32))


def cached_attention(
    graph: Graph, x: str, name: str, width: int, heads: int, layer: int, angles: tuple[str, str]
) -> str:
    """The stream after causal self-attention with RMSNorm, rotary positions and a key-value cache.

    The graph's inputs `past_key_LAYER` and `past_value_LAYER`, and its outputs `present_...`, are the cache,
    (batch, heads, length, head); `last` (batch,) is the last filled place and `total` the number of places.
    """
    y = rms_norm(graph, x, f"{name}.attention_norm", width)
    y = linear(graph, y, f"{name}.qkv", (3 * width, width))
    y = graph.node(
        "GroupQueryAttention",
        [y, "", "", f"past_key_{layer}", f"past_value_{layer}", "last", "total", *angles],
        [f"{name}.attended", f"present_key_{layer}", f"present_value_{layer}"],
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=heads,
        do_rotary=1,
        rotary_interleaved=0,
    )
    y = linear(graph, y, f"{name}.out", (width, width))
    return graph.node("Add", [x, y], f"{name}.after_attention")


def distance_attention(
    graph: Graph, x: str, name: str, width: int, heads: int, context: int, distances: str
) -> str:
    """The stream after causal self-attention with LayerNorm and a bias for each head and distance.

    Args:
        context: number of distances that the weight `NAME.distance`, (heads, context), has.
        distances: how far back each place is from each, (time, time), int64; -1 = later.
    """
    head = width // heads
    y = layer_norm(graph, x, f"{name}.attention_norm", width)
    split = graph.constant(f"{name}.split", np.array([0, 0, heads, head], dtype=np.int64))
    parts = []
    packed = graph.array(f"{name}.qkv.weight", (3 * width, width))
    for part, weight in zip(("query", "key", "value"), np.split(packed, 3), strict=True):
        flat = product(graph, y, weight, f"{name}.{part}")
        apart = graph.node("Reshape", [flat, split], f"{name}.{part}.apart")
        order = [0, 2, 3, 1] if part == "key" else [0, 2, 1, 3]
        parts.append(graph.node("Transpose", [apart], f"{name}.{part}.heads", perm=order))
    # Index -1 finds a column beyond all distances.
    known = graph.array(f"{name}.distance", (heads, context))
    table = np.concatenate([known, np.full((heads, 1), _LATER, dtype=np.float32)], axis=1)
    bias = graph.node(
        "Gather", [graph.constant(f"{name}.distance", table), distances], f"{name}.bias", axis=1
    )
    scale = graph.constant(f"{name}.head_scale", np.array(head**-0.5, dtype=np.float32))
    score = graph.node("MatMul", parts[:2], f"{name}.products")
    score = graph.node("Mul", [score, scale], f"{name}.scaled")
    score = graph.node("Add", [score, bias], f"{name}.score")
    share = graph.node("Softmax", [score], f"{name}.share", axis=-1)
    y = graph.node("MatMul", [share, parts[2]], f"{name}.mixed")
    y = graph.node("Transpose", [y], f"{name}.by_place", perm=[0, 2, 1, 3])
    join = graph.constant(f"{name}.join", np.array([0, 0, width], dtype=np.int64))
    y = graph.node("Reshape", [y, join], f"{name}.attended")
    y = linear(graph, y, f"{name}.out", (width, width))
    return graph.node("Add", [x, y], f"{name}.after_attention")


def feed_forward(
    graph: Graph,
    x: str,
    name: str,
    width: int,
    hidden: int,
    *,
    norm: Norm = rms_norm,
    squared: bool = True,
    bias: bool = False,
) -> str:
    """The stream after the feed-forward net with ReLU, `squared` or not."""
    y = norm(graph, x, f"{name}.feed_norm", width)
    y = linear(graph, y, f"{name}.up", (hidden, width), bias=bias)
    y = graph.node("Relu", [y], f"{name}.relu")
    if squared:
        y = graph.node("Mul", [y, y], f"{name}.squared")
    y = linear(graph, y, f"{name}.down", (width, hidden), bias=bias)
    return graph.node("Add", [x, y], f"{name}.after_feed")


def lstm(graph: Graph, x: str, name: str, width: int, past: tuple[str, str], present: tuple[str, str]) -> str:
    """Outputs (batch, time, width) of an LSTM layer over x, (batch, time, width).

    Args:
        past: names of the outputs and the cells before, each (1, batch, width).
        present: names of the last outputs and cells.
    """
    x = graph.node("Transpose", [x], f"{name}.by_time", perm=[1, 0, 2])
    gates = (4 * width, width)
    # torch orders the gates: input, forget, cell, output; ONNX: input, output, forget, cell.
    order = np.concatenate([np.arange(g * width, (g + 1) * width) for g in (0, 3, 1, 2)])
    matrices = [(part, graph.array(f"{name}.weight_{part}_l0", gates)[order]) for part in ("ih", "hh")]
    biases = [graph.array(f"{name}.bias_{part}_l0", gates[:1])[order] for part in ("ih", "hh")]
    bias = graph.constant(f"{name}.bias", np.concatenate(biases)[None])
    outputs = [f"{name}.directions", *present]
    if not graph.int8:
        stored = [graph.constant(f"{name}.{part}", matrix[None]) for part, matrix in matrices]
        y = graph.node("LSTM", [x, *stored, bias, "", *past], outputs, hidden_size=width)
    else:
        stored, scales = [], []
        zero = np.zeros((1, 4 * width), dtype=np.int8)
        for part, matrix in matrices:
            integers, scale = by_column(matrix.T)
            stored.append(graph.constant(f"{name}.{part}", integers[None]))
            scales.append(graph.constant(f"{name}.{part}.scale", scale[None]))
            scales.append(graph.constant(f"{name}.{part}.zero", zero))
        inputs = [x, *stored, bias, "", *past, "", *scales]
        y = graph.node("DynamicQuantizeLSTM", inputs, outputs, domain=MICROSOFT, hidden_size=width)
    axis = graph.constant(f"{name}.direction", np.array([1], dtype=np.int64))
    y = graph.node("Squeeze", [y, axis], f"{name}.squeezed")
    return graph.node("Transpose", [y], f"{name}.by_row", perm=[1, 0, 2])
