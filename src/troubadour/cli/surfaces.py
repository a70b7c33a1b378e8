"""Lists in their contexts: because, more-like, discover, radio, charts, trends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from troubadour.cli.common import AsJson, Home, Seed, app, named, open_studio, print_json

Number = Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)]


@app.command()
def because(
    listener: Annotated[str, typer.Argument(help="Id of a listener.")],
    piece: Annotated[str | None, typer.Option("--piece", help="Because of this one piece.")] = None,
    n: Annotated[int, typer.Option("--n", help="How many for each piece.", min=1, max=1000)] = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Because you played X: a list for each of the pieces that a listener liked last."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        found = service.because(studio, listener, n, piece=piece)
    if as_json:
        print_json(found)
        return
    if not found["lists"]:
        print(f"{listener} has liked nothing yet; `troubadour recommend {listener}` needs no history")
    for one in found["lists"]:
        anchor = one["because"]
        print(f"Because {'you played' if anchor['played'] else 'of'} {anchor['title']}  [{anchor['id']}]")
        _print(one["items"], "nothing left that goes with it")


@app.command("more-like")
def more_like(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What goes with a piece, by who hears it and by sound (`similar` goes by sound alone)."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        _tell(service.more_like(studio, piece, n), as_json, "nothing goes with it")


@app.command()
def discover(
    listener: Annotated[str, typer.Argument(help="Id of a listener.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Only artists that a listener has not met, and nothing that everybody hears."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        _tell(service.discover(studio, listener, n), as_json, "nothing left that they have not met")


@app.command()
def radio(
    piece: Annotated[str | None, typer.Option("--piece", help="Start from this piece.")] = None,
    style: Annotated[str | None, typer.Option("--style", help="Start from this style.")] = None,
    listener: Annotated[
        str | None, typer.Option("--listener", help="For this listener; alone: from what they like.")
    ] = None,
    played: Annotated[
        list[str] | None, typer.Option("--played", help="Played in this session, in order; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", help="Skipped in this session; may be repeated.")
    ] = None,
    drift: Annotated[
        float, typer.Option("--drift", help="0 (stay with the seed) to 1 (go where it leads).")
    ] = 0.3,
    artist_gap: Annotated[
        int, typer.Option("--artist-gap", help="Pieces between two of one artist, 0 to 100.")
    ] = 5,
    n: Number = 10,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The next pieces of a radio from a piece, a style or a listener; nothing comes twice."""
    import secrets

    from troubadour.app.surfaces import service
    from troubadour.app.surfaces.radio import RadioSpec

    spec = RadioSpec(drift, artist_gap)
    asked = service.RadioRequest(piece, style, listener, played or (), skip or (), spec)
    chosen = secrets.randbelow(2**31) if seed is None else seed
    with open_studio(home) as studio:
        _tell(service.play_radio(studio, asked, n, seed=chosen), as_json, "all has been played")


@app.command()
def charts(
    period: Annotated[str, typer.Option("--period", help="day, week or month.")] = "week",
    style: Annotated[str, typer.Option("--style", help="Only this style.")] = "",
    until: Annotated[
        datetime | None, typer.Option("--until", help="Its end, UTC; without it the end of the log.")
    ] = None,
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What was played most, and how it moved against the period before."""
    from troubadour.app.surfaces import service

    end = None if until is None else int(until.replace(tzinfo=UTC).timestamp())
    with open_studio(home) as studio:
        found = service.chart(studio, period, n, style=style, end=end)
    if as_json:
        print_json(found)
        return
    what = f"{style}, " if style else ""
    print(f"{what}{found['from']} to {found['to']}: {found['plays']} plays by {found['listeners']} listeners")
    for item in found["items"]:
        print(f"{item['rank']:3}. {_name(item)}: {', '.join(item['reasons'])}")


@app.command()
def trends(
    by: Annotated[str, typer.Option("--by", help="style, artist or piece.")] = "style",
    weeks: Annotated[int, typer.Option("--weeks", help="Weeks to forecast.", min=1, max=26)] = 4,
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What rises and falls, with a forecast and its error beside that of a naive one."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        found = service.trend(studio, by, n, weeks_ahead=weeks)
    if as_json:
        print_json(found)
        return
    print(found["verdict"])
    for i, item in enumerate(found["items"], start=1):
        print(f"{i:3}. {_name(item)}: {item['score']:+.0%}")
        _print_lines(item["reasons"])


def _tell(found: dict[str, Any], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(found)
    else:
        _print(found["items"], nothing)


def _print(items: Sequence[dict[str, Any]], nothing: str) -> None:
    if not items:
        print(nothing)
    for i, item in enumerate(items, start=1):
        print(f"{i:3}. {_name(item)}")
        fallback = [item["fallback"]] if item.get("fallback") else []
        _print_lines([*item["reasons"], *fallback])


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"       {line}")


def _name(item: dict[str, Any]) -> str:
    return named(item["title"], item["id"], item.get("artist", ""), generated=bool(item.get("generated")))
