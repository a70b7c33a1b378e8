"""Shape of the LSTM."""

from __future__ import annotations

from dataclasses import dataclass

from troubadour.generation.network_spec import Spec


@dataclass(frozen=True, slots=True)
class LstmSpec(Spec):
    """Shape of a stack of residual LSTM layers, each as wide as the stream."""
