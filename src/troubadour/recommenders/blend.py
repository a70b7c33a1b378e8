"""What is heard together, what sounds alike and what is popular, added up, with named fall-backs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.errors import InputError, ModelError
from troubadour.listening.interactions import History, Interactions
from troubadour.recommenders.base import FitOptions, Items, Scores, State, check_fitted, require
from troubadour.recommenders.content import ContentRecommender
from troubadour.recommenders.ease import EaseRecommender, EaseSpec
from troubadour.recommenders.popular import PopularRecommender


@dataclass(frozen=True, slots=True)
class BlendSpec:
    """What may be chosen about the blend; `choose_blend` chooses by validation."""

    ease: EaseSpec = field(default_factory=EaseSpec)
    """The collaborative part."""
    content: float = 0.4
    """Weight of content beside the collaborative part's 1; 0 or more."""
    popularity: float = 0.0
    """Weight of popularity; 0 or more."""
    cold: float = 0.5
    """Trust in content alone, 0 to 1: an item that nobody heard scores this share of what content
    would give if the collaborative part agreed with it."""

    def __post_init__(self) -> None:
        for name in ("content", "popularity", "cold"):
            value = getattr(self, name)
            if not 0 <= value <= (1 if name == "cold" else 100):
                raise InputError(f"{name} is {value}; allowed: 0 to {1 if name == 'cold' else 100}")


class Basis(IntEnum):
    """What a score rests on."""

    BLEND = 0
    """All parts."""
    CONTENT = 1
    """Content alone: nobody heard the item, or none of what the listener likes."""
    POPULARITY = 2
    """Popularity alone: nothing is known of the listener's taste, or of the item."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Scores of a blend taken apart, each of shape (n_histories, n_items)."""

    ease: Scores
    content: Scores
    popularity: Scores
    basis: NDArray[np.int8]

    def total(self) -> Scores:
        """The score: the sum of the parts."""
        return self.ease + self.content + self.popularity


