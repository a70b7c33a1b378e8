"""The ground on which recipes compete: one split, one set of listeners, the same ties for all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import Interactions
from troubadour.recommenders.base import FitOptions, Scores
from troubadour.recommenders.blend.combine import Standard, standardise
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.recommender import NEED_VECTORS
from troubadour.recommenders.evaluation.bootstrap import Interval, interval
from troubadour.recommenders.evaluation.evaluate import Evaluation, evaluate_scores
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet, discovery_cases
from troubadour.recommenders.evaluation.split import Split, split_fairly

K: Final = 20
"""Length of the lists by which recipes are judged."""
_MOST: Final = 1000
"""Most listeners to judge by; beyond, intervals narrow slowly and time grows."""
_CELLS: Final = 10_000_000
"""Most scores of one model that are kept at once; more listeners than fit are left out by chance."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe that was tried."""

    recipe: ScorerRecipe
    ndcg: Interval
    """NDCG@20 over unheard items, mean over the listeners of validation."""
    seconds: float
    """Of processor time, to fit it and to score all listeners of validation."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A trial and what it scored."""

    trial: Trial
    z: Standard
    """Standardised as a blend does it."""
    evaluation: Evaluation


class Validation:
    """Fits recipes on the earlier part of a log and judges them on the later part.

    Args:
        interactions: the log to learn from; the test that a report speaks of must not be in it.
        seed: of the split (where there are no times), of ties and of intervals.
    """

    def __init__(
        self, interactions: Interactions, options: FitOptions, seed: int, share: float = 0.2
    ) -> None:
        self.seed = seed
        rng = np.random.default_rng(seed)
        self.split: Split = split_fairly(interactions, share, rng)
        found = discovery_cases(self.split, options.weights)
        most = min(_MOST, max(50, _CELLS // max(1, len(interactions.items))))
        self.cases: EvaluationSet = found.sample(most, rng)
        self.options = options
        self.hidden: NDArray[np.bool_] = self.cases.hides()

    def possible(self, recipe: ScorerRecipe) -> bool:
        """Whether there is what the recipe needs."""
        return self.options.item_vectors is not None or recipe.model not in NEED_VECTORS

    def attempt(self, recipe: ScorerRecipe) -> Tried:
        """Fit, score and judge one recipe.

        Raises:
            InputError: an option is out of range, or the model refuses the log (memory).
        """
        started = time.process_time()
        model = recipe.build().fit(self.split.train, self.options)
        items = np.arange(self.cases.n_items, dtype=np.int32)
        scores = model.score(self.cases.histories, items)
        seconds = time.process_time() - started
        evaluation = self.judge(scores)
        if recipe.model == "popular":
            scores = np.log1p(scores)  # as the blend adds it
        z = standardise(scores, self.hidden)
        z = Standard(np.where(z.flat[:, None], np.nan, z.scores).astype(np.float32), z.scale)
        figure = interval(evaluation.ndcg, np.random.default_rng(self.seed))
        return Tried(Trial(recipe, figure, seconds), z, evaluation)

    def judge(self, scores: Scores) -> Evaluation:
        """Figures of scores of all cases and items."""
        return evaluate_scores(lambda rows: scores[rows], self.cases, K, np.random.default_rng(self.seed))
