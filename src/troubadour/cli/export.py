"""Export of a piece to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from troubadour.cli.common import AcceptTerms, AsJson, Home, app, open_studio, print_json


@app.command("export-piece")
def export_piece(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path("out"),
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="Formats, separated by commas: midi, musicxml, abc, wav, ogg, flac, pdf, svg, png.",
        ),
    ] = "midi,musicxml,wav",
    parts: Annotated[
        bool, typer.Option("--parts", help="Also write the musicians' parts (MusicXML, PDF, SVG, PNG).")
    ] = False,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a piece as score, parts, sound or MIDI, with licence and source in the files."""
    from troubadour.export.licensing import rights, rights_line

    with open_studio(home) as studio:
        row = studio.store.piece(piece)
        wanted = list(dict.fromkeys(f.strip().lower() for f in formats.split(",") if f.strip()))
        files = studio.write_files(piece, out, accept_terms=accept_terms, formats=wanted, parts=parts)
    if as_json:
        print_json({"id": row.id, "title": row.title, "files": files, **rights(row)})
        return
    print(f"{row.title} [{row.id}]")
    print(f"  {rights_line(row)}")
    for path in files.values():
        print(f"  {path}")
