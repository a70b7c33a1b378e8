"""The shape of the VAE's networks; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from troubadour.core.errors import InputError, ModelError
from troubadour.models.vae.passages import LENGTHS, N_TOKENS, STEPS

VERSION = 1
"""Of the grid; a checkpoint of another one is refused."""


@dataclass(frozen=True, slots=True)
class VaeSpec:
    """Sizes."""

    latent: int = 256
    width: int = 128
    """Of a bar's vector, in encoder and decoder."""
    token: int = 32
    """Of a token's embedding in the encoder."""
    hidden: int = 512
    """Of the encoder's hidden layers."""
    bar_layers: int = 2
    """Transformer layers over bars, on either side."""
    step_layers: int = 2
    """Transformer layers over the steps of a bar, in the decoder."""
    head: int = 32
    """Channels of an attention head."""
    dropout: float = 0.05
    unheard: float = 0.3
    """Share of the decoder's own past tokens that training masks, so that it uses the latent vector, 0 to below 1."""
    kl_weight: float = 0.2
    """Weight of the divergence from the prior above the free bits, once annealed."""
    annealing: int = 1000
    """Batches over which that weight rises from zero."""
    steps: int = STEPS
    tokens: int = N_TOKENS
    longest: int = LENGTHS[-1]
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.width % self.head:
            raise InputError(f"width is {self.width}; allowed: a multiple of head ({self.head})")
        if not 0.0 <= self.unheard < 1.0 or not 0.0 <= self.dropout < 1.0:
            raise InputError(f"dropout {self.dropout} and unheard {self.unheard}; allowed: 0 to below 1")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            ModelError: it is of another version, or not such a spec.
        """
        if values.get("version") != VERSION:
            raise ModelError(f"the VAE is of version {values.get('version')}; this program reads {VERSION}")
        try:
            return cls(**{f.name: values[f.name] for f in fields(cls)})
        except (KeyError, TypeError, InputError) as error:
            raise ModelError(f"not a VAE's spec: {error}") from error
