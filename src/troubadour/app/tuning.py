"""Hyperparameter search for a training recipe with Optuna: TPE sampler, successive halving.

TPE: Bergstra et al. 2011. Successive halving: Jamieson & Talwalkar 2016. Only validation works are used;
test works are never read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from troubadour.app.training import material, repeated, shape
from troubadour.catalogue.store import Store
from troubadour.core import markdown
from troubadour.core.errors import InputError, MissingExtraError, TroubadourError
from troubadour.core.progress import Progress
from troubadour.models.options import TrainOptions
from troubadour.models.recipe import TrainingRecipe

if TYPE_CHECKING:
    import optuna

_ROUNDED: Final = 4


@dataclass(frozen=True, slots=True)
class TuningResult:
    """Result of a search."""

    best: float
    """Validation loss of the best trial, nats per token."""
    settings: dict[str, float]
    trials: int
    """Number of finished, pruned and failed trials."""
    recipe: Path
    """Path of the best recipe, ready for training."""


def tune(
    store: Store,
    recipe: TrainingRecipe,
    folder: Path,
    *,
    trials: int,
    hours: float | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
) -> TuningResult:
    """Search around a recipe, or continue a search in the same folder.

    Writes `best.toml` and `trials.md` into `folder`. Trials that were interrupted are resumed.

    Args:
        store: the catalogue.
        recipe: recipe to start from.
        folder: folder of the search; `search.sqlite` holds its trials.
        trials: total number of trials, earlier ones included.
        hours: time limit of this call; the running trial is pruned at the limit.
        steps: training steps of each trial. Default: those of the recipe.
        progress: callback.

    Raises:
        InputError: no usable piece, or no trial was completed.
        MissingExtraError: optuna or torch is not installed.
    """
    try:
        import optuna

        from troubadour.core.networks.trainer import Trainer
        from troubadour.models.event_training import EventTask
        from troubadour.models.train_report import train_report
    except ImportError as error:
        raise MissingExtraError(
            "the search needs torch and optuna: pip install 'troubadour[train]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    found = material(store, recipe)
    basis = TrainOptions(**{**recipe.train, **({"steps": steps} if steps else {})})
    # Each trial reports eight times, so that a poor one costs an eighth.
    basis = replace(
        basis, evaluate_every=max(1, basis.steps // 8), warmup=min(basis.warmup, basis.steps // 4)
    )
    styles = shape(recipe, None).styles
    train, valid = (found.examples(part, styles) for part in (found.train, found.valid))
    train += repeated(found.train, train, recipe)
    study = optuna.create_study(
        study_name=recipe.name,
        storage=f"sqlite:///{(folder / 'search.sqlite').absolute()}",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=basis.seed, n_startup_trials=5),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=basis.evaluate_every, reduction_factor=3),
    )
    _take_up(study)
    if not study.trials:
        # The unchanged recipe is the first trial, as the baseline.
        study.enqueue_trial(_settings(recipe, basis))
    deadline = None if hours is None else time.monotonic() + 3600 * hours

    def objective(trial: optuna.Trial) -> float:
        tried, options = suggest(trial, recipe, basis)
        name = trial.user_attrs.get("folder") or f"trial-{trial.number}"
        trial.set_user_attr("folder", name)

        def judged(step: int, loss: float) -> None:
            trial.report(loss, step)
            late = deadline is not None and time.monotonic() > deadline
            if step < options.steps and (late or trial.should_prune()):
                raise optuna.TrialPruned

        def on_step(step: int, _: float) -> None:
            if progress:
                progress(f"trial {trial.number}", step, options.steps)

        task = EventTask(shape(tried, None), options, train, valid)
        run = Trainer(folder / name, task, options)
        run.run(on_step, judged)
        return train_report(run).valid_loss

    while (left := trials - _over(study)) > 0 and (deadline is None or time.monotonic() < deadline):
        study.optimize(objective, n_trials=min(left, 1), catch=(TroubadourError, RuntimeError))
        (folder / "trials.md").write_text(table(study))
    try:
        best = study.best_trial
    except ValueError:
        raise InputError("no trial was completed; increase hours, or decrease steps (--steps)") from None
    (folder / "trials.md").write_text(table(study))
    written = folder / "best.toml"
    written.write_text(toml(recipe, best.params))
    assert best.value is not None
    return TuningResult(best.value, dict(best.params), _over(study), written)


def suggest(
    trial: optuna.Trial, recipe: TrainingRecipe, basis: TrainOptions
) -> tuple[TrainingRecipe, TrainOptions]:
    """Recipe and options with the settings of one trial."""
    options = replace(
        basis,
        learning_rate=trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        muon_lr=trial.suggest_float("muon_lr", 5e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 0.01, 0.5, log=True),
        cond_keep_prob=trial.suggest_float("cond_keep_prob", 0.5, 0.95),
    )
    dropout = trial.suggest_float("dropout", 0.0, 0.3)
    return replace(recipe, model={**recipe.model, "dropout": dropout}), options


def _settings(recipe: TrainingRecipe, basis: TrainOptions) -> dict[str, float]:
    names = ("learning_rate", "muon_lr", "weight_decay", "cond_keep_prob")
    return {**{n: getattr(basis, n) for n in names}, "dropout": float(recipe.model.get("dropout", 0.1))}


def _take_up(study: optuna.Study) -> None:
    """Queue interrupted trials again, with their folders."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={"folder": f"trial-{trial.number}", **trial.user_attrs})


