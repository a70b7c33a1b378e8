"""Options of one recipe, chosen by validation with Optuna (Akiba et al., KDD 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from troubadour.core.errors import InputError
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.validation import Tried, Validation


def tune(
    validation: Validation, start: Tried, trials: int, go_on: Callable[[], bool]
) -> tuple[Tried, tuple[Tried, ...]]:
    """Try other options of a recipe, within what its module calls worth searching.

    First each option is moved halfway to either end of its range, then a tree-structured Parzen
    estimator proposes (Bergstra et al., NeurIPS 2011); the same seed proposes the same options. An
    option that the model refuses (memory) counts as a failed trial.

    Args:
        start: the recipe as it was tried first; its figure is told to the search.
        trials: how many to try at most.
        go_on: asked before each; false stops.

    Returns:
        The best, which may be `start`, and all that were tried beside it.
    """
    space = start.trial.recipe.search()
    if not space or trials < 1:
        return start, ()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    default: Any = start.trial.recipe.build()
    first = {name: getattr(default.spec, name) for name in space}
    ranges: dict[str, Any] = {
        name: optuna.distributions.IntDistribution(int(low), int(high), log=log)
        if isinstance(first[name], int)
        else optuna.distributions.FloatDistribution(low, high, log=log)
        for name, (low, high, log) in space.items()
    }
    sampler = optuna.samplers.TPESampler(seed=validation.seed, n_startup_trials=2 * len(space) + 1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if all(space[name][0] <= value <= space[name][1] for name, value in first.items()):
        known = optuna.trial.create_trial(params=first, distributions=ranges, value=start.trial.ndcg.mean)
        study.add_trial(known)
    # Halfway to either end, one option at a time, before anything is left to chance.
    inside = {
        n: min(max(first[n], type(first[n])(low)), type(first[n])(high))
        for n, (low, high, _) in space.items()
    }
    for name, (low, high, log) in space.items():
        for end in (low, high):
            half = (inside[name] * end) ** 0.5 if log else (inside[name] + end) / 2
            study.enqueue_trial({**inside, name: round(half) if isinstance(first[name], int) else half})
    best, tried = start, list[Tried]()
    for _ in range(trials):
        if not go_on():
            break
        asked = study.ask(ranges)
        try:
            one = validation.attempt(ScorerRecipe(start.trial.recipe.model, dict(asked.params)))
        except InputError:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(asked, one.trial.ndcg.mean)
        tried.append(one)
        if one.trial.ndcg.mean > best.trial.ndcg.mean:
            best = one
    return best, tuple(tried)
