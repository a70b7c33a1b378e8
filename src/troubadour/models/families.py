"""The families that can be trained, found through the registry of composers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from troubadour.core.errors import InputError, NotFoundError
from troubadour.core.registry import find
from troubadour.generation.protocols import families
from troubadour.models.options import TrainOptions
from troubadour.music.score import Score

Styled = tuple[Score, str]
"""A piece and its style."""


class Trainable(Protocol):
    """Class of a composer whose network the trainer can train."""

    kind: ClassVar[str]
    spec_type: ClassVar[type[Any]]

    @staticmethod
    def network(spec: Any) -> Any:
        """A fresh network (a torch module) of a shape."""
        ...


@dataclass(frozen=True, slots=True)
class TrainedFamily:
    """Outcome of `TrainsItself.train`."""

    report: Any
    """A dataclass, as `Run.go` returns it."""
    history: Sequence[dict[str, Any]]
    more: Mapping[str, Any]
    """Entries for the report, JSON-able."""


class TrainsItself(Protocol):
    """Class of a composer with training data of its own kind."""

    spec_type: ClassVar[type[Any]]

    @staticmethod
    def train(
        folder: Path,
        name: str,
        shape: Mapping[str, Any],
        options: TrainOptions,
        train: Sequence[Styled],
        valid: Sequence[Styled],
        start: Path | None,
        tell: Callable[[int, float], None] | None,
    ) -> TrainedFamily:
        """Train and write a composer into a folder.

        Args:
            shape: fields of `spec_type` that the recipe sets.
            start: folder of a composer whose weights to start from.
            tell: progress: step and loss.
        """
        ...


def trainable() -> tuple[str, ...]:
    """Names of the registered families that can be trained, sorted."""
    return tuple(name for name, found in families() if hasattr(found, "spec_type"))


def family(name: str) -> Any:
    """The composer class of a family that can be trained: `Trainable` or `TrainsItself`.

    Raises:
        InputError: no such family, or it cannot be trained.
    """
    try:
        found = find("composers", name)
    except NotFoundError:
        found = None
    if not hasattr(found, "spec_type"):
        raise InputError(f"family is {name!r}; allowed: {', '.join(trainable())}")
    return found


def family_of(spec: Any) -> Any:
    """The composer class that a spec belongs to.

    Raises:
        InputError: no registered family has such specs.
    """
    for _, found in families():
        if getattr(found, "spec_type", None) is type(spec):
            return found
    raise InputError(f"no family trains {type(spec).__name__}; there are: {', '.join(trainable())}")
