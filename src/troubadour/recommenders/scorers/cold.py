"""Cold-start model: ALS with a ridge map from content vectors to item factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    Search,
    State,
    check_fitted,
    check_range,
    require,
)
from troubadour.recommenders.scorers.als import AlsRecommender, AlsSpec
from troubadour.recommenders.scorers.content import padded, spread_of
from troubadour.recommenders.scorers.factors import ItemFactors

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ColdSpec:
    """Hyperparameters of the cold-start model."""

    als: AlsSpec = field(default_factory=AlsSpec)
    """Hyperparameters of ALS."""
    regularisation: float = 10.0
    """L2 penalty on the map, above 0 to 1,000,000; large values shrink mapped factors to their mean."""
    support: float = 3.0
    """Prior weight of the map, in listeners, 0 to 1,000: factors of an item with n listeners are
    (n * ALS factors + support * mapped factors) / (n + support). 0 = the map for items without listeners
    only."""

    def __post_init__(self) -> None:
        check_range("regularisation", self.regularisation, 0, 1e6, above=True)
        check_range("support", self.support, 0, 1000)


SEARCH: Final[Search] = {"regularisation": (0.1, 1000.0, True), "support": (0.0, 30.0, False)}


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    mean: Vectors
    scale: Vectors
    map: Floats
    """Ridge map from standardised vectors and a constant 1 to factors, shape (d + 1, factors)."""
    items: ItemFactors
    """Combined factors of items; known = has listeners or a vector."""

    def scaled(self, vectors: Vectors) -> Vectors:
        """Standardises vectors, shape (n, d); NaN entries become 0."""
        return np.asarray(np.nan_to_num((vectors - self.mean) / self.scale, nan=0.0), dtype=np.float32)

    def mapped(self, vectors: Vectors) -> ItemFactors:
        """Maps content vectors to factors."""
        there = np.asarray(~np.isnan(vectors).all(axis=1))
        scaled = self.scaled(vectors)
        placed = scaled @ self.map[:-1] + self.map[-1]
        return ItemFactors(np.where(there[:, None], placed, 0.0).astype(np.float32), there)


class ColdRecommender:
    """Cold-start ALS: score_j = u . y_j, where y_j of an item without listeners is mapped from its content.

    The ridge map is fitted on items with listeners, weighted by the square root of their listener count.
    Factors of items with few listeners are interpolated, see `ColdSpec.support`. Histories can contain mapped
    items. Cost: ALS, and items * d^2 + d^3 for vectors of width d.

    Source: Gantner et al., "Learning attribute-to-feature mappings for cold-start recommendations", ICDM
    2010.
    """

    def __init__(self, spec: ColdSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or ColdSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits ALS and the map.

        See `Recommender.fit`. `options.item_vectors` is required, shape (n_items, d).

        Raises:
            InputError: the vectors are missing or do not match the catalogue, or the log exceeds
                `AlsSpec.memory_bytes`.
        """
        options = options or FitOptions()
        vectors, n = options.item_vectors, len(interactions.items)
        if vectors is None or vectors.ndim != 2 or len(vectors) != n or np.isinf(vectors).any():
            seen = "missing" if vectors is None else f"of shape {vectors.shape}"
            raise InputError(f"item_vectors are {seen}; need ({n}, d), finite or NaN for no vector")
        als = AlsRecommender(self.spec.als).fit(interactions, options)
        listeners = np.bincount(interactions.to_matrix(options.weights).indices, minlength=n)
        there = np.asarray(~np.isnan(vectors).all(axis=1))
        mean, deviation, known = spread_of(vectors)
        # Entries that are constant or missing in training must not be scaled up later.
        scale = np.where(known & (deviation > 1e-6), deviation, 1.0).astype(np.float32)
        both = there & als.item_factors.known
        ones = np.ones((int(both.sum()), 1))
        scaled = np.nan_to_num((vectors[both] - mean) / scale, nan=0.0)
        sound = np.concatenate([scaled, ones], axis=1, dtype=np.float64)
        trust = np.sqrt(listeners[both])[:, None]
        left = (sound * trust).T @ sound + self.spec.regularisation * np.eye(sound.shape[1])
        slope = np.linalg.solve(left, (sound * trust).T @ als.item_factors.vectors[both].astype(np.float64))
        learned = _Learned(mean, scale, np.asarray(slope, np.float64), als.item_factors)
        by_sound = learned.mapped(vectors)
        own = np.where(by_sound.known, listeners / np.maximum(listeners + self.spec.support, 1e-9), 1.0)
        placed = own[:, None] * als.item_factors.vectors + (1.0 - own[:, None]) * by_sound.vectors
        items = ItemFactors(placed.astype(np.float32), by_sound.known | als.item_factors.known)
        return type(self)(self.spec, _Learned(mean, scale, learned.map, items))

    def extended(self, vectors: Vectors) -> Self:
        """Appends items to the catalogue without a refit.

        Args:
            vectors: content vectors, float32, shape (n_new, d).

        Raises:
            InputError: the vectors are wider than those of the fit.
        """
        learned = check_fitted(self._learned, "cold")
        new, old = learned.mapped(padded(vectors, len(learned.mean))), learned.items
        items = ItemFactors(
            np.concatenate([old.vectors, new.vectors]), np.concatenate([old.known, new.known])
        )
        return type(self)(self.spec, _Learned(learned.mean, learned.scale, learned.map, items))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN for items without listeners and without a vector."""
        learned = check_fitted(self._learned, "cold")
        return AlsRecommender(self.spec.als, learned.items).score(histories, items)

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        learned = check_fitted(self._learned, "cold")
        own: dict[str, NDArray[Any]] = {"mean": learned.mean, "scale": learned.scale, "map": learned.map}
        return asdict(self.spec), own | learned.items.arrays()

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        mean, scale, slope = (require(arrays, name, "cold") for name in ("mean", "scale", "map"))
        items = ItemFactors.from_arrays(arrays, "cold")
        if slope.shape != (len(mean) + 1, items.vectors.shape[1]) or scale.shape != mean.shape:
            raise ModelError(f"stored cold map has shape {slope.shape}; its vectors {mean.shape}")
        try:
            own = ColdSpec(**{**spec, "als": AlsSpec(**require(spec, "als", "cold"))})
        except TypeError as error:
            raise ModelError(f"stored cold spec {spec}: {error}") from error
        return cls(own, _Learned(mean, scale, slope, items))
