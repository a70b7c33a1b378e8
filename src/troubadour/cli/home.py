"""Commands for a home: set up, import, status, serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from troubadour.cli.audio import Processes, pool
from troubadour.cli.common import (
    AcceptTerms,
    AsJson,
    Home,
    Seed,
    app,
    open_studio,
    print_json,
    progress_bar,
    report_lines,
    say,
)
from troubadour.cli.compose import print_piece

if TYPE_CHECKING:
    from troubadour.app.studio import Studio


_LISTENERS: Final = 500
_SEED: Final = 1
_DEMO_PIECES: Final = 3


@app.command()
def demo(
    home: Home = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the composed pieces.")] = Path("out"),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the web page at the end.")] = True,
    port: Annotated[int, typer.Option("--port", help="TCP port of the web page.")] = 8765,
    seed: Seed = None,
) -> None:
    """Run the whole tour: import music, simulate listeners, recommend, compose for one of them, serve."""
    from troubadour.app import importing, jobs

    with open_studio(home) as studio:
        fresh = studio.releases.live() is None
        if fresh:
            say(f"Importing the built-in collections into {studio.home}")
            with progress_bar() as progress:
                for report in importing.import_builtin(studio.store, progress=progress):
                    say(f"  {report.summary()}")
            if not studio.store.listeners():
                say(f"Simulating {_LISTENERS} listeners (labelled `simulated` wherever they are shown)")
                jobs.simulate_listeners(studio.store, _LISTENERS, _SEED)
            say("Fitting the recommender")
            jobs.fit(studio.store, studio.releases)
        if fresh or not studio.store.counts()["generated"]:
            _show_listener(studio, out, 0 if seed is None else seed)
        else:
            say(f"{studio.home} is ready; compose more with `troubadour compose`.")
        if serve:
            _serve(studio, "127.0.0.1", port)


def _show_listener(studio: Studio, out: Path, seed: int) -> None:
    people = studio.store.listeners()
    person = people[seed % len(people)]
    print(f"\nListener {person.id}, {person.name}{' (simulated)' if person.simulated else ''}")
    styles = ", ".join(f"{style} {n}" for style, n in studio.liked_styles(person.id)[:5])
    print(f"  played by style: {styles}")
    rows = {p.id: p for p in studio.store.pieces()}
    print("  last played:")
    for piece, kind, value, _ in studio.store.history(person.id, limit=8):
        share = f", {value:.0%} heard" if kind == "play" and value is not None else ""
        print(f"    {rows[piece].title} [{rows[piece].style or '-'}] - {kind}{share}")
    found, release = studio.recommend(person.id, 10)
    print(f"\nTen recommendations (release {release}):")
    for i, item in enumerate(found, start=1):
        print(f"  {i:2}. {item.title} [{rows[item.id].style or '-'}]\n      {item.reasons[0].text}")
    from troubadour.generation.request import Brief

    print(f"\nComposed for {person.name}:")
    for i in range(_DEMO_PIECES):
        new = studio.compose(Brief(), seed=seed + i, listener=person.id)
        print_piece(new, studio.write_files(new, out))


@app.command("import")
def import_(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, or built-in collections (builtin, oneills, ryans, airds, folk, chorales)."
        ),
    ] = None,
    accept_terms: AcceptTerms = False,
    workers: Processes = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Measure recordings again that an earlier import refused.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Import scores and recordings into the catalogue; pieces already present are skipped."""
    from troubadour.app import importing, jobs
    from troubadour.corpora.builtin import COLLECTIONS, DEFAULT

    names = {c.name for c in COLLECTIONS}
    reports = []
    with open_studio(home) as studio:
        with progress_bar() as progress:
            for path in paths or ["builtin"]:
                if path == "builtin":
                    reports += importing.import_builtin(studio.store, DEFAULT, progress=progress)
                elif path in names and not Path(path).exists():
                    reports += importing.import_builtin(
                        studio.store, [path], accept_terms=accept_terms, progress=progress
                    )
                else:
                    reports += importing.import_path(
                        studio.store, Path(path), progress, pool(workers), retry=retry
                    )
        if studio.releases.live() is None and studio.store.counts()["pieces"]:
            say("Publishing the first release")
            jobs.fit(studio.store, studio.releases)
    if as_json:
        print_json([r.to_dict() for r in reports])
        return
    for report in reports:
        for line in report_lines(report):
            print(line)


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """Print counts of pieces, listeners and events, and the live release."""
    with open_studio(home) as studio:
        found = studio.status()
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        print(f"{name:13} {value}")


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Network address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="TCP port.")] = 8765,
    home: Home = None,
) -> None:
    """Serve the web page and the REST API."""
    with open_studio(home) as studio:
        _serve(studio, host, port)


def _serve(studio: Studio, host: str, port: int) -> None:
    import uvicorn

    from troubadour.server.app import create_app

    studio.models()  # reports a missing or damaged model now, not at the first request
    say(f"Serving on http://{host}:{port} (Ctrl-C stops)")
    uvicorn.run(create_app(studio), host=host, port=port, log_level="warning")


@app.command()
def mark(
    piece: Annotated[str, typer.Argument(help="Id of the piece.")],
    explicit: Annotated[bool, typer.Option("--explicit/--clean", help="Set or remove the mark.")] = True,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Mark a piece as explicit: listeners who block explicit pieces no longer get it."""
    with open_studio(home) as studio:
        studio.store.mark_explicit(piece, explicit)
        row = studio.store.piece(piece)
    if as_json:
        print_json({"id": row.id, "title": row.title, "explicit": row.explicit})
        return
    print(f"{row.title}: {'explicit' if row.explicit else 'not explicit'}")
