"""Model selection: fits candidate recipes, tunes the best and learns a blend on validation data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from troubadour.core import registry
from troubadour.core.errors import InputError
from troubadour.core.progress import Progress
from troubadour.interactions.events import Interactions
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.blend.combine import combine
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.recommender import BlendSpec, PartSpec
from troubadour.recommenders.blend.tune import tune
from troubadour.recommenders.blend.validation import Trial, TrialResult, Validation
from troubadour.recommenders.blend.weights import build_pool, cross_fitted_ndcg, learn
from troubadour.recommenders.evaluation.bootstrap import Comparison, compare
from troubadour.recommenders.slate.exposure import STRENGTHS, affordable

FAST_RECIPES: Final = ("popular", "content", "als", "rp3beta", "itemknn", "ease")
"""Default candidates: each fits in seconds and gives exact explanations."""
ALL_RECIPES: Final = (*FAST_RECIPES, "bpr")
"""Candidates of a search with a time limit of minutes."""
_MIN_LISTENERS: Final = 20
"""Smallest number of validation listeners for a selection."""
_N_TUNED: Final = 3
"""Number of recipes that are tuned: the best with default options."""
_DEFAULTS_FACTOR: Final = 3.0
"""Time limit of the trials with default options, as a multiple of `TuningBudget.seconds`."""


@dataclass(frozen=True, slots=True)
class TuningBudget:
    """Limits of the search."""

    seconds: float = 6.0
    """Time limit of tuning, processor seconds, above 0. Processor time makes the search independent of the
    load of the machine. Trials with default options may take three times as long. A trial that has begun
    is completed. `Choice.left_out` names the trials that were skipped."""
    trials: int = 4
    """Largest number of tuning trials per recipe, 0 or more."""
    recipes: tuple[str, ...] = FAST_RECIPES
    """Names of candidate recommenders; unregistered names are skipped."""

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.trials < 0 or not self.recipes:
            raise InputError(
                f"budget is {self.seconds} s, {self.trials} trials of {self.recipes}; "
                "allowed: seconds above 0, trials 0 and above, and at least one recipe"
            )

    @classmethod
    def of_minutes(cls, minutes: float, recipes: Sequence[str] = ()) -> TuningBudget:
        """Search budget with a time limit in minutes; all recipes unless some are named."""
        return cls(minutes * 60, 1000, tuple(recipes) or ALL_RECIPES)


@dataclass(frozen=True, slots=True)
class Choice:
    """Result of the model selection, with its evidence."""

    spec: BlendSpec
    split: str
    """Description of the validation split."""
    listeners: int
    """Number of validation listeners."""
    trials: tuple[Trial, ...]
    """All trials in order of execution."""
    gain: Comparison | None
    """NDCG@20 of the learnt blend minus that of the best single recipe, cross-fitted over listeners."""
    why: str
    """Explanation for people, one or two sentences."""
    left_out: tuple[str, ...]
    """Recipes that were not tried, each with the reason."""
    seconds: float
    """Processor time of the selection, seconds."""
    exposure: float = 1.0
    """Strength of exposure prices, 0 to 1; see `exposure.affordable`."""
    exposure_ndcg: tuple[float, ...] = ()
    """NDCG@20 on validation at each of `exposure.STRENGTHS`; empty if prices were not evaluated."""

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary."""
        return {
            "chosen": self.spec.to_dict(),
            "why": self.why,
            "split": self.split,
            "listeners": self.listeners,
            "measure": "NDCG@20 over pieces new to the listener, full ranking",
            "trials": [
                {
                    "model": t.recipe.model,
                    "options": dict(t.recipe.options),
                    "ndcg": [round(value, 6) for value in t.ndcg],
                    "seconds": round(t.seconds, 3),
                }
                for t in self.trials
            ],
            "gain": None
            if self.gain is None
            else {"difference": [round(v, 6) for v in self.gain.difference], "p": round(self.gain.p, 4)},
            "left_out": list(self.left_out),
            "exposure": {
                "strength": self.exposure,
                "ndcg": {str(s): round(f, 6) for s, f in zip(STRENGTHS, self.exposure_ndcg, strict=False)},
            },
            "seconds": round(self.seconds, 2),
        }