def _over(study: optuna.Study) -> int:
    """Number of trials that need not be run again; a resumed trial counts once."""
    from optuna.trial import TrialState

    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    ended = study.get_trials(deepcopy=False, states=over)
    return len({t.user_attrs.get("folder", f"trial-{t.number}") for t in ended}) - len(
        {
            t.user_attrs["folder"]
            for t in study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
            if "folder" in t.user_attrs
        }
    )


def table(study: optuna.Study) -> str:
    """Markdown table of all trials, best first."""
    # A resumed trial is listed once, with its final state.
    last = {t.user_attrs.get("folder", f"trial-{t.number}"): t.number for t in study.trials}
    trials = [t for t in study.trials if t.number in last.values()]
    names = sorted({name for t in trials for name in t.params})
    rows = [
        (
            t.value if t.value is not None else min(t.intermediate_values.values(), default=float("inf")),
            t.number,
            t.state.name.lower(),
            max(t.intermediate_values, default=0),
            t.params,
        )
        for t in trials
    ]
    lines = markdown.table(
        ["trial", "state", "step", "nats per token", *names],
        (
            [number, state, step, f"{value:.4f}"]
            + [f"{params[n]:.{_ROUNDED}g}" if n in params else "" for n in names]
            for value, number, state, step, params in sorted(rows, key=lambda r: (r[2] != "complete", r[:2]))
        ),
        "rlrr" + "r" * len(names),
    )
    return "\n".join(lines) + "\n"


def toml(recipe: TrainingRecipe, settings: dict[str, Any]) -> str:
    """Recipe with the settings of a trial, as TOML for `TrainingRecipe.load`."""
    model = {**recipe.model, "dropout": settings["dropout"]}
    train = {**recipe.train, **{k: v for k, v in settings.items() if k != "dropout"}}
    data: dict[str, Any] = {"collections": list(recipe.collections), "metre_changes": recipe.metre_changes}
    tables = [("data", data), ("data.repeat", recipe.repeat), ("model", model), ("train", train)]
    out = [
        f"# {recipe.name} with the best settings of a search on validation music.",
        f'name = "{recipe.name}"',
    ]
    out.append(f'family = "{recipe.family}"')
    for name, values in tables:
        if values:
            out += ["", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in values.items())]
    return "\n".join(out) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return (
            f"{value:.{_ROUNDED}g}"
            if "." in f"{value:.{_ROUNDED}g}" or "e" in f"{value:.{_ROUNDED}g}"
            else f"{value:.1f}"
        )
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Sequence):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return str(value)
