"""What a Transformer composer is made of; stored as JSON beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from troubadour.errors import ModelError
from troubadour.music import lexicon as lx
from troubadour.music.grammar import FEATURE_SIZES


@dataclass(frozen=True, slots=True)
class TransformerSpec:
    """Shape of a decoder-only Transformer over tokens and musical positions."""

    width: int = 256
    """Width of the residual stream; a multiple of `head`."""
    layers: int = 4
    head: int = 64
    """Width of one attention head."""
    hidden: int = 1024
    """Width of the feed-forward layers."""
    context: int = 2048
    """Longest sequence in tokens."""
    dropout: float = 0.1
    rotary_base: float = 10_000.0
    tokens: int = lx.N_TOKENS
    features: tuple[int, ...] = FEATURE_SIZES
    tokeniser: int = lx.VERSION
    styles: tuple[str, ...] = ()
    """Style names in the order of their tokens."""

    def __post_init__(self) -> None:
        if self.width % self.head or self.layers < 1:
            raise ModelError(f"width {self.width} must be a multiple of head {self.head}; layers >= 1")
        if self.tokeniser != lx.VERSION or self.tokens != lx.N_TOKENS:
            raise ModelError(
                f"model of tokeniser version {self.tokeniser} ({self.tokens} tokens); "
                f"this program has version {lx.VERSION} ({lx.N_TOKENS} tokens)"
            )

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From JSON.

        Raises:
            ModelError: fields are missing or unknown, or of another tokeniser version.
        """
        try:
            return cls(**{**values, "features": tuple(values["features"]), "styles": tuple(values["styles"])})
        except (TypeError, KeyError) as error:
            raise ModelError(f"not a Transformer spec: {error}") from error

    def style_token(self, style: str) -> int | None:
        """Prefix token of a style; `None` if the model does not know it."""
        return lx.STYLE + self.styles.index(style) if style in self.styles else None
