"""What a listener plays most, and what all play where nothing is known: the next play's baseline."""

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
    pick,
    time_decay,
)
from troubadour.recommenders.scorers.popular import PopularRecommender


@dataclass(frozen=True, slots=True)
class PersonalSpec:
    """What may be chosen about it."""

    half_life: float = 0.0
    """After how many other items a weight of the history counts half, 0 (never) to 1,000,000."""

    def __post_init__(self) -> None:
        check_range("half_life", self.half_life, 0, 1e6)


SEARCH: Final[Search] = {"half_life": (2.0, 1000.0, True)}


class PersonalRecommender:
    """Personal most-popular: score = the listener's own weight, then popularity below all of these.

    For the next play, where repeats count: much of listening is repetition, and a model that does
    not beat this one has learnt little. Weights grow with the number of plays (see `Weights`); with
    a half-life they also fade with age, counted in other items met since. An item outside the
    history scores its share of listeners, scaled below the least weight that the history likes; one
    that was turned away from scores below 0.

    Cost: one pass over the events. Source: the baseline P-Top of Anelli et al., "Reenvisioning the
    comparison between neural collaborative filtering and matrix factorization", RecSys 2021, made
    personal as in next-basket work (Li et al., "A next basket recommendation reality check", 2023).
    """

    def __init__(self, spec: PersonalSpec | None = None, popular: PopularRecommender | None = None) -> None:
        self.spec = spec or PersonalSpec()
        self._popular = popular

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """See `Recommender.fit`."""
        return type(self)(self.spec, PopularRecommender().fit(interactions, options))

    def forget(self, history: History) -> Self:
        """See `Forgetful.forget`; exact to the bit."""
        return type(self)(self.spec, check_fitted(self._popular, "personal").forget(history))

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`; never NaN but for items that came after fitting."""
        popular = check_fitted(self._popular, "personal")
        share = popular.counts / (popular.n_listeners + 1.0)
        own = history_matrix([time_decay(h, self.spec.half_life) for h in histories], len(share)).toarray()
        liked = np.where(own > 0, own, np.inf).min(axis=1, initial=np.inf)
        least = np.where(np.isfinite(liked), liked, 1.0)[:, None]
        return pick(np.where(own == 0, share * least, own), items)

    def state(self) -> State:
        """See `Persistent.state`."""
        popular, arrays = check_fitted(self._popular, "personal").state()
        return {**asdict(self.spec), **popular}, arrays

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        try:
            own = PersonalSpec(**{name: spec[name] for name in spec if name != "n_listeners"})
        except TypeError as error:
            raise ModelError(f"stored personal spec {spec}: {error}") from error
        return cls(own, PopularRecommender.from_state(spec, arrays))
