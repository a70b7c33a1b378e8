"""Compose with an LSTM (Hochreiter & Schmidhuber 1997): the next event given those before it.

Same tokens, musical positions, grammar, sampler and scorer as the Transformer; what it carries
from token to token is one state a layer, of a size that does not grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from troubadour.composers.events import EventComposer, Runtime
from troubadour.composers.lstm_engine import LstmEngine
from troubadour.composers.spec import LstmSpec, Precision, Spec


class LstmComposer(EventComposer):
    """Composes with residual LSTM layers; the carried state makes a token cost the same at any length."""

    kind: ClassVar[str] = "lstm"
    spec_type: ClassVar[type[Spec]] = LstmSpec

    @staticmethod
    def runtime(
        spec: LstmSpec, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision
    ) -> Runtime:
        """ONNX Runtime with the state carried between steps."""
        return LstmEngine(spec, weights, threads, precision)
