"""Recipes: what a composer is trained on, its shape, and how it trains, as a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from troubadour.errors import InputError

_SHAPE = ("width", "layers", "head", "hidden", "context", "dropout")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe."""

    name: str
    collections: tuple[str, ...] = ()
    """Built-in collections; others in the catalogue are left out. Empty = everything."""
    metre_changes: int = 2
    """Pieces with more changes of metre are left out."""
    repeat: dict[str, int] = field(default_factory=dict[str, int])
    """How often each piece of a collection is drawn in an epoch; once, if not said."""
    model: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of `TransformerSpec`."""
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
        _known(path, "data", data, ("collections", "metre_changes", "repeat"))
        _known(path, "model", model, _SHAPE)
        _known(path, "train", train, _train_fields())
        name = values.pop("name", path.stem)
        _known(path, "", values, ())
        repeat = data.get("repeat", {})
        for collection, times in repeat.items():
            if not isinstance(times, int) or times < 1:
                raise InputError(
                    f"recipe {path}: repeat.{collection} is {times!r}; allowed: whole numbers from 1"
                )
        collections = tuple(data.get("collections", ()))
        return cls(name, collections, int(data.get("metre_changes", 2)), repeat, model, train)


def _train_fields() -> tuple[str, ...]:
    from troubadour.composers.options import TrainOptions

    return tuple(f.name for f in fields(TrainOptions))


def _known(path: Path, table: str, values: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for key in values:
        if key not in allowed:
            where = f"[{table}] " if table else ""
            raise InputError(
                f"recipe {path}: unknown setting {where}{key}; allowed: {', '.join(allowed) or 'tables'}"
            )
