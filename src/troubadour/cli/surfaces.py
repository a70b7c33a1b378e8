"""Commands for recommendation surfaces: because, more-like, discover, radio, charts, trends."""

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
    piece: Annotated[str | None, typer.Option("--piece", help="Id of the piece to start from.")] = None,
    n: Annotated[int, typer.Option("--n", help="Length of each list, 1 to 1000.", min=1, max=1000)] = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List pieces because of each of a listener's latest liked pieces."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        found = service.because(studio, listener, n, piece=piece)
    if as_json:
        print_json(found)
        return
    if not found["lists"]:
        print(f"{listener} has no liked pieces yet; `troubadour recommend {listener}` needs no history")
    for one in found["lists"]:
        anchor = one["because"]
        print(f"Because {'you played' if anchor['played'] else 'of'} {anchor['title']}  [{anchor['id']}]")
        _print(one["items"], "no pieces are left that go with it")


@app.command("more-like")
def more_like(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List pieces that go with a piece, by collaborative filtering and content (`similar` uses content only)."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        _show(service.more_like(studio, piece, n), as_json, "no pieces go with it")


@app.command()
def discover(
    listener: Annotated[str, typer.Argument(help="Id of a listener.")],
    n: Number = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List unfamiliar pieces: new artists for the listener, outside the popularity head."""
    from troubadour.app.surfaces import service

    with open_studio(home) as studio:
        _show(service.discover(studio, listener, n), as_json, "no unfamiliar pieces are left")


@app.command()
def radio(
    piece: Annotated[str | None, typer.Option("--piece", help="Id of the piece to start from.")] = None,
    style: Annotated[str | None, typer.Option("--style", help="Style to start from.")] = None,
    listener: Annotated[
        str | None,
        typer.Option("--listener", help="Id of the listener; without --piece and --style the seed."),
    ] = None,
    played: Annotated[
        list[str] | None,
        typer.Option("--played", help="Id of a piece played in this session, in order; may be repeated."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", help="Id of a piece skipped in this session; may be repeated."),
    ] = None,
    drift: Annotated[
        float,
        typer.Option(
            "--drift", help="Influence of the latest plays, 0 (seed only) to 1 (as much as the seed)."
        ),
    ] = 0.3,
    artist_gap: Annotated[
        int,
        typer.Option("--artist-gap", help="Smallest number of pieces between two of one artist, 0 to 100."),
    ] = 5,
    n: Number = 10,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Play a radio: the next pieces from a piece, a style or a listener, without repeats."""
    import secrets

    from troubadour.app.surfaces import service
    from troubadour.app.surfaces.radio import RadioSpec

    spec = RadioSpec(drift, artist_gap)
    request = service.RadioRequest(piece, style, listener, played or (), skip or (), spec)
    chosen = secrets.randbelow(2**31) if seed is None else seed
    with open_studio(home) as studio:
        _show(service.play_radio(studio, request, n, seed=chosen), as_json, "all pieces are played")


@app.command()
def charts(
    period: Annotated[str, typer.Option("--period", help="day, week or month.")] = "week",
    style: Annotated[str, typer.Option("--style", help="Only pieces of this style.")] = "",
    until: Annotated[
        datetime | None, typer.Option("--until", help="End of the period, UTC. Default: end of the log.")
    ] = None,
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the most played pieces of a period, with their ranks in the previous one."""
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
    weeks: Annotated[int, typer.Option("--weeks", help="Weeks to forecast, 1 to 26.", min=1, max=26)] = 4,
    n: Number = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List rising and falling plays, with forecasts and their error beside that of the naive forecast."""
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


def _show(found: dict[str, Any], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(found)
    else:
        _print(found["items"], empty)


def _print(items: Sequence[dict[str, Any]], empty: str) -> None:
    if not items:
        print(empty)
    for i, item in enumerate(items, start=1):
        print(f"{i:3}. {_name(item)}")
        fallback = [item["fallback"]] if item.get("fallback") else []
        _print_lines([*item["reasons"], *fallback])


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"       {line}")


def _name(item: dict[str, Any]) -> str:
    return named(item["title"], item["id"], item.get("artist", ""), generated=bool(item.get("generated")))
