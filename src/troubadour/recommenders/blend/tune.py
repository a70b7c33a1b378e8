"""Hyperparameter search for one recipe on validation data with Optuna (Akiba et al., KDD 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from troubadour.core.errors import InputError
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.validation import TrialResult, Validation


def tune(
    validation: Validation, start: TrialResult, trials: int, has_time: Callable[[], bool]
) -> tuple[TrialResult, tuple[TrialResult, ...]]:
    """Searches the options of a recipe within the ranges that its module declares.

    First each option moves halfway to either end of its range. Then a tree-structured Parzen estimator
    proposes trials (Bergstra et al., NeurIPS 2011); equal seeds propose equal trials. Options that the
    model refuses, for example because of memory, count as failed trials.

    Args:
        validation: split on which trials are evaluated.
        start: result with default options; the first observation of the search.
        trials: largest number of trials, 0 or more.
        has_time: called before each trial; False ends the search.

    Returns:
        The best result, `start` included, and the results of all trials.
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
    # Deterministic trials first: halfway to either end, one option at a time.
    inside = {
        n: min(max(first[n], type(first[n])(low)), type(first[n])(high))
        for n, (low, high, _) in space.items()
    }
    for name, (low, high, log) in space.items():
        for end in (low, high):
            half = (inside[name] * end) ** 0.5 if log else (inside[name] + end) / 2
            study.enqueue_trial({**inside, name: round(half) if isinstance(first[name], int) else half})
    best, tried = start, list[TrialResult]()
    for _ in range(trials):
        if not has_time():
            break
        suggestion = study.ask(ranges)
        try:
            one = validation.run_trial(ScorerRecipe(start.trial.recipe.model, dict(suggestion.params)))
        except InputError:
            study.tell(suggestion, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(suggestion, one.trial.ndcg.mean)
        tried.append(one)
        if one.trial.ndcg.mean > best.trial.ndcg.mean:
            best = one
    return best, tuple(tried)
