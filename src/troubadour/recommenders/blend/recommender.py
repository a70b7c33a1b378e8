"""Weighted blend of recommenders with explicit fallbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from troubadour.core import registry
from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Persistent,
    Recommender,
    Scores,
    State,
    Unlearning,
    check_fitted,
    check_range,
    require,
    take_items,
)
from troubadour.recommenders.blend.combine import Parts, StandardScores, combine, standardise
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.scorers.content import ContentRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender

COLD_WEIGHT: Final = 0.5
"""Default of `BlendSpec.cold`."""


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One recommender of a blend."""

    model: str
    """Registered name of the recommender; unique within a blend."""
    weight: float = 1.0
    """Weight, 0 or more; 0 = substitute for items that no weighted part knows."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of its spec that differ from the defaults."""

    def __post_init__(self) -> None:
        check_range(f"weight of {self.model}", self.weight, 0, 1000)

    @property
    def recipe(self) -> ScorerRecipe:
        """Returns the recipe of this part."""
        return ScorerRecipe(self.model, self.options)


@dataclass(frozen=True, slots=True)
class BlendSpec:
    """Specification of a blend; `choose` selects one on validation data."""

    parts: tuple[PartSpec, ...] = (PartSpec("ease"), PartSpec("content", 0.4))
    """Recommenders with their weights, substitutes included."""
    popularity: float = 0.0
    """Weight of popularity, 0 or more."""
    cold: float = COLD_WEIGHT
    """Cold-start trust, 0 to 1. An item known to a vanishing share of the weights (content alone, for items
    without listeners) receives this share of the score that unanimous parts would give."""

    def __post_init__(self) -> None:
        check_range("popularity", self.popularity, 0, 100)
        check_range("cold", self.cold, 0, 1)
        names = [part.model for part in self.parts]
        if len({*names, "popular"}) != len(names) + 1:
            raise InputError(
                f"parts are {names}; each recommender may occur once, and popular is always included"
            )
        if not any(part.weight for part in self.parts) and not self.popularity:
            raise InputError("every weight of the blend is 0; give one a weight above 0")

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary."""
        parts = [{"model": p.model, "weight": p.weight, "options": dict(p.options)} for p in self.parts]
        return {"parts": parts, "popularity": self.popularity, "cold": self.cold}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Restores a spec from the result of `to_dict`.

        Raises:
            ModelError: a field is missing or unknown.
        """
        try:
            parts = tuple(PartSpec(**part) for part in values["parts"])
            return cls(parts, values["popularity"], values["cold"])
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"stored blend spec {dict(values)} cannot be read ({error}); run `troubadour train recommender`"
            ) from error


