"""Construction of recommenders by name and options through the registry of built-ins and plugins."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from troubadour.core import registry
from troubadour.core.errors import InputError
from troubadour.recommenders.base import Recommender, Search


@dataclass(frozen=True, slots=True)
class ScorerRecipe:
    """A registered recommender with the options that differ from its defaults."""

    model: str
    """Registered name of the recommender."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of its spec, by name."""

    def build(self) -> Recommender:
        """Builds the recommender, unfitted.

        Raises:
            NotFoundError: the recommender is not registered.
            InputError: an option does not exist or is out of range.
        """
        found: Any = registry.find("recommenders", self.model)
        model = found()
        if self.options:
            if not hasattr(model, "spec"):
                raise InputError(f"{self.model} has no options; got {sorted(self.options)}")
            try:
                model = found(replace(model.spec, **self.options))
            except TypeError as error:
                raise InputError(f"{self.model}: {error}") from error
        built: Recommender = model
        return built

    def search(self) -> Search:
        """Search ranges of the options; empty if the model's module declares none."""
        module = sys.modules[registry.find("recommenders", self.model).__module__]
        ranges: Search = getattr(module, "SEARCH", {})
        return ranges

    def __str__(self) -> str:
        if not self.options:
            return self.model
        return f"{self.model}({', '.join(f'{k}={_short(v)}' for k, v in self.options.items())})"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
