"""Lists in their contexts: because, more-like, discover, radio, charts, trends."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from troubadour.cli.common import AsJson, Home, Seed, app, open_studio, print_json

Number = Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)]


@app.command()
def because(
    listener: Annotated[str, typer.Argument(help="Id of a listener.")],
    piece: Annotated[str | None, typer.Option("--piece", help="Because of this one piece.")] = None,
    n: Number = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Because you played X: a list for each of the pieces that a listener liked last."""
    from troubadour import contexts

    with open_studio(home) as studio:
        found = contexts.because(studio, listener, n, piece=piece)
    if as_json:
        print_json(found)
        return
    if not found["lists"]:
        print("nothing liked yet; `troubadour recommend` and `troubadour charts` need no history")
    for one in found["lists"]:
        print(f"Because of {one['because']['title']}  [{one['because']['id']}]")
        for item in one["items"]:
            item["reasons"] = item["reasons"][1:]
        _print(one["items"])


@app.command("more-like")
def more_like(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What goes with a piece, by sound and by who hears it."""
    from troubadour import contexts

    with open_studio(home) as studio:
        _tell(contexts.more_like(studio, piece, n), as_json)


@app.command()
def discover(
    listener: Annotated[str, typer.Argument(help="Id of a listener.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Only artists that a listener has not met, and nothing that everybody hears."""
    from troubadour import contexts

    with open_studio(home) as studio:
        _tell(contexts.discover(studio, listener, n), as_json)


@app.command()
def radio(
    piece: Annotated[str | None, typer.Option("--piece", help="Start from this piece.")] = None,
    style: Annotated[str | None, typer.Option("--style", help="Start from this style.")] = None,
    listener: Annotated[str | None, typer.Option("--listener", help="Start from this listener.")] = None,
    played: Annotated[list[str] | None, typer.Option("--played", help="Played in this session.")] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="Skipped in this session.")] = None,
    drift: Annotated[float, typer.Option("--drift", help="0 (stay with the seed) to 1.")] = 0.3,
    artist_gap: Annotated[int, typer.Option("--artist-gap", help="Pieces between two of one artist.")] = 5,
    n: Number = 10,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The next pieces of a radio from a piece, a style or a listener; nothing comes twice."""
    from troubadour import contexts
    from troubadour.advise.radio import RadioSpec

    spec = RadioSpec(drift, artist_gap)
    asked = contexts.Tuned(piece, style, listener, played or (), skip or (), spec)
    with open_studio(home) as studio:
        _tell(contexts.play_radio(studio, asked, n, seed=seed or 0), as_json)


@app.command()
def charts(
    period: Annotated[str, typer.Option("--period", help="day, week or month.")] = "week",
    style: Annotated[str, typer.Option("--style", help="Only this style.")] = "",
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What was played most, and how it moved against the period before."""
    from troubadour import contexts

    with open_studio(home) as studio:
        found = contexts.chart(studio, period, n, style=style).to_dict()
    if not as_json:
        print(f"{found['from']} to {found['to']}: {found['plays']} plays, {found['listeners']} listeners")
    _tell(found, as_json)


@app.command()
def trends(
    by: Annotated[str, typer.Option("--by", help="style or piece.")] = "style",
    weeks: Annotated[int, typer.Option("--weeks", help="Weeks to forecast.", min=1, max=26)] = 4,
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What rises and falls, with a forecast and its measured error."""
    from troubadour import contexts

    with open_studio(home) as studio:
        found = contexts.trend(studio, by, n, weeks_ahead=weeks).to_dict()
    if not as_json:
        print(found["verdict"])
    _tell(found, as_json)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        _print(found["items"])


def _print(items: list[dict[str, Any]]) -> None:
    for i, item in enumerate(items, start=1):
        mark = " (generated)" if item.get("generated") else ""
        name = f"  [{item['id']}]" if item["id"] != item["title"] else ""
        print(f"{i:3}. {item['title']}{mark}{name}  {item['score']:.2f}")
        for reason in (*item["reasons"], *([item["fallback"]] if item.get("fallback") else [])):
            print(f"       {reason}")
