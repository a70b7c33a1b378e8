"""Shared parts of all commands: application, common options, studio, progress bar, output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from troubadour.app.studio import Studio
    from troubadour.catalogue.importing import ImportReport
    from troubadour.core.progress import Progress

app = typer.Typer(
    name="troubadour",
    help="Compose music and recommend music.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train models.", no_args_is_help=True)
app.add_typer(train_app, name="train")
evaluate_app = typer.Typer(help="Evaluate models on held-out data.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder of the catalogue and the models.",
        envvar="TROUBADOUR_HOME",
        show_default="your data folder",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AcceptTerms = Annotated[
    bool,
    typer.Option("--accept-terms", help="Accept the terms of restricted collections (essen, palestrina)."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Random seed, 0 or more; equal seeds give equal results.", min=0)
]
Out = Annotated[Path, typer.Option("--out", help="Folder for MIDI, MusicXML and WAV.")]


@contextmanager
def open_studio(home: Path | None) -> Iterator[Studio]:
    """Studio on the given home folder, closed on leaving."""
    from troubadour.app.studio import Studio
    from troubadour.core.config import Settings
    from troubadour.formats.render import MidiRenderer
    from troubadour.generation.network_spec import as_precision

    settings = Settings.load(home=home)
    with Studio(
        settings.home, settings.threads, MidiRenderer(settings.soundfont), as_precision(settings.precision)
    ) as studio:
        yield studio


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Progress bar on standard error; no output if standard error is not a terminal."""
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with rich_progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            key = stage.split(",")[0]
            if key not in tasks:
                tasks[key] = bar.add_task(stage, total=total or None)
            bar.update(tasks[key], completed=done, description=stage)

        yield progress


def say(text: str) -> None:
    """Print a message on standard error."""
    print(text, file=sys.stderr, flush=True)


def report_lines(report: ImportReport) -> Iterator[str]:
    """Lines about an import: counts, refused files with causes, repairs."""
    yield report.summary()
    for name, cause in [*report.unreadable, *report.dropped][:20]:
        yield f"  not taken: {name}: {cause}"
    for what, count in sorted(report.repaired.items(), key=lambda item: -item[1]):
        yield f"  {count} with: {what}"


def print_json(value: Any) -> None:
    """Print a result as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def named(title: str, identity: str, artist: str = "", *, generated: bool = False) -> str:
    """Piece as one line of a list: `Title - Artist  [id]`."""
    mark = " (generated)" if generated else f" - {artist}" if artist else ""
    return f"{title}{mark}" + (f"  [{identity}]" if identity != title else "")