class BlendRecommender:
    """Blend: score = sum of weight * z(recommender) + popularity * z(log(1 + listeners)).

    z standardises each recommender's scores over the items outside the history, because recommenders
    have different units. Where some parts do not know an item, the others substitute for them with
    reduced trust; `Parts.fallback_level` records this for each score.

    Cost: that of all parts, and one pass over their scores.
    """

    def __init__(
        self,
        spec: BlendSpec | None = None,
        models: Mapping[str, Recommender] | None = None,
        popular: PopularRecommender | None = None,
    ) -> None:
        self.spec = spec or BlendSpec()
        self._models = None if models is None else dict(models)
        self._popular = popular

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits all parts; see `Recommender.fit`. Parts that need item vectors are dropped if there are
        none."""
        options = options or FitOptions()
        models = {
            part.model: part.recipe.build().fit(interactions, options)
            for part in self.spec.parts
            if options.item_vectors is not None or part.model not in NEED_VECTORS
        }
        return type(self)(self.spec, models, PopularRecommender().fit(interactions, options))

    def extended(self, vectors: NDArray[np.float32]) -> Self:
        """Appends items to the catalogue; they are scored by content.

        Args:
            vectors: content vectors, float32, shape (n_new, d).

        Raises:
            InputError: no part supports new items, or the vectors have another width.
        """
        if self.content is None:
            raise InputError("this blend was fitted without item_vectors; fit it again with them")
        grown = {name: _extended(model, vectors) for name, model in self.models.items()}
        return type(self)(self.spec, grown, self._popular)

    def forget(
        self, history: History, rest: Interactions | None = None, options: FitOptions | None = None
    ) -> Self:
        """Removes one listener; see `Unlearning.forget`. Parts in `unforgetting` are fitted again.

        Args:
            history: complete history of the listener at fitting.
            rest: log without the listener, for the parts to fit again.
            options: options of the original fit, for the parts to fit again.

        Raises:
            InputError: a part needs a refit and `rest` is missing, or the history cannot belong to a listener
                of the training log.
        """
        recipes = {part.model: part.recipe for part in self.spec.parts}
        without: dict[str, Recommender] = {}
        for name, model in self.models.items():
            if isinstance(model, Unlearning):
                without[name] = model.forget(history)
            elif name not in self.unforgetting:
                without[name] = model
            elif rest is not None:
                without[name] = recipes[name].build().fit(rest, options)
            else:
                raise InputError(
                    f"{name} cannot remove a listener; give the log without the listener, to fit it again"
                )
        return type(self)(self.spec, without, self.popular.forget(history))

    @property
    def unforgetting(self) -> tuple[str, ...]:
        """Names of the parts that need a refit to remove a listener. Content is not fitted on listeners."""
        able = (Unlearning, ContentRecommender)
        return tuple(name for name, model in self.models.items() if not isinstance(model, able))

    @property
    def models(self) -> Mapping[str, Recommender]:
        """Fitted recommenders by name."""
        return check_fitted(self._models, "blend")

    @property
    def content(self) -> ContentRecommender | None:
        """Content part; None without item vectors or without such a part."""
        found = self.models.get("content")
        return found if isinstance(found, ContentRecommender) else None

    @property
    def popular(self) -> PopularRecommender:
        """Popularity model, the last fallback."""
        return check_fitted(self._popular, "blend")

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue."""
        return len(self.content.known) if self.content else len(self.popular.counts)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN only for items that were added after fitting."""
        return take_items(self.parts(histories).total(), items)

    def parts(self, histories: Sequence[History], items: Items | None = None) -> Parts:
        """Computes the scores with their components and fallback levels.

        Args:
            histories: one per listener.
            items: item rows, shape (n,); None = all. Standardisation always uses the whole catalogue.
        """
        hidden = np.zeros((len(histories), self.n_items), dtype=bool)
        for row, history in zip(hidden, histories, strict=True):
            row[history.items[history.items < self.n_items]] = True
        likes = np.array([bool((h.weights > 0).any()) for h in histories], dtype=bool)
        z: list[StandardScores] = []
        for model in self.models.values():
            own = standardise(self._whole(model.score(histories)), hidden)
            # Constant scores carry no information on this listener.
            z.append(own.where(likes & ~own.flat))
        known_to = np.log1p(self.popular.counts)
        known_to = np.pad(known_to, (0, self.n_items - len(known_to)))
        weights = {part.model: part.weight for part in self.spec.parts}
        popularity = standardise(np.broadcast_to(known_to, hidden.shape), hidden)
        return combine(
            tuple(self.models),
            z,
            [weights[name] for name in self.models],
            popularity.scores,
            self.spec.popularity,
            self.spec.cold,
            self._only_content(histories),
        ).take_items(items)

    def _only_content(self, histories: Sequence[History]) -> tuple[int, NDArray[np.float64]] | None:
        """Returns the index of the content part and, for each history, the share of liked items without
        listeners.

        Collaborative parts have no estimate from such items. None if there is no content part.
        """
        if "content" not in self.models or self.content is None:
            return None
        has_listeners = np.pad(self.popular.counts > 0, (0, self.n_items - len(self.popular.counts)))
        share = np.zeros(len(histories))
        for row, history in enumerate(histories):
            liked = (history.weights > 0) & (history.items < self.n_items)
            items, weights = history.items[liked], history.weights[liked]
            only = ~has_listeners[items] & self.content.known[items]
            share[row] = weights[only].sum() / weights.sum() if only.any() else 0.0
        return list(self.models).index("content"), share

    def _whole(self, scores: Scores) -> Scores:
        """Extends scores to the present catalogue; NaN for items that were added after fitting."""
        later = self.n_items - scores.shape[1]
        return np.pad(scores, ((0, 0), (0, later)), constant_values=np.nan) if later else scores

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`.

        Raises:
            ModelError: a part cannot be stored.
        """
        spec: dict[str, Any] = {**self.spec.to_dict(), "models": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for name, model in {**self.models, "popular": self.popular}.items():
            if not isinstance(model, Persistent):
                raise ModelError(f"recommender {name!r} cannot be stored; leave it out of the blend")
            spec["models"][name], own = model.state()
            arrays |= {f"{name}.{key}": array for key, array in own.items()}
        return spec, arrays

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores a blend; see `Persistent.from_state`."""
        blend = BlendSpec.from_dict(spec)
        stored = require(spec, "models", "blend")
        models: dict[str, Any] = {}
        for name, own in stored.items():
            start = f"{name}."
            mine = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            models[name] = registry.find("recommenders", name).from_state(own, mine)
        unknown = models.keys() - {part.model for part in blend.parts} - {"popular"}
        if unknown:
            raise ModelError(f"stored blend contains {sorted(unknown)}, which its spec does not name")
        popular = models.pop("popular", None)
        return cls(blend, models, require({"popular": popular} if popular else {}, "popular", "blend"))


NEED_VECTORS = frozenset({"content"})
"""Names of recommenders that require item vectors."""


def _extended(model: Recommender, vectors: NDArray[np.float32]) -> Recommender:
    grow: Any = getattr(model, "extended", None)
    return cast("Recommender", grow(vectors)) if callable(grow) else model
