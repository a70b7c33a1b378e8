"""Personal most-popular model: baseline of next-play prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    Search,
    State,
    check_fitted,
    check_range,
    history_matrix,
    take_items,
    time_decay,
)
from troubadour.recommenders.scorers.popular import PopularRecommender


@dataclass(frozen=True, slots=True)
class PersonalSpec:
    """Hyperparameters of the personal most-popular model."""

    half_life: float = 0.0
    """Half-life of history weights, in other items played since, 0 (no decay) to 1,000,000."""

    def __post_init__(self) -> None:
        check_range("half_life", self.half_life, 0, 1e6)


SEARCH: Final[Search] = {"half_life": (2.0, 1000.0, True)}


class PersonalRecommender:
    """Personal most-popular: score = weight of the item in the history, then popularity for other items.

    Baseline for next-play prediction with repeats. Weights grow with the number of plays (see `Weights`) and
    decay with the half-life. Items outside the history score their share of listeners, scaled below the
    smallest positive weight of the history. Items with a negative weight score below 0.

    Cost: one pass over the events. Source: the baseline P-Top of Anelli et al., "Reenvisioning the comparison
    between neural collaborative filtering and matrix factorization", RecSys 2021, personalised as in Li et
    al.,
    "A next basket recommendation reality check", 2023.
    """

    def __init__(self, spec: PersonalSpec | None = None, popular: PopularRecommender | None = None) -> None:
        self.spec = spec or PersonalSpec()
        self._popular = popular

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`."""
        return type(self)(self.spec, PopularRecommender().fit(interactions, options))

    def forget(self, history: History) -> Self:
        """Removes one listener; see `Unlearning.forget`. Bit-exact."""
        return type(self)(self.spec, check_fitted(self._popular, "personal").forget(history))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN only for items that were added after fitting."""
        popular = check_fitted(self._popular, "personal")
        share = popular.counts / (popular.n_listeners + 1.0)
        own = history_matrix([time_decay(h, self.spec.half_life) for h in histories], len(share)).toarray()
        liked = np.where(own > 0, own, np.inf).min(axis=1, initial=np.inf)
        least = np.where(np.isfinite(liked), liked, 1.0)[:, None]
        return take_items(np.where(own == 0, share * least, own), items)

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        popular, arrays = check_fitted(self._popular, "personal").state()
        return {**asdict(self.spec), **popular}, arrays

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        try:
            own = PersonalSpec(**{name: spec[name] for name in spec if name != "n_listeners"})
        except TypeError as error:
            raise ModelError(f"stored personal spec {spec}: {error}") from error
        return cls(own, PopularRecommender.from_state(spec, arrays))
