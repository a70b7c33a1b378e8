"""Train composers, search for their settings, evaluate them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troubadour.cli.common import (
    AcceptTerms,
    AsJson,
    Home,
    Seed,
    app,
    evaluate_app,
    open_studio,
    print_json,
    progress_bar,
    report_lines,
    say,
    train_app,
)

if TYPE_CHECKING:
    from troubadour.app.studio import Studio
    from troubadour.models.recipe import TrainingRecipe

RecipeFile = Annotated[Path, typer.Argument(help="A recipe, such as recipes/tunes-and-chorales.toml.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Instead of the recipe's.", min=1)]


@train_app.command("composer")
def train_composer(
    recipe: RecipeFile,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Import this file or folder first; with --from train on it alone."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start from this release, `shipped`, or the composer in this folder."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="The run's folder; the same one resumes.")] = Path(
        "run"
    ),
    steps: Steps = None,
    use: Annotated[bool, typer.Option("--use", help="Make a release with it and go live.")] = False,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a composer, fine-tune one on your own music (--from, --data), or go on with a run."""
    from troubadour.app import importing, jobs, training
    from troubadour.models.recipe import TrainingRecipe

    chosen = TrainingRecipe.load(recipe)
    with open_studio(home) as studio, progress_bar() as progress:
        own = []
        for path in data or []:
            imported = importing.import_folder(studio.store, path, progress)
            own.append(imported.collection)
            for line in report_lines(imported):
                say(line)
        if not own or chosen.collections:
            _have_music(studio, chosen, accept_terms)
        weights = None if start is None else jobs.composer_folder(studio.releases, start)
        report = training.train_composer(
            studio.store,
            chosen,
            folder,
            steps=steps,
            start=weights,
            own=own,
            accept_terms=accept_terms,
            progress=progress,
        )
        if use:
            report["release"] = jobs.use_composer(studio.releases, folder).id
    if as_json:
        print_json(report)
        return
    before = report["verdict"]["start"]["valid"]
    print(
        f"step {report['step']}, kept {report['best_step']}: held out {report['valid_loss']:.4f} nats a token "
        f"({before:.4f} before), seen {report['seen_loss']:.4f}"
    )
    for style, loss in report["valid_by_style"].items():
        print(f"  {style or 'no style':12} {loss:.4f}")
    print(report["verdict"]["words"])
    print(f"report: {folder / 'report.md'}")


@app.command()
def tune(
    recipe: RecipeFile,
    trials: Annotated[
        int, typer.Option("--trials", help="How many in all, earlier ones counted.", min=1)
    ] = 20,
    hours: Annotated[float | None, typer.Option("--hours", help="Stop after this time.", min=0.0)] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="The search's folder; the same one resumes.")
    ] = Path("search"),
    steps: Steps = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Search for a recipe's best settings on validation music; poor trials are cut short."""
    from dataclasses import asdict

    from troubadour.app import tuning
    from troubadour.models.recipe import TrainingRecipe

    chosen = TrainingRecipe.load(recipe)
    with open_studio(home) as studio, progress_bar() as progress:
        _have_music(studio, chosen)
        found = tuning.tune(
            studio.store, chosen, folder, trials=trials, hours=hours, steps=steps, progress=progress
        )
    if as_json:
        print_json({**asdict(found), "recipe": str(found.recipe)})
        return
    print((folder / "trials.md").read_text())
    print(f"best of {found.trials}: {found.best:.4f} nats a token; written to {found.recipe}")


@evaluate_app.command("composer")
def evaluate_composer(
    which: Annotated[
        str, typer.Argument(help="A release, `live`, `shipped`, or a composer's folder.")
    ] = "shipped",
    pieces: Annotated[int, typer.Option("--pieces", help="How many to compose.", min=10)] = 200,
    most: Annotated[int, typer.Option("--works", help="Most works of a split to score.", min=1)] = 400,
    folder: Annotated[Path, typer.Option("--folder", help="Where report and pictures go.")] = Path(
        "evaluation"
    ),
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Nats on held-out works by style, validity, originality and descriptors, with pictures."""
    from troubadour.app import evaluate_composer, jobs
    from troubadour.generation.autoregressive import load_composer

    with open_studio(home) as studio, progress_bar() as progress:
        composer = load_composer(
            jobs.composer_folder(studio.releases, which), studio.threads, studio.precision
        )
        report = evaluate_composer.evaluate_composer(
            studio.store, composer, pieces=pieces, most=most, seed=seed or 0, progress=progress
        )
    written = evaluate_composer.write_evaluation(folder, report)
    if as_json:
        print_json(report)
        return
    print(written.read_text())


@app.command()
def card(
    which: Annotated[
        str, typer.Argument(help="A release, `live`, `shipped`, or a composer's folder.")
    ] = "live",
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """A composer's model card: data, licence, training, figures by style, limits, verdict."""
    from troubadour.app import jobs
    from troubadour.export import cards

    with open_studio(home) as studio:
        releases = studio.releases
        folder = jobs.composer_folder(releases, which)
        release = releases.live() if which == "live" else None
        if release is None and which != "shipped" and not Path(which).is_dir():
            release = releases.get(which)
    facts = cards.card(folder, release)
    if out is not None:
        out.write_text(cards.markdown(facts), encoding="utf-8")
    if as_json:
        print_json(facts)
    else:
        print(cards.markdown(facts) if out is None else out)


def _have_music(studio: Studio, recipe: TrainingRecipe, accept_terms: bool = False) -> None:
    """Import the recipe's built-in collections where the catalogue is empty."""
    from troubadour.app import importing

    if not studio.store.counts()["pieces"]:
        with progress_bar() as progress:
            importing.import_builtin(
                studio.store,
                list(recipe.collections) or ["oneills"],
                accept_terms=accept_terms,
                progress=progress,
            )
