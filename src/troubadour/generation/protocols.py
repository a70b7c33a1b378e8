"""Protocols of composers: what every composer does, and the further capabilities that some have.

A composer is registered as an entry point of the group `troubadour.composers`; a plugin needs no more than the
members of `Composer`. Callers that need a further capability ask for it with `require`, which refuses a composer
without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, MissingExtraError
from troubadour.core.registry import find, names
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.style_statistics import StyleStatistics
from troubadour.music.score import Score

if TYPE_CHECKING:
    from troubadour.generation.tasks.base import Task

T = TypeVar("T")


@runtime_checkable
class Composer(Protocol):
    """Composes pieces to a brief."""

    @property
    def name(self) -> str:
        """Name of the weights, as provenance and reports show it."""
        ...

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that a brief may name."""
        ...

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """The brief with the open controls that the composer needs decided.

        Raises:
            InputError: the style is unknown, or the composer cannot meet the brief.
        """
        ...

    def compose(
        self, brief: Brief, rng: np.random.Generator, candidates: int = 1, corpus: Corpus | None = None
    ) -> list[Score]:
        """New quantised scores for one brief, the likeliest first.

        Args:
            brief: as `complete` returns it, or with open controls.
            rng: the only source of randomness.
            candidates: number of scores.
            corpus: other music, for `brief.max_common`.

        Raises:
            InputError: the brief cannot be met; the message says why and what is allowed.
        """
        ...

    @classmethod
    def load(cls, folder: Path, threads: int = 1, precision: Precision = FULL) -> Self:
        """Read a composer from a folder; `composer.json` there names the family under `kind`.

        Raises:
            ModelError: a file is missing, damaged, of another version or of another family.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """Composes bar by bar."""

    def stream(self, brief: Brief, rng: np.random.Generator, corpus: Corpus | None = None) -> Iterator[Score]:
        """At each barline the score so far, at last the whole score; closing the iterator stops the composing.

        Raises:
            InputError: as `Composer.compose`, before the first bar.
        """
        ...


@runtime_checkable
class TaskComposer(Protocol):
    """Composes to a given piece."""

    def run_task(
        self,
        task: Task,
        brief: Brief,
        rng: np.random.Generator,
        candidates: int = 1,
        corpus: Corpus | None = None,
    ) -> list[Score]:
        """Results of a task, the likeliest first; no duplicates, and none equal to the given piece.

        Raises:
            InputError: the given piece does not allow the task, or two controls conflict.
            TroubadourError: there is no result.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Maps scores to vectors."""

    @property
    def name(self) -> str:
        """Name of the vector space; vectors of different spaces cannot be compared."""
        ...

    def embed(self, scores: list[Score]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (n, d); a row is NaN where a score cannot be embedded."""
        ...


class Melody(Protocol):
    """A monophonic excerpt of whole bars."""

    @property
    def bars(self) -> int:
        """Number of bars."""
        ...

    def score(self, program: int = 0) -> Score:
        """The excerpt as a score."""
        ...


@runtime_checkable
class Scorable(Protocol):
    """Gives the likelihood of music that it did not compose."""

    @property
    def exact_nats(self) -> bool:
        """Whether `bar_nats` is exact; otherwise it is an upper bound."""
        ...

    def bar_nats(self, melodies: Sequence[Any], rng: np.random.Generator) -> NDArray[np.float64]:
        """Negative log-likelihood of each `Melody` in nats a bar, shape (n,), metre and number of bars given."""
        ...


@runtime_checkable
class Learnt(Protocol):
    """Composes with weights that were learnt from styled music."""

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """Arrays by name, as they are stored."""
        ...

    @property
    def profiles(self) -> Mapping[str, StyleStatistics]:
        """Statistics of each style; the empty name stands for any melody."""
        ...


def n_weights(composer: object) -> int:
    """Number of weights of a composer; 0 without any."""
    return sum(int(w.size) for w in composer.weights.values()) if isinstance(composer, Learnt) else 0


def families() -> Iterator[tuple[str, type]]:
    """Name and class of each registered composer that can be loaded here, sorted by name."""
    for name in names("composers"):
        try:
            yield name, find("composers", name)
        except (MissingExtraError, InputError):
            continue  # its dependency is missing, or two packages claim the name


def able(capability: type) -> tuple[str, ...]:
    """Registered families whose class has a capability."""
    members = [name for name in vars(capability) if not name.startswith("_")]
    return tuple(name for name, family in families() if all(hasattr(family, member) for member in members))


def family_name(composer: object) -> str:
    """The name under which a composer's class is registered; without one its class name."""
    known = (name for name, family in families() if family is type(composer))
    return next(known, type(composer).__name__)


def require(composer: object, capability: type[T], verb: str) -> T:
    """The composer, if it has a capability.

    Args:
        verb: what the caller wants, as in "stream bar by bar".

    Raises:
        InputError: it lacks the capability; the message names the families that have it.
    """
    if isinstance(composer, capability):
        return composer
    families = ", ".join(able(capability)) or "none"
    raise InputError(f"the {family_name(composer)} composer cannot {verb}; families that can: {families}")
