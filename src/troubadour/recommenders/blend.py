"""Several recommenders added up, whatever they are, with named fall-backs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from troubadour import registry
from troubadour.errors import InputError, ModelError
from troubadour.listening.interactions import History, Interactions
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
from troubadour.recommenders.content import ContentRecommender
from troubadour.recommenders.popular import PopularRecommender
from troubadour.recommenders.recipes import Recipe


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
    def recipe(self) -> Recipe:
        """How to build it."""
        return Recipe(self.model, self.options)


@dataclass(frozen=True, slots=True)
class BlendSpec:
    """What may be chosen about the blend; `choose` chooses by validation."""

    parts: tuple[PartSpec, ...] = (PartSpec("ease"), PartSpec("content", 0.4))
    """The recommenders, those with a weight and those that stand in for them."""
    popularity: float = 0.0
    """Weight of popularity beside them, 0 or more."""
    cold: float = 0.5
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


class Basis(IntEnum):
    """What a score rests on."""

    BLEND = 0
    """All parts that have a weight."""
    PARTS = 1
    """Some of them, or a stand-in: nobody heard the piece, or nothing that the listener likes."""
    POPULARITY = 2
    """Popularity alone: nothing is known of the listener's taste, or of the piece."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Scores of a blend taken apart; each array has the shape (n_histories, n_items)."""

    names: tuple[str, ...]
    """Of the recommenders, in the order of `amounts`."""
    amounts: tuple[Scores, ...]
    """What each adds to the score; 0 where it says nothing."""
    scales: tuple[Scores, ...]
    """What one unit of each recommender's own score adds; 0 where it says nothing."""
    popularity: Scores
    """What popularity adds."""
    basis: NDArray[np.int8]
    """A `Basis` each."""

    def total(self) -> Scores:
        """The score: the sum of all that is added."""
        return np.asarray(sum(self.amounts, self.popularity))

    def pick(self, items: Items | None) -> Parts:
        """Only some items."""
        if items is None:
            return self
        return Parts(
            self.names,
            tuple(a[:, items] for a in self.amounts),
            tuple(s[:, items] for s in self.scales),
            self.popularity[:, items],
            self.basis[:, items],
        )


class BlendRecommender:
    """score = sum of weight * z(recommender) + popularity * z(log(1 + listeners)).

    z is the number of standard deviations above the mean over the items that the history does not
    hold, because recommenders have different units. Where some do not know a piece the others
    stand in for them, with less trust; see `Basis`: every score tells what it rests on.

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
            tuple(self.models), z, [weights[name] for name in self.models], popularity.scores, self.spec
        ).pick(items)

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


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Standardised scores, and what one unit of the raw score became."""

    scores: Scores
    """Standard deviations above the mean, shape (n_histories, n_items); NaN = unknown."""
    scale: NDArray[np.float64]
    """1 over the standard deviation, shape (n_histories,); 0 where a row has no spread."""

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Rows without any spread."""
        return np.asarray(self.scale == 0)

    def where(self, rows: NDArray[np.bool_]) -> Standard:
        """Known for some rows only."""
        return Standard(np.where(rows[:, None], self.scores, np.nan), self.scale)


def standardise(scores: Scores, hidden: NDArray[np.bool_]) -> Standard:
    """Standard deviations above the mean over what is known and not hidden, row by row.

    A row without any spread becomes 0; NaN stays NaN.
    """
    counted = np.isfinite(scores) & ~hidden
    n = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    mean = np.where(counted, scores, 0.0).sum(axis=1, keepdims=True) / n
    above = scores - mean
    inside = np.where(counted, above, 0.0)
    deviation = np.sqrt(np.einsum("ij,ij->i", inside, inside)[:, None] / n)
    # Rounding alone must not be blown up into a difference.
    flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    scale = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, deviation))
    return Standard(above * scale, scale[:, 0])


def combine(
    names: tuple[str, ...],
    z: Sequence[Standard],
    weights: Sequence[float],
    popularity: Scores,
    spec: BlendSpec,
) -> Parts:
    """Weigh standardised scores, NaN = unknown, falling back as `Basis` says."""
    shape = popularity.shape
    known = [~np.isnan(one.scores) for one in z]
    whole = sum(weights) or 1.0
    share = sum((w * k for w, k in zip(weights, known, strict=True)), np.zeros(shape)) / whole
    # Parts that stand in for others take over their weight, with the less trust the fewer they are.
    boost = (spec.cold + (1 - spec.cold) * share) / np.where(share > 0, share, 1.0)
    taken = share > 0
    scales: list[Scores] = []
    for weight, there in zip(weights, known, strict=True):
        if weight:
            factor = np.where(there, weight * boost, 0.0)
        else:
            factor = np.where(there & ~taken, spec.cold * whole, 0.0)
            taken = taken | there
        scales.append(factor)
    amounts = tuple(
        f * np.where(there, one.scores, 0.0) for f, there, one in zip(scales, known, z, strict=True)
    )
    full = share > 1 - 1e-9
    nothing = ~taken
    stranger = nothing.all(axis=1, keepdims=True)
    popular = np.where(full, spec.popularity * popularity, 0.0)
    # An unknown item stays behind every average one, but still has its place in the order.
    popular = np.where(nothing, np.where(stranger, popularity, np.minimum(popularity, 0.0) - 3.0), popular)
    basis = np.where(nothing, Basis.POPULARITY, np.where(full, Basis.BLEND, Basis.PARTS))
    return Parts(
        names,
        amounts,
        tuple(f * one.scale[:, None] for f, one in zip(scales, z, strict=True)),
        popular,
        basis.astype(np.int8),
    )


def _extended(model: Recommender, vectors: NDArray[np.float32]) -> Recommender:
    grow: Any = getattr(model, "extended", None)
    return cast("Recommender", grow(vectors)) if callable(grow) else model


__all__ = [
    "Basis",
    "BlendRecommender",
    "BlendSpec",
    "PartSpec",
    "Parts",
    "Standard",
    "combine",
    "standardise",
]
