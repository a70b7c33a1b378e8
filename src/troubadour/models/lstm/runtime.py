"""The LSTM in ONNX Runtime: whole sequences for a prompt, then a token at a time with the state carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.core.networks.onnx_graph import FLOAT, Floats, Shape
from troubadour.core.networks.onnx_layers import lstm, rms_norm
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
from troubadour.models.lstm.spec import LstmSpec


class LstmRuntime:
    """Runs one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name, as `LstmNetwork` names them; any float type.
        threads: CPU threads of one step.
        precision: of the matrices.

    Raises:
        ModelError: a weight is missing or of the wrong shape.
    """

    def __init__(
        self,
        spec: LstmSpec,
        weights: Mapping[str, NDArray[Any]],
        threads: int = 1,
        precision: Precision = FULL,
    ) -> None:
        self.spec = spec
        self._session = _session(spec, weights, threads, precision)

    def start(self, batch: int, length: int) -> LstmState:
        """`batch` sequences of up to `length` tokens, nothing fed yet."""
        if length > self.spec.context:
            raise ModelError(f"{length} tokens asked for; this model holds {self.spec.context}")
        return LstmState(self._session, self.spec, batch, length)

    def embed(self, tokens: Integers, features: Integers) -> Floats:
        """Last hidden states of whole sequences, (batch, time, width)."""
        batch, time = tokens.shape
        return self.start(batch, time).run(tokens, features, "hidden")


class LstmState:
    """A batch of sequences under generation, with the state of each layer."""

    def __init__(self, session: Any, spec: LstmSpec, batch: int, length: int) -> None:
        self._session, self.length = session, length
        self.position = 0
        self._ids = Ids(spec, batch, length)
        # Layer outputs and cells, (layers, batch, width): one buffer is read, the other written.
        self._states = [np.zeros((2, spec.layers, 1, batch, spec.width), dtype=np.float32) for _ in range(2)]
        self._one = np.zeros((batch, 1, 1 + len(spec.input_sizes)), dtype=np.int64)
        self._logits = np.zeros((batch, raw_logits(spec)), dtype=np.float32)
        self._steps = [self._bound(self._one, turn) for turn in range(2)]
        for step in self._steps:
            step.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(self._logits))
        self._turn = 0

    def step(self, tokens: Integers, features: Integers) -> Floats:
        """Feed (batch, time) tokens with features (batch, time, n); logits of the next, (batch, tokens)."""
        if tokens.shape[1] > 1:
            return self._ids.logits(self.run(tokens, features, "logits"))
        self._advance(1)
        self._ids.fill(self._one, tokens, features)
        self._session.run_with_iobinding(self._steps[self._turn])
        self._turn = 1 - self._turn
        return self._ids.logits(self._logits)

    def run(self, tokens: Integers, features: Integers, output: str) -> Floats:
        """As `step`, with a choice of output: `logits` or `hidden`."""
        self._advance(tokens.shape[1])
        binding = self._bound(self._ids.of(tokens, features), self._turn)
        binding.bind_output(output)
        self._session.run_with_iobinding(binding)
        self._turn = 1 - self._turn
        found: Floats = binding.get_outputs()[-1].numpy()
        return found

    def _advance(self, time: int) -> None:
        if self.position + time > self.length:
            raise ModelError(f"sequence is full: {self.position} + {time} tokens, room for {self.length}")
        self.position += time

    def _bound(self, ids: Integers, turn: int) -> Any:
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("ids", ort.OrtValue.ortvalue_from_numpy(ids))
        read, written = self._states[turn], self._states[1 - turn]
        for k, kind in enumerate(("output", "cell")):
            for i in range(read.shape[1]):
                binding.bind_ortvalue_input(f"past_{kind}_{i}", ort.OrtValue.ortvalue_from_numpy(read[k, i]))
                binding.bind_ortvalue_output(
                    f"present_{kind}_{i}", ort.OrtValue.ortvalue_from_numpy(written[k, i])
                )
        return binding


def _session(spec: LstmSpec, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision) -> Any:
    graph = event_graph(weights, precision)
    x = embedded(graph, spec)
    shape: Shape = [1, "batch", spec.width]
    past: dict[str, tuple[int, Shape]] = {}
    present: dict[str, Shape] = {}
    for i in range(spec.layers):
        y = rms_norm(graph, x, f"layer.{i}.norm", spec.width)
        before, after = ((f"{time}_output_{i}", f"{time}_cell_{i}") for time in ("past", "present"))
        y = lstm(graph, y, f"layer.{i}.lstm", spec.width, before, after)
        x = graph.node("Add", [x, y], f"layer.{i}.x")
        past |= dict.fromkeys(before, (FLOAT, shape))
        present |= dict.fromkeys(after, shape)
    output(graph, x, spec)
    return event_session(graph, spec, past, present, threads)
