"""Validation of recipes on one common split with common listeners and tie-breaking."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import Interactions
from troubadour.recommenders.base import FitOptions, Scores
from troubadour.recommenders.blend.combine import StandardScores, standardise
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.recommender import NEED_VECTORS
from troubadour.recommenders.evaluation.bootstrap import Interval, interval
from troubadour.recommenders.evaluation.evaluate import Evaluation, evaluate_scores
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet, discovery_cases
from troubadour.recommenders.evaluation.split import Split, split_fairly

K: Final = 20
"""Length of the evaluated lists."""
_MAX_LISTENERS: Final = 1000
"""Largest number of validation listeners; more narrow the intervals little and cost time."""
_MAX_SCORES: Final = 10_000_000
"""Largest number of scores of one model in memory; excess listeners are sampled out."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated recipe."""

    recipe: ScorerRecipe
    ndcg: Interval
    """NDCG@20 over items unknown to the listener, mean over validation listeners."""
    seconds: float
    """Processor time of fitting and scoring, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """A trial with its scores."""

    trial: Trial
    z: StandardScores
    """Scores standardised as in a blend."""
    evaluation: Evaluation


class Validation:
    """Fits recipes on the earlier part of a log and evaluates them on the later part.

    Args:
        interactions: log for training and validation; it must not contain test data.
        options: event weights and item vectors for all fits.
        seed: of a random split (logs without times), of tie-breaking and of intervals.
        share: share of the log for validation, above 0 and below 1.
    """

    def __init__(
        self, interactions: Interactions, options: FitOptions, seed: int, share: float = 0.2
    ) -> None:
        self.seed = seed
        rng = np.random.default_rng(seed)
        self.split: Split = split_fairly(interactions, share, rng)
        found = discovery_cases(self.split, options.weights)
        max_listeners = min(_MAX_LISTENERS, max(50, _MAX_SCORES // max(1, len(interactions.items))))
        self.cases: EvaluationSet = found.sample(max_listeners, rng)
        self.options = options
        self.hidden: NDArray[np.bool_] = self.cases.hidden_mask()

    def supports(self, recipe: ScorerRecipe) -> bool:
        """Whether the inputs that a recipe needs are available."""
        return self.options.item_vectors is not None or recipe.model not in NEED_VECTORS

    def run_trial(self, recipe: ScorerRecipe) -> TrialResult:
        """Fits, scores and evaluates one recipe.

        Raises:
            InputError: an option is out of range, or the model exceeds its memory limit.
        """
        started = time.process_time()
        model = recipe.build().fit(self.split.train, self.options)
        items = np.arange(self.cases.n_items, dtype=np.int32)
        scores = model.score(self.cases.histories, items)
        seconds = time.process_time() - started
        evaluation = self.evaluate(scores)
        if recipe.model == "popular":
            scores = np.log1p(scores)  # as in the blend
        z = standardise(scores, self.hidden)
        z = StandardScores(np.where(z.flat[:, None], np.nan, z.scores).astype(np.float32), z.scale)
        figure = interval(evaluation.ndcg, np.random.default_rng(self.seed))
        return TrialResult(Trial(recipe, figure, seconds), z, evaluation)

    def evaluate(self, scores: Scores) -> Evaluation:
        """Evaluates scores of all validation listeners, shape (n_cases, n_items)."""
        return evaluate_scores(lambda rows: scores[rows], self.cases, K, np.random.default_rng(self.seed))
