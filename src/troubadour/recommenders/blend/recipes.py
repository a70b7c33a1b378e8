"""From a name and options to a recommender, through the registry: built-ins and plugins alike."""

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
    """What to fit: a registered recommender, and what of its spec differs from the default."""

    model: str
    """Name in the registry of recommenders."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of its spec."""

    def build(self) -> Recommender:
        """The recommender, not fitted.

        Raises:
            NotFoundError: no such recommender.
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
        """What is worth choosing by validation; nothing where the model's module does not say."""
        module = sys.modules[registry.find("recommenders", self.model).__module__]
        ranges: Search = getattr(module, "SEARCH", {})
        return ranges

    def __str__(self) -> str:
        if not self.options:
            return self.model
        return f"{self.model}({', '.join(f'{k}={_short(v)}' for k, v in self.options.items())})"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