def choose(
    interactions: Interactions,
    options: FitOptions,
    rng: np.random.Generator,
    budget: TuningBudget | None = None,
    progress: Progress | None = None,
) -> Choice:
    """Selects the recommender: tries recipes, tunes the best, and blends them if that helps.

    Validation data is the latest fifth of the log; for a log without times it is a random fifth of each
    listener's items. A learnt blend is selected only if it beats the best single recipe on listeners that
    its weights were not learnt from, with a 95% interval of the gain that excludes 0. With fewer than 20
    validation listeners the default blend is selected.

    Cost: the fits of all recipes, and about as much again for scores and blends.

    Args:
        interactions: training log.
        options: event weights and item vectors for all fits.
        rng: source of the validation split, of tie-breaking and of bootstrap intervals.
        budget: limits of the search; None = the default budget.
        progress: receives the stages "trying ..." and "tuning ...".

    Raises:
        NotFoundError: no recipe is registered.
        InputError: an option is out of range.
    """
    started = time.process_time()
    budget = budget or TuningBudget()
    default = BlendSpec()
    if options.item_vectors is None:
        default = BlendSpec(tuple(p for p in default.parts if p.model != "content"))

    def elapsed() -> float:
        return time.process_time() - started

    def fallback(why: str, split: str, listeners: int) -> Choice:
        return Choice(default, split, listeners, (), None, why, budget.recipes, elapsed())

    if not len(interactions):
        return fallback("the log is empty: the default blend is used", "no events to split", 0)
    validation = Validation(interactions, options, int(rng.integers(2**32)))
    if len(validation.cases) < _MIN_LISTENERS:
        why = (
            f"only {len(validation.cases)} listeners chose new pieces in the validation part; "
            f"at least {_MIN_LISTENERS} are needed to compare recipes: the default blend is used"
        )
        return fallback(why, validation.split.how, len(validation.cases))

    found, left_out = _try_defaults(validation, budget, elapsed, progress)
    trials = [one.trial for one in found.values()]
    ranked = sorted(found, key=lambda name: -found[name].trial.ndcg.mean)
    tunable = [name for name in ranked if found[name].trial.recipe.search()][:_N_TUNED]
    for i, name in enumerate(tunable):
        # Share the remaining time between the recipes, so that the first cannot use all of it.
        until = elapsed() + (0.85 * budget.seconds - elapsed()) / (len(tunable) - i)
        if progress:
            progress(f"tuning {name}", i, len(tunable))
        best, tried = tune(validation, found[name], budget.trials, lambda: elapsed() < until)  # noqa: B023
        found[name] = best
        trials += [one.trial for one in tried]
    spec, gain, why = _choose_blend(validation, found, default)
    strength, figures = _exposure(validation, found, spec)
    return Choice(
        spec,
        validation.split.how,
        len(validation.cases),
        tuple(trials),
        gain,
        why,
        tuple(left_out),
        elapsed(),
        strength,
        figures,
    )


def _exposure(
    validation: Validation, found: dict[str, TrialResult], spec: BlendSpec
) -> tuple[float, tuple[float, ...]]:
    """Selects the strength of exposure prices for a blend, and returns the NDCG@20 at each strength."""
    parts = [part for part in spec.parts if part.weight and part.model in found]
    if len(parts) < sum(part.weight > 0 for part in spec.parts) or "popular" not in found:
        return 1.0, ()
    total = combine(
        tuple(part.model for part in parts),
        [found[part.model].z for part in parts],
        [part.weight for part in parts],
        np.nan_to_num(found["popular"].z.scores.astype(np.float64)),
        spec.popularity,
        spec.cold,
    ).total()
    total[validation.hidden] = -np.inf
    return affordable(total, validation.cases, validation.split.train.audience())


def _try_defaults(
    validation: Validation, budget: TuningBudget, elapsed: Callable[[], float], progress: Progress | None
) -> tuple[dict[str, TrialResult], list[str]]:
    """Runs each recipe with default options; returns the results by name, and the skipped recipes."""
    found: dict[str, TrialResult] = {}
    left_out: list[str] = []
    registered = registry.names("recommenders")
    names = tuple(dict.fromkeys(("popular", *budget.recipes)))
    for i, name in enumerate(names):
        recipe = ScorerRecipe(name)
        if name not in registered:
            left_out.append(f"{name}: not registered")
        elif not validation.supports(recipe):
            left_out.append(f"{name}: there are no item vectors")
        elif found and elapsed() > _DEFAULTS_FACTOR * budget.seconds:
            left_out.append(f"{name}: no time left")
        else:
            if progress:
                progress(f"trying {name}", i, len(names))
            try:
                found[name] = validation.run_trial(recipe)
            except InputError as error:  # the message of a memory limit is the reason
                left_out.append(f"{name}: {error}")
    return found, left_out


def _choose_blend(
    validation: Validation, found: dict[str, TrialResult], default: BlendSpec
) -> tuple[BlendSpec, Comparison | None, str]:
    """Selects the learnt blend if it generalises, else the best recipe or the default blend."""
    personal = sorted((n for n in found if n != "popular"), key=lambda n: -found[n].trial.ndcg.mean)
    if not personal:
        return default, None, "only popularity was tried: the default blend is used"
    best = personal[0]
    substitutes = [n for n in ("content",) if n in found]
    rng = np.random.default_rng(validation.seed)

    def spec_of(weights: dict[str, float], popularity: float = 0.0) -> BlendSpec:
        kept = [n for n in dict.fromkeys((*personal, *substitutes)) if weights.get(n) or n in substitutes]
        parts = [PartSpec(n, weights.get(n, 0.0), found[n].trial.recipe.options) for n in kept]
        return BlendSpec(tuple(parts), popularity, default.cold)

    pool = build_pool(
        [found[n].z for n in personal],
        found["popular"].z if "popular" in found else found[best].z,
        validation.cases,
        validation.hidden,
        validation.seed,
    )
    alone = pool.ndcg([1.0, *(0.0 for _ in personal[1:])], 0.0)
    single = f"{found[best].trial.recipe} is the best single recipe (NDCG@20 {found[best].trial.ndcg})"
    popular = found.get("popular")
    beats = "" if popular is None else f"; popularity reaches {popular.trial.ndcg.mean:.4f}"
    if len(personal) == 1:
        return spec_of({best: 1.0}), None, f"{single}{beats}"
    gain = compare(cross_fitted_ndcg(pool, rng), alone, rng)
    if gain.difference.low > 0:
        mix = learn(pool)
        spec = spec_of(dict(zip(personal, mix.weights, strict=True)), mix.popularity)
        why = (
            f"{single}{beats}. A learnt blend gains {gain.difference} on listeners outside its training "
            "set, so the blend is used"
        )
        return spec, gain, why
    return (
        spec_of({best: 1.0}),
        gain,
        (
            f"{single}{beats}. A learnt blend changes this by {gain.difference} on listeners outside its training "
            "set; the gain is not significant, so the single recipe is used"
        ),
    )
