"""Recipes: what a composer is trained on, its shape, and how it trains, as a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from troubadour.core.errors import InputError
from troubadour.models.families import family as family_named
from troubadour.models.options import TrainOptions

_NOT_CHOSEN = ("tokens", "features", "tokeniser", "styles", "steps", "longest", "version")
"""Fields of a spec that follow from the program and the data."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """One recipe."""

    name: str
    family: str = "transformer"
    """Name under which the composer is registered."""
    collections: tuple[str, ...] = ()
    """Built-in collections; others in the catalogue are left out. Empty = everything."""
    metre_changes: int = 2
    """Pieces with more changes of metre are left out."""
    repeat: dict[str, int] = field(default_factory=dict[str, int])
    """How often each piece of a collection is drawn in an epoch; once, if not said."""
    model: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the family's spec."""
    train: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of `TrainOptions`."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a recipe.

        Raises:
            InputError: the file is missing, is no TOML, or holds an unknown setting.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"recipe {path}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"recipe {path} is not TOML: {error}") from error
        data = values.pop("data", {})
        model, train = values.pop("model", {}), values.pop("train", {})
        family = values.pop("family", "transformer")
        try:
            spec_type = family_named(family).spec_type
        except InputError as error:
            raise InputError(f"recipe {path}: {error}") from error
        shape = tuple(f.name for f in fields(spec_type) if f.name not in _NOT_CHOSEN)
        _known(path, "model", model, shape)
        _known(path, "train", train, tuple(f.name for f in fields(TrainOptions)))
        name = values.pop("name", path.stem)
        _known(path, "", values, ())
        repeat = data.get("repeat", {})
        for collection, times in repeat.items():
            if not isinstance(times, int) or times < 1:
                raise InputError(
                    f"recipe {path}: repeat.{collection} is {times!r}; allowed: whole numbers from 1"
                )
        collections = tuple(data.get("collections", ()))
        return cls(name, family, collections, int(data.get("metre_changes", 2)), repeat, model, train)


def _known(path: Path, table: str, values: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for key in values:
        if key not in allowed:
            where = f"[{table}] " if table else ""
            raise InputError(
                f"recipe {path}: unknown setting {where}{key}; allowed: {', '.join(allowed) or 'tables'}"
            )
