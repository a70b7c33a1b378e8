"""What a composer's network is made of; stored as JSON beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, get_args

from troubadour.core.errors import ModelError
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.copies import SIZES
from troubadour.tokens.position import FEATURE_SIZES

Precision = Literal["fp32", "int8"]
"""Of the weights while a composer runs; they are stored as fp16."""
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
FULL: Final[Precision] = "fp32"


def as_precision(text: str) -> Precision:
    """A precision by its name.

    Raises:
        ModelError: no such precision.
    """
    for known in PRECISIONS:
        if text == known:
            return known
    raise ModelError(f"precision is {text!r}; allowed: {', '.join(PRECISIONS)}")


@dataclass(frozen=True, slots=True)
class Spec:
    """What all families share: width, context, and the tokens and positions that they read."""

    width: int = 256
    """Width of the stream from the embeddings to the output."""
    layers: int = 4
    context: int = 2048
    """Longest sequence in tokens."""
    dropout: float = 0.1
    tokens: int = vocab.N_TOKENS
    features: tuple[int, ...] = FEATURE_SIZES
    tokeniser: int = vocab.VERSION
    styles: tuple[str, ...] = ()
    """Style names in the order of their tokens."""
    copies: bool = False
    """Whether the network has copy features (`copies.CopyFeatures`)."""

    def __post_init__(self) -> None:
        if self.tokeniser != vocab.VERSION or self.tokens != vocab.N_TOKENS:
            raise ModelError(
                f"model of tokeniser version {self.tokeniser} ({self.tokens} tokens); "
                f"this program has version {vocab.VERSION} ({vocab.N_TOKENS} tokens)"
            )
        if self.layers < 1 or self.width < 1:
            raise ModelError(f"width is {self.width} and layers {self.layers}; allowed: 1 or more of each")

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Number of values of each feature of a place: position features, then copy features if the spec has them."""
        return self.features + (SIZES if self.copies else ())

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
            name = cls.__name__.removesuffix("Spec")
            raise ModelError(f"not a {name} spec: {error}") from error

    def style_token(self, style: str) -> int | None:
        """Prefix token of a style; `None` if the model does not know it."""
        return vocab.STYLE + self.styles.index(style) if style in self.styles else None
