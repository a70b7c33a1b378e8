"""Compose with an LSTM (Hochreiter & Schmidhuber 1997): the next event given those before it.

Same tokens, musical positions, grammar, sampler and scorer as the Transformer; what it carries
from token to token is one state a layer, of a size that does not grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from troubadour.generation.autoregressive import AutoregressiveComposer, Runtime
from troubadour.generation.network_spec import Precision, Spec
from troubadour.models.lstm.runtime import LstmRuntime
from troubadour.models.lstm.spec import LstmSpec


class LstmComposer(AutoregressiveComposer):
    """Composes with residual LSTM layers; the carried state makes a token cost the same at any length."""

    kind: ClassVar[str] = "lstm"
    spec_type: ClassVar[type[Spec]] = LstmSpec

    @staticmethod
    def network(spec: Any) -> Any:
        """See `models.families.Trainable`; loads torch."""
        from troubadour.models.lstm.network import LstmNetwork

        return LstmNetwork(spec)

    @staticmethod
    def runtime(
        spec: LstmSpec, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision
    ) -> Runtime:
        """ONNX Runtime with the state carried between steps."""
        return LstmRuntime(spec, weights, threads, precision)
