"""Recipes: what a composer is trained on, its shape, and how it trains, as a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from troubadour.core.errors import InputError
from troubadour.models.options import TrainOptions
from troubadour.models.spec import SPECS
from troubadour.models.vae.spec import VaeSpec

_FAMILIES: Final[Mapping[str, type[Any]]] = {**SPECS, "vae": VaeSpec}
_NOT_CHOSEN = ("tokens", "features", "tokeniser", "styles", "steps", "longest", "version")
"""Fields of a spec that follow from the program and the data."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """One recipe."""

    name: str
    family: str = "transformer"
    """`transformer`, `lstm` or `vae`."""
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
        if family not in _FAMILIES:
            raise InputError(f"recipe {path}: family is {family!r}; allowed: {', '.join(_FAMILIES)}")
        _known(path, "data", data, ("collections", "metre_changes", "repeat"))
        shape = tuple(f.name for f in fields(_FAMILIES[family]) if f.name not in _NOT_CHOSEN)
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
