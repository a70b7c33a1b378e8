"""Commands for recommendation: lists, training, evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from troubadour.cli.common import (
    AsJson,
    Home,
    Seed,
    app,
    evaluate_app,
    named,
    open_studio,
    print_json,
    progress_bar,
    train_app,
)

if TYPE_CHECKING:
    from troubadour.recommenders.blend.choose import TuningBudget


@app.command()
def recommend(
    listener: Annotated[str, typer.Argument(help="Id of a listener, such as sim-0001.")],
    n: Annotated[int, typer.Option("--n", help="Length of the list, 1 to 1000.", min=1, max=1000)] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Recommend pieces to a listener, each with its reasons."""
    from troubadour.app.surfaces.listed import listed, recommended_json
    from troubadour.export.licensing import rights_line

    with open_studio(home) as studio:
        found, release = studio.recommend(listener, n)
        rows = [*studio.store.pieces_by_id(item.id for item in found).values()]
        studio.shown(listener, found, release)
    if as_json:
        items = [recommended_json(listed(item), row) for item, row in zip(found, rows, strict=True)]
        print_json({"listener": listener, "items": items, "release": release})
        return
    # For a new listener all pieces have the same fallback; it is printed once.
    common = found[0].fallback if len({item.fallback for item in found}) == 1 else ""
    if common:
        print(f"{listener}: {common}")
    if not found:
        print("no pieces are left to recommend: all are heard or blocked")
    for i, item in enumerate(found, start=1):
        name = named(item.title, item.id, rows[i - 1].display_artist, generated=item.generated)
        print(f"{i:3}. {name}")
        for text in (*(reason.text for reason in item.reasons), item.fallback if not common else ""):
            if text:
                print(f"       {text}")
        print(f"       {rights_line(rows[i - 1])}")


@train_app.command("recommender")
def train_recommender(
    home: Home = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            help="Processor time for the search in minutes. Default: a search of seconds.",
            min=0.01,
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="Try only this recommender; may be repeated.")
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Choose a recommender by validation, fit it on the whole log, publish it and make it live."""
    from troubadour.app import jobs

    with open_studio(home) as studio, progress_bar() as progress:
        release = jobs.fit(
            studio.store, studio.releases, seed or 0, effort=_effort(minutes, recipe or []), progress=progress
        )
    if as_json:
        print_json({"release": release.id, "notes": dict(release.notes)})
        return
    choice = release.notes["choice"]
    print(f"release {release.id} is live")
    print(f"  {choice['why']}.")
    for part in choice["chosen"]["parts"]:
        options = ", ".join(f"{k} {v:.4g}" for k, v in part["options"].items())
        role = f"weight {part['weight']:g}" if part["weight"] else "fallback for pieces unknown to the others"
        print(f"  {part['model']}: {role}{', ' + options if options else ''}")
    if choice["exposure"]["ndcg"]:
        print(f"  exposure prices at {choice['exposure']['strength']:g} of their full strength")
    tried = len(choice["trials"])
    print(f"  {tried} recipes compared on {choice['listeners']} listeners ({choice['split']})")
    for text in choice["left_out"]:
        print(f"  not tried: {text}")


@evaluate_app.command("recommender")
def evaluate_recommender(
    home: Home = None,
    k: Annotated[int, typer.Option("--k", help="Length of the lists, 1 to 1000.", min=1, max=1000)] = 20,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Processor time for the search in minutes, as in training.", min=0.01),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option("--recipe", help="Compare with only this recommender; may be repeated."),
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Tune on the log without its latest fifth and evaluate on that fifth, beside all recipes and baselines."""
    from troubadour.app import evaluate_recommender

    with open_studio(home) as studio, progress_bar() as progress:
        report = evaluate_recommender.evaluate_recommender(
            studio.store, k=k, seed=seed or 0, effort=_effort(minutes, recipe or []), progress=progress
        )
    if as_json:
        print_json(report)
        return
    print(evaluate_recommender.to_markdown(report))


def _effort(minutes: float | None, recipes: list[str]) -> TuningBudget | None:
    from troubadour.core import registry
    from troubadour.recommenders.blend.choose import FAST_RECIPES, TuningBudget

    for name in recipes:
        registry.find("recommenders", name)  # raises NotFoundError with the registered names
    if minutes is not None:
        return TuningBudget.of_minutes(minutes, recipes)
    return TuningBudget(recipes=tuple(recipes) or FAST_RECIPES)
