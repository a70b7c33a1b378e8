"""Compose with a Transformer (Vaswani et al. 2017), as `network.py` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from troubadour.generation.autoregressive import DOCUMENT, WEIGHTS, AutoregressiveComposer, Runtime
from troubadour.generation.network_spec import Precision, Spec
from troubadour.models.transformer.runtime import TransformerRuntime
from troubadour.models.transformer.spec import TransformerSpec


class TransformerComposer(AutoregressiveComposer):
    """Composes with a decoder-only Transformer; about a third of a second for a 16-bar tune on one slow core."""

    kind: ClassVar[str] = "transformer"
    spec_type: ClassVar[type[Spec]] = TransformerSpec

    @staticmethod
    def network(spec: Any) -> Any:
        """See `models.families.Trainable`; loads torch."""
        from troubadour.models.transformer.network import TransformerNetwork

        return TransformerNetwork(spec)

    @staticmethod
    def runtime(
        spec: TransformerSpec, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision
    ) -> Runtime:
        """ONNX Runtime with a key-value cache."""
        return TransformerRuntime(spec, weights, threads, precision)


__all__ = ["DOCUMENT", "WEIGHTS", "TransformerComposer"]
