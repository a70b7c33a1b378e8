"""Several recommenders added up, whatever they are, with named fall-backs."""

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
    Forgetful,
    Items,
    Persistent,
    Recommender,
    Scores,
    State,
    check_fitted,
    check_range,
    pick,
    require,
)
from troubadour.recommenders.blend.combine import Parts, Standard, combine, standardise
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.scorers.content import ContentRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender

COLD: Final = 0.5
"""Trust in a part alone, where nothing else is said; see `BlendSpec.cold`."""


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One recommender of a blend."""

    model: str
    """Name in the registry of recommenders; each may occur once."""
    weight: float = 1.0
    """0 or more; 0 = only where none of those with a weight knows a piece."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of its spec that differ from the default."""

    def __post_init__(self) -> None:
        check_range(f"weight of {self.model}", self.weight, 0, 1000)

    @property
    def recipe(self) -> ScorerRecipe:
        """How to build it."""
        return ScorerRecipe(self.model, self.options)


@dataclass(frozen=True, slots=True)
class BlendSpec:
    """What may be chosen about the blend; `choose` chooses by validation."""

    parts: tuple[PartSpec, ...] = (PartSpec("ease"), PartSpec("content", 0.4))
    """The recommenders, those with a weight and those that stand in for them."""
    popularity: float = 0.0
    """Weight of popularity beside them, 0 or more."""
    cold: float = COLD
    """Trust in a part alone, 0 to 1: a piece that only a vanishing share of the weights knows (content,
    where nobody heard it) scores this share of what it would if all others agreed."""

    def __post_init__(self) -> None:
        check_range("popularity", self.popularity, 0, 100)
        check_range("cold", self.cold, 0, 1)
        names = [part.model for part in self.parts]
        if len({*names, "popular"}) != len(names) + 1:
            raise InputError(
                f"parts are {names}; each recommender may occur once, and popular is always there"
            )
        if not any(part.weight for part in self.parts) and not self.popularity:
            raise InputError("every weight of the blend is 0; give one a weight above 0")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        parts = [{"model": p.model, "weight": p.weight, "options": dict(p.options)} for p in self.parts]
        return {"parts": parts, "popularity": self.popularity, "cold": self.cold}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From JSON.

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
    """score = sum of weight * z(recommender) + popularity * z(log(1 + listeners)).

    z is the number of standard deviations above the mean over the items that the history does not
    hold, because recommenders have different units. Where some do not know a piece the others
    stand in for them, with less trust; see `FallbackLevel`: every score tells what it rests on.

    Costs what its parts cost, and a pass over their scores.
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
        """See `Recommender.fit`; without item vectors what needs them is left out."""
        options = options or FitOptions()
        models = {
            part.model: part.recipe.build().fit(interactions, options)
            for part in self.spec.parts
            if options.item_vectors is not None or part.model not in NEED_VECTORS
        }
        return type(self)(self.spec, models, PopularRecommender().fit(interactions, options))

    def extended(self, vectors: NDArray[np.float32]) -> Self:
        """With items appended to the catalogue, shape (n_new, d); they are scored by content.

        Raises:
            InputError: no part can take them, or the vectors have another width.
        """
        if self.content is None:
            raise InputError("this blend was fitted without item_vectors; fit it again with them")
        grown = {name: _extended(model, vectors) for name, model in self.models.items()}
        return type(self)(self.spec, grown, self._popular)

    def forget(
        self, history: History, rest: Interactions | None = None, options: FitOptions | None = None
    ) -> Self:
        """See `Forgetful.forget`; parts that cannot subtract a listener (`unforgetting`) are fitted again.

        Args:
            rest: the log without the listener, for those.
            options: as at fitting, for those.

        Raises:
            InputError: such a part and no `rest`, or no listener with this history can have been there.
        """
        recipes = {part.model: part.recipe for part in self.spec.parts}
        without: dict[str, Recommender] = {}
        for name, model in self.models.items():
            if isinstance(model, Forgetful):
                without[name] = model.forget(history)
            elif name not in self.unforgetting:
                without[name] = model
            elif rest is not None:
                without[name] = recipes[name].build().fit(rest, options)
            else:
                raise InputError(
                    f"{name} cannot forget a listener; give the rest of the log, on which to fit it again"
                )
        return type(self)(self.spec, without, self.popular.forget(history))

    @property
    def unforgetting(self) -> tuple[str, ...]:
        """Parts from which a listener cannot be subtracted. Content never learnt from any."""
        able = (Forgetful, ContentRecommender)
        return tuple(name for name, model in self.models.items() if not isinstance(model, able))

    @property
    def models(self) -> Mapping[str, Recommender]:
        """The fitted recommenders by name."""
        return check_fitted(self._models, "blend")

    @property
    def content(self) -> ContentRecommender | None:
        """The content part, if there is one and there are item vectors."""
        found = self.models.get("content")
        return found if isinstance(found, ContentRecommender) else None

    @property
    def popular(self) -> PopularRecommender:
        """Popularity, the last resort."""
        return check_fitted(self._popular, "blend")

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.content.known) if self.content else len(self.popular.counts)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; NaN only for an item that came after fitting."""
        return pick(self.parts(histories).total(), items)

    def parts(self, histories: Sequence[History], items: Items | None = None) -> Parts:
        """The scores and what they are made of and rest on.

        Args:
            items: rows of the catalogue; default: all. Standardised over all in either case.
        """
        hidden = np.zeros((len(histories), self.n_items), dtype=bool)
        for row, history in zip(hidden, histories, strict=True):
            row[history.items[history.items < self.n_items]] = True
        likes = np.array([bool((h.weights > 0).any()) for h in histories], dtype=bool)
        z: list[Standard] = []
        for model in self.models.values():
            own = standardise(self._whole(model.score(histories)), hidden)
            # A model that says the same of every piece does not know this listener.
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
        ).pick(items)

    def _only_content(self, histories: Sequence[History]) -> tuple[int, NDArray[np.float64]] | None:
        """Place of the content part, and the share of each history's liking that nobody else listened to.

        The other parts learn from listeners, so to them a play of such a piece is no play at all.
        """
        if "content" not in self.models or self.content is None:
            return None
        heard = np.pad(self.popular.counts > 0, (0, self.n_items - len(self.popular.counts)))
        share = np.zeros(len(histories))
        for row, history in enumerate(histories):
            liked = (history.weights > 0) & (history.items < self.n_items)
            items, weights = history.items[liked], history.weights[liked]
            only = ~heard[items] & self.content.known[items]
            share[row] = weights[only].sum() / weights.sum() if only.any() else 0.0
        return list(self.models).index("content"), share

    def _whole(self, scores: Scores) -> Scores:
        """Scores of the catalogue as it was at fitting, NaN for what came later."""
        later = self.n_items - scores.shape[1]
        return np.pad(scores, ((0, 0), (0, later)), constant_values=np.nan) if later else scores

    def state(self) -> State:
        """See `Persistent.state`.

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
        """See `Persistent.from_state`."""
        blend = BlendSpec.from_dict(spec)
        stored = require(spec, "models", "blend")
        models: dict[str, Any] = {}
        for name, own in stored.items():
            start = f"{name}."
            mine = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            models[name] = registry.find("recommenders", name).from_state(own, mine)
        unknown = models.keys() - {part.model for part in blend.parts} - {"popular"}
        if unknown:
            raise ModelError(f"stored blend holds {sorted(unknown)}, which its spec does not name")
        popular = models.pop("popular", None)
        return cls(blend, models, require({"popular": popular} if popular else {}, "popular", "blend"))


NEED_VECTORS = frozenset({"content"})
"""Recommenders that cannot be fitted without item vectors."""


def _extended(model: Recommender, vectors: NDArray[np.float32]) -> Recommender:
    grow: Any = getattr(model, "extended", None)
    return cast("Recommender", grow(vectors)) if callable(grow) else model
