"""Commands for listeners' data: import, record, block, export, erase."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troubadour.cli.common import AsJson, Home, app, open_studio, print_json, progress_bar, say
from troubadour.core.errors import InputError

if TYPE_CHECKING:
    from troubadour.catalogue.plays import PlaysReport


@app.command("import-plays")
def import_plays(
    files: Annotated[list[Path], typer.Argument(help="Exports: files, folders or zip archives.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, listenbrainz, lastfm, spotify, maloja, rockbox, apple, youtube, deezer or csv (or Parquet).",
        ),
    ] = "auto",
    listener: Annotated[
        str, typer.Option("--listener", help="Id of the listener, if the file does not name one.")
    ] = "",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="COLUMN=ROLE of a table; roles: time, title, artist, listener, ms_played ..."
        ),
    ] = None,
    rating_max: Annotated[
        float,
        typer.Option("--rating-max", help="Best rating of the source, 2 or more; its worst is 1.", min=2),
    ] = 5,
    add_unknown: Annotated[
        bool, typer.Option("--add-unknown", help="Add tracks missing from the catalogue, by name only.")
    ] = False,
    unmatched: Annotated[
        Path | None, typer.Option("--unmatched", help="CSV file for the tracks missing from the catalogue.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Import plays, likes, skips and ratings; events already present are skipped."""
    from troubadour.catalogue.plays import import_plays
    from troubadour.interactions.importers.base import ReadOptions
    from troubadour.interactions.importers.formats import read_plays

    options = ReadOptions(int(time.time()), _mapped(columns or []), rating_max)
    reports: list[PlaysReport] = []
    with open_studio(home) as studio, progress_bar() as progress:
        for path in files:
            reports.append(
                import_plays(
                    studio.store,
                    read_plays(path, form, options),
                    path.name,
                    listener=listener,
                    add_unknown=add_unknown,
                    unmatched_file=unmatched,
                    progress=progress,
                )
            )
    if as_json:
        print_json([r.to_dict() for r in reports])
    else:
        for report in reports:
            _print(report)
    if not any(r.read for r in reports) and any(r.remarks for r in reports):
        say("Nothing was read: name the format with --format, and the columns with --map COLUMN=ROLE.")
        raise typer.Exit(1)
    if any(r.new for r in reports):
        say(
            "Lists use the new plays at once; retrain collaborative models with `troubadour train recommender`."
        )


