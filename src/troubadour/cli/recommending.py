"""Recommend, and train recommenders."""

from __future__ import annotations

from typing import Annotated

import typer

from troubadour.cli.common import AsJson, Home, Seed, app, open_studio, print_json, train_app


@app.command()
def recommend(
    listener: Annotated[str, typer.Argument(help="Id of a listener, such as sim-0001.")],
    n: Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Recommend pieces to a listener, each with its reasons."""
    from troubadour.rights import rights, rights_line

    with open_studio(home) as studio:
        found, release = studio.recommend(listener, n)
        rows = [studio.store.piece(item.id) for item in found]
    if as_json:
        items = [
            {
                "id": item.id,
                "title": item.title,
                "score": round(item.score, 6),
                "reasons": [r.text for r in item.reasons],
                **rights(row),
                **({"fallback": item.fallback} if item.fallback else {}),
            }
            for item, row in zip(found, rows, strict=True)
        ]
        print_json({"listener": listener, "items": items, "release": release})
        return
    for i, item in enumerate(found, start=1):
        mark = " (generated)" if item.generated else ""
        print(f"{i:3}. {item.title}{mark}  [{item.id}]  {item.score:.2f}")
        for reason in item.reasons:
            print(f"       {reason.text}")
        print(f"       {rights_line(rows[i - 1])}")


@train_app.command("recommender")
def train_recommender(home: Home = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Fit the recommender on all that listeners did, publish a release and go live."""
    from troubadour import jobs

    with open_studio(home) as studio:
        release = jobs.fit(studio.store, studio.releases, seed or 0)
    if as_json:
        print_json({"release": release.id, "notes": dict(release.notes)})
        return
    print(f"release {release.id} is live")