class BlendRecommender:
    """score = z(EASE) + content * z(cosine) + popularity * z(log(1 + listeners)).

    z is the number of standard deviations above the mean over the items that the history does not
    hold, because the parts have different units. Where a part is unknown, the score falls back:
    see `Basis`; every score tells which it rests on.
    """

    def __init__(
        self,
        spec: BlendSpec | None = None,
        parts: tuple[EaseRecommender, ContentRecommender | None, PopularRecommender] | None = None,
    ) -> None:
        self.spec = spec or BlendSpec()
        self._parts = parts

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`; without item vectors there is no content part."""
        options = options or FitOptions()
        content = ContentRecommender() if options.item_vectors is not None else None
        return type(self)(
            self.spec,
            (
                EaseRecommender(self.spec.ease).fit(interactions, options),
                content.fit(interactions, options) if content else None,
                PopularRecommender().fit(interactions, options),
            ),
        )

    def extended(self, vectors: NDArray[np.float32]) -> Self:
        """With items appended to the catalogue, shape (n_new, d); they are scored by content.

        Raises:
            InputError: there is no content part, or the vectors have another width.
        """
        if self.content is None:
            raise InputError("this blend was fitted without item_vectors; fit it again with them")
        return type(self)(self.spec, (self.ease, self.content.extended(vectors), self.popular))

    @property
    def ease(self) -> EaseRecommender:
        """The collaborative part."""
        return check_fitted(self._parts, "blend")[0]

    @property
    def content(self) -> ContentRecommender | None:
        """The content part, if there are item vectors."""
        return check_fitted(self._parts, "blend")[1]

    @property
    def popular(self) -> PopularRecommender:
        """The popularity part."""
        return check_fitted(self._parts, "blend")[2]

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.content.known) if self.content else len(self.popular.counts)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; never NaN."""
        return self.parts(histories, items).total()

    def parts(self, histories: Sequence[History], items: Items | None = None) -> Parts:
        """The scores and what they are made of and rest on."""
        rows = np.arange(self.n_items, dtype=np.int32) if items is None else items
        hidden = np.stack([np.isin(rows, h.items) for h in histories])
        heard = self.ease.known(self.n_items)
        tasted = np.array([(h.weights[self._within(h, heard)] > 0).any() for h in histories])
        ease = standardise(self.ease.score(histories, rows), hidden)
        ease[~tasted] = np.nan
        content = np.full_like(ease, np.nan)
        if self.content is not None:
            known = self.content.known
            content = standardise(self.content.score(histories, rows), hidden)
            liked = [(h.weights[self._within(h, known)] > 0).any() for h in histories]
            content[~np.array(liked, dtype=bool)] = np.nan
        listeners = np.nan_to_num(self.popular.score(histories, rows))
        return combine(ease, content, standardise(np.log1p(listeners), hidden), self.spec)

    def _within(self, history: History, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        inside = history.items < len(mask)
        return inside & mask[np.where(inside, history.items, 0)]

    def state(self) -> State:
        """See `Persistent.state`."""
        spec: dict[str, Any] = {**asdict(self.spec), "parts": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for name in ("ease", "content", "popular"):
            part = getattr(self, name)
            if part is not None:
                spec["parts"][name], own = part.state()
                arrays |= {f"{name}.{key}": array for key, array in own.items()}
        return spec, arrays

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        parts = require(spec, "parts", "blend")

        def own(name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
            start = f"{name}."
            mine = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            return require(parts, name, "blend"), mine

        fields = {name: require(spec, name, "blend") for name in ("content", "popularity", "cold")}
        try:
            blend = BlendSpec(EaseSpec(**require(spec, "ease", "blend")), **fields)
        except TypeError as error:
            raise ModelError(f"stored blend spec: {error}") from error
        content = ContentRecommender.from_state(*own("content")) if "content" in parts else None
        ease = EaseRecommender.from_state(*own("ease"))
        return cls(blend, (ease, content, PopularRecommender.from_state(*own("popular"))))


def standardise(scores: Scores, hidden: NDArray[np.bool_]) -> Scores:
    """Standard deviations above the mean over what is known and not hidden, row by row.

    A row without any spread becomes 0; NaN stays NaN.
    """
    counted = np.isfinite(scores) & ~hidden
    n = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    mean = np.where(counted, scores, 0.0).sum(axis=1, keepdims=True) / n
    square = np.where(counted, (scores - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / n
    deviation = np.sqrt(square)
    # Rounding alone must not be blown up into a difference.
    flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    return np.asarray(np.where(flat, scores * 0.0, (scores - mean) / np.where(flat, 1, deviation)))


def combine(ease: Scores, content: Scores, popularity: Scores, spec: BlendSpec) -> Parts:
    """Weigh standardised scores, NaN = unknown, falling back as `Basis` says."""
    no_ease, no_content = np.isnan(ease), np.isnan(content)
    warm = np.where(no_content, 0.0, spec.content * content)
    # Where content has to stand in for the collaborative part it takes over its weight too.
    lone = np.where(no_content, 0.0, spec.cold * (1.0 + spec.content) * content)
    nothing = no_ease & no_content
    stranger = nothing.all(axis=1, keepdims=True)
    popular = np.where(stranger, popularity, spec.popularity * popularity)
    # An unknown item stays behind every average one, but still has its place in the order.
    popular = np.where(nothing & ~stranger, np.minimum(popularity, 0.0) - 3.0, popular)
    basis = np.where(no_ease, np.where(no_content, Basis.POPULARITY, Basis.CONTENT), Basis.BLEND)
    return Parts(
        ease=np.nan_to_num(ease),
        content=np.where(no_ease, lone, warm),
        popularity=np.where(no_ease & ~nothing, 0.0, popular),
        basis=basis.astype(np.int8),
    )