@app.command()
def listeners(
    words: Annotated[str, typer.Argument(help="Part of an id or name; Default: all listeners.")] = "",
    n: Annotated[int, typer.Option("--n", help="How many.", min=1)] = 100,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Who is known, in order of arrival."""
    with open_studio(home) as studio:
        found = studio.store.listeners(words, limit=n)
        more = studio.store.count_listeners(words) - len(found)
    if as_json:
        print_json([{"id": p.id, "name": p.name, "simulated": p.simulated} for p in found])
        return
    for person in found:
        mark = " (simulated)" if person.simulated else ""
        print(f"{person.id}{f'  {person.name}' if person.name else ''}{mark}")
    if more:
        say(f"{more} more; --n says how many are shown")


@app.command()
def record(
    listener: Annotated[str, typer.Argument(help="Id of the listener.")],
    piece: Annotated[str, typer.Argument(help="Id of the piece.")],
    kind: Annotated[str, typer.Option("--kind", help="play, like, skip or rating.")] = "play",
    value: Annotated[
        float | None, typer.Option("--value", help="Share of the piece heard, 0 to 1; for a rating 1 to 5.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Add the listener if the id is unknown.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Record one event of a listener, now; the next list takes it into account."""
    import secrets

    from troubadour.catalogue.records import Event

    with open_studio(home) as studio:
        title = studio.store.piece(piece).title
        if new:
            studio.store.add_listeners([(listener, "", False)])
        event = Event(secrets.token_hex(12), listener, piece, kind, int(time.time()), value)
        stored = studio.record([event])
    if as_json:
        print_json({"stored": stored, "event": event.event})
    else:
        print(f"{listener}: {kind} of {title}")


@app.command()
def block(
    listener: Annotated[str, typer.Argument(help="Id of the listener.")],
    piece: Annotated[str | None, typer.Option("--piece", help="Block this piece.")] = None,
    artist: Annotated[str | None, typer.Option("--artist", help="Block this artist.")] = None,
    explicit: Annotated[
        bool, typer.Option("--explicit", help="Block all pieces marked as explicit (see mark).")
    ] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Remove the block instead.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Block a piece, an artist or all explicit pieces for a listener; without an option, list the blocks."""
    from troubadour.catalogue.records import Block

    if (piece is not None) + (artist is not None) + explicit > 1:
        raise InputError("more than one of --piece, --artist and --explicit is given; block one at a time")
    what, value = ("piece", piece) if piece is not None else ("artist", artist)
    if explicit:
        what, value = "explicit", "all"
    with open_studio(home) as studio:
        studio.store.listener(listener)
        blocks = studio.store.blocks
        if value is not None and lift:
            if not blocks.remove(listener, Block(what, value, 0)):
                raise InputError(f"{listener} has not blocked the {what} '{value}'")
        elif value is not None:
            blocks.add(listener, Block(what, value, int(time.time())))
        held = blocks.of(listener)
    if as_json:
        items = [{"what": b.what, "value": b.value, "time": b.time} for b in held]
        print_json({"listener": listener, "items": items})
        return
    print("\n".join(f"{b.what}: {b.value}" for b in held) or f"{listener} blocks nothing")


@app.command()
def forget(
    listener: Annotated[str, typer.Argument(help="Id of the listener.")],
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Erase a listener from the store and from every model, and write a receipt."""
    from troubadour.privacy.erasure import forget

    with open_studio(home) as studio:
        person = studio.store.listener(listener)
        if not yes and not typer.confirm(f"Forget {person.id} for good?", err=True):
            raise typer.Exit(1)
        receipt, path = forget(studio.store, studio.releases, studio.home, listener)
    if as_json:
        print_json({**receipt.to_dict(), "receipt": str(path)})
        return
    print(", ".join(f"{n} of {table}" for table, n in receipt.rows.items() if n) + " deleted")
    for one in receipt.models:
        print(f"  {one.release} {one.part}: {one.treatment}")
    print(f"  release {receipt.live} is live" if receipt.live else "  no release")
    print(f"receipt: {path}")


@app.command("export")
def export_listener(
    listener: Annotated[str, typer.Argument(help="Id of the listener.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: standard output.")
    ] = None,
    home: Home = None,
) -> None:
    """Export all stored data of a listener as JSON."""
    import json

    from troubadour.privacy.export import export

    with open_studio(home) as studio:
        held = export(studio.store, listener)
    if out is None:
        print_json(held)
        return
    try:
        out.write_text(json.dumps(held, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    say(f"{len(held['events'])} events written to {out}")


def _mapped(columns: list[str]) -> dict[str, str]:
    mapped: dict[str, str] = {}
    for text in columns:
        column, equals, role = text.rpartition("=")
        if not equals or not column or not role:
            raise InputError(f"--map is '{text}'; allowed: COLUMN=ROLE, such as --map Song=title")
        mapped[column.strip()] = role.strip()
    return mapped


def _print(report: PlaysReport) -> None:
    print(report.summary())
    found = ", ".join(f"{n} {how}" for how, n in report.matched_by.items())
    if found:
        print(f"  tracks: {found}")
    if report.pieces_added:
        print(f"  {report.pieces_added} pieces added by name only")
    if report.time_unknown:
        print(f"  {report.time_unknown} without a time, treated as oldest")
    for what, count in report.flagged.items():
        print(f"  {count} flagged: {what.replace('_', ' ')}")
    for cause, count in sorted(report.causes.items(), key=lambda item: -item[1]):
        print(f"  {count} rejected: {cause}")
    for where, text in report.remarks:
        print(f"  {where}: {text}")
    for artist, title, reason, count in report.top_unmatched[:10]:
        print(f"  {reason}: {artist or '?'} - {title or '?'} ({count})")
