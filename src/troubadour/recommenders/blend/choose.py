"""The choice of a recommender by data: recipes tried, tuned and blended on validation."""

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
from troubadour.recommenders.blend.validation import Trial, Tried, Validation
from troubadour.recommenders.blend.weights import cross_fitted, learn, pool_of
from troubadour.recommenders.evaluation.bootstrap import Comparison, compare
from troubadour.recommenders.slate.exposure import STRENGTHS, affordable

QUICK: Final = ("popular", "content", "als", "rp3beta", "itemknn", "ease")
"""Tried without being asked: fitted in seconds, and each explains its scores exactly."""
LONG: Final = (*QUICK, "bpr")
"""Tried where there is time."""
_FEWEST: Final = 20
"""Listeners of validation without whom nothing can be chosen."""
_TUNED: Final = 3
"""Recipes that are tuned, the best at their defaults."""
_UNTUNED: Final = 3.0
"""Times the seconds of `TuningBudget`: when to stop trying recipes at their defaults."""


@dataclass(frozen=True, slots=True)
class TuningBudget:
    """How much may be tried."""

    seconds: float = 6.0
    """When to stop tuning, in seconds of processor time (so that a busy machine tries as much), above 0.
    Recipes at their defaults are tried until three times that, since what is not tried cannot be
    chosen; what has begun is finished. What was cut is told."""
    trials: int = 4
    """Options tried at most for each recipe that is tuned, 0 or more."""
    recipes: tuple[str, ...] = QUICK
    """Recommenders to try, by name; those that are not registered are passed over."""

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.trials < 0 or not self.recipes:
            raise InputError(
                f"effort is {self.seconds} s, {self.trials} trials of {self.recipes}; "
                "need a time above 0, trials of 0 or more and at least one recipe"
            )

    @classmethod
    def of_minutes(cls, minutes: float, recipes: Sequence[str] = ()) -> TuningBudget:
        """Look until the time is up; all recipes unless some are named."""
        return cls(minutes * 60, 1000, tuple(recipes) or LONG)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why."""

    spec: BlendSpec
    split: str
    """How validation was split off."""
    listeners: int
    """Listeners of validation."""
    trials: tuple[Trial, ...]
    """All that was tried, in that order."""
    gain: Comparison | None
    """The learnt blend, on listeners it was not learnt from, less the best single recipe."""
    why: str
    """In a sentence or two."""
    left_out: tuple[str, ...]
    """What was not tried, and why."""
    seconds: float
    """What the choice took, of processor time."""
    exposure: float = 1.0
    """How much of the prices on exposure can be afforded, 0 to 1; see `exposure.affordable`."""
    exposure_ndcg: tuple[float, ...] = ()
    """NDCG@20 on validation with prices at each of `exposure.STRENGTHS`; empty where nothing was tried."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "chosen": self.spec.to_dict(),
            "why": self.why,
            "split": self.split,
            "listeners": self.listeners,
            "measure": "NDCG@20 over unheard pieces, full ranking",
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
    effort: TuningBudget | None = None,
    progress: Progress | None = None,
) -> Choice:
    """Try recipes on the latest fifth of the log, tune the best, and blend where that helps.

    The fifth is cut off in time; a log without times has a fifth of each listener's pieces held
    out. A learnt blend is taken only if, on listeners that its weights were not learnt from, it
    beats the best single recipe and the 95% interval of the gain excludes 0. With fewer than 20
    listeners to validate on nothing can be told apart, and the default blend is taken.

    Costs what fitting the recipes costs, and about as much again for scores and blends.

    Raises:
        NotFoundError: none of the recipes is registered.
        InputError: an option is out of range.
    """
    started = time.process_time()
    effort = effort or TuningBudget()
    default = BlendSpec()
    if options.item_vectors is None:
        default = BlendSpec(tuple(p for p in default.parts if p.model != "content"))

    def spent() -> float:
        return time.process_time() - started

    def fallback(why: str, split: str, listeners: int) -> Choice:
        return Choice(default, split, listeners, (), None, why, effort.recipes, spent())

    if not len(interactions):
        return fallback("the log is empty: the default blend, until somebody listens", "nothing to split", 0)
    validation = Validation(interactions, options, int(rng.integers(2**32)))
    if len(validation.cases) < _FEWEST:
        why = (
            f"only {len(validation.cases)} listeners chose something new in the part held out, and "
            f"{_FEWEST} are needed to tell recipes apart: the default blend"
        )
        return fallback(why, validation.split.how, len(validation.cases))

    found, left_out = _first_round(validation, effort, spent, progress)
    trials = [one.trial for one in found.values()]
    ranked = sorted(found, key=lambda name: -found[name].trial.ndcg.mean)
    tunable = [name for name in ranked if found[name].trial.recipe.search()][:_TUNED]
    for i, name in enumerate(tunable):
        # Each may take its part of the time that is left, so that the first does not take all.
        until = spent() + (0.85 * effort.seconds - spent()) / (len(tunable) - i)
        if progress:
            progress(f"tuning {name}", i, len(tunable))
        best, tried = tune(validation, found[name], effort.trials, lambda: spent() < until)  # noqa: B023
        found[name] = best
        trials += [one.trial for one in tried]
    spec, gain, why = _decide(validation, found, default)
    strength, figures = _exposure(validation, found, spec)
    return Choice(
        spec,
        validation.split.how,
        len(validation.cases),
        tuple(trials),
        gain,
        why,
        tuple(left_out),
        spent(),
        strength,
        figures,
    )


