"""Export of a piece to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from troubadour.cli.common import AcceptTerms, AsJson, Home, app, open_studio, print_json


@app.command("export-piece")
def export_piece(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for MIDI, MusicXML and WAV.")] = Path("out"),
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a piece as MIDI, MusicXML and WAV, with licence and source in the files."""
    from troubadour.export.licensing import rights, rights_line

    with open_studio(home) as studio:
        row = studio.store.piece(piece)
        files = studio.write_files(piece, out, accept_terms=accept_terms)
    if as_json:
        print_json({"id": row.id, "title": row.title, "files": files, **rights(row)})
        return
    print(f"{row.title} [{row.id}]")
    print(f"  {rights_line(row)}")
    for path in files.values():
        print(f"  {path}")
