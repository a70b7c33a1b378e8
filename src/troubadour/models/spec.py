"""Specs by family name: the shapes of the networks that predict the next token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from troubadour.generation.network_spec import Spec
from troubadour.models.lstm.spec import LstmSpec
from troubadour.models.transformer.spec import TransformerSpec

SPECS: Final[Mapping[str, type[Spec]]] = {"transformer": TransformerSpec, "lstm": LstmSpec}
"""Spec of each family that composes event by event."""