def _exposure(
    validation: Validation, found: dict[str, Tried], spec: BlendSpec
) -> tuple[float, tuple[float, ...]]:
    """What of the prices on exposure can be afforded, with what was chosen."""
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


def _first_round(
    validation: Validation, effort: TuningBudget, spent: Callable[[], float], progress: Progress | None
) -> tuple[dict[str, Tried], list[str]]:
    """Every recipe at its defaults."""
    found: dict[str, Tried] = {}
    left_out: list[str] = []
    registered = registry.names("recommenders")
    names = tuple(dict.fromkeys(("popular", *effort.recipes)))
    for i, name in enumerate(names):
        recipe = ScorerRecipe(name)
        if name not in registered:
            left_out.append(f"{name}: not registered")
        elif not validation.possible(recipe):
            left_out.append(f"{name}: there are no item vectors")
        elif found and spent() > _UNTUNED * effort.seconds:
            left_out.append(f"{name}: no time left")
        else:
            if progress:
                progress(f"trying {name}", i, len(names))
            try:
                found[name] = validation.attempt(recipe)
            except InputError as error:  # a model that would not fit into memory says so
                left_out.append(f"{name}: {error}")
    return found, left_out


def _decide(
    validation: Validation, found: dict[str, Tried], default: BlendSpec
) -> tuple[BlendSpec, Comparison | None, str]:
    """The learnt blend if it holds on other listeners; else the better of one recipe and the default."""
    personal = sorted((n for n in found if n != "popular"), key=lambda n: -found[n].trial.ndcg.mean)
    if not personal:
        return default, None, "nothing but popularity was tried: the default blend"
    best = personal[0]
    stand_ins = [n for n in ("content",) if n in found]
    rng = np.random.default_rng(validation.seed)

    def spec_of(weights: dict[str, float], popularity: float = 0.0) -> BlendSpec:
        kept = [n for n in dict.fromkeys((*personal, *stand_ins)) if weights.get(n) or n in stand_ins]
        parts = [PartSpec(n, weights.get(n, 0.0), found[n].trial.recipe.options) for n in kept]
        return BlendSpec(tuple(parts), popularity, default.cold)

    pool = pool_of(
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
    gain = compare(cross_fitted(pool, rng), alone, rng)
    if gain.difference.low > 0:
        mix = learn(pool)
        spec = spec_of(dict(zip(personal, mix.weights, strict=True)), mix.popularity)
        why = (
            f"{single}{beats}. A blend gains {gain.difference} on listeners that its weights were not "
            "learnt from, so the blend is taken"
        )
        return spec, gain, why
    return (
        spec_of({best: 1.0}),
        gain,
        (
            f"{single}{beats}. A learnt blend changes that by {gain.difference} on listeners that its weights "
            "were not learnt from, which is not surely a gain, so the single recipe is taken"
        ),
    )
