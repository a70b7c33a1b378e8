"""Compose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troubadour.cli.common import (
    AsJson,
    Home,
    Seed,
    app,
    open_studio,
    print_json,
    say,
)

if TYPE_CHECKING:
    from troubadour.composers.base import Brief
    from troubadour.studio import Composed, Studio


@app.command()
def compose(
    listener: Annotated[
        str | None, typer.Option("--listener", help="Compose to this listener's taste.")
    ] = None,
    style: Annotated[
        str | None, typer.Option("--style", help="jig, reel, hornpipe, air, chorale ...")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Such as D, 'E minor', 'A dorian'.")] = None,
    metre: Annotated[str | None, typer.Option("--metre", help="Such as 6/8.")] = None,
    bars: Annotated[int | None, typer.Option("--bars", help="1 to 64.")] = None,
    voices: Annotated[int | None, typer.Option("--voices", help="1, or 4 for a chorale.")] = None,
    tempo: Annotated[float | None, typer.Option("--tempo", help="Quarter notes a minute.")] = None,
    density: Annotated[int | None, typer.Option("--density", help="0 (few notes) to 7 (many).")] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="0.1 (safe) to 2 (wild).")] = 0.9,
    top_p: Annotated[float, typer.Option("--top-p", help="Share of the probability sampled from.")] = 0.97,
    count: Annotated[int, typer.Option("--count", help="How many pieces.", min=1, max=100)] = 1,
    out: Annotated[Path, typer.Option("--out", help="Folder for MIDI, MusicXML and WAV.")] = Path("out"),
    stream: Annotated[bool, typer.Option("--stream", help="Print each bar as soon as it is ready.")] = False,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compose a piece; what is left open follows the listener's taste, or the style's habits."""
    from troubadour.composers.base import Brief, parse_key, parse_metre

    brief = Brief(
        style=style,
        key=None if key is None else parse_key(key),
        metre=None if metre is None else parse_metre(metre),
        bars=bars,
        voices=voices,
        tempo_bpm=tempo,
        density=density,
        temperature=temperature,
        top_p=top_p,
    )
    with open_studio(home) as studio:
        some = _stream_some if stream else _compose_some
        done = list(some(studio, brief, listener, seed, count, out))
    if as_json:
        described = [_piece_json(piece, files) for piece, files in done]
        print_json(described[0] if count == 1 else described)
        return
    for piece, files in done:
        print_piece(piece, files)


def _compose_some(
    studio: Studio, brief: Brief, listener: str | None, seed: int | None, count: int, out: Path
) -> Iterator[tuple[Composed, dict[str, str]]]:
    for i in range(count):
        piece = studio.compose(brief, seed=None if seed is None else seed + i, listener=listener)
        yield piece, studio.write_files(piece.id, out)


def _stream_some(
    studio: Studio, brief: Brief, listener: str | None, seed: int | None, count: int, out: Path
) -> Iterator[tuple[Composed, dict[str, str]]]:
    from troubadour.music.bars import bars_text
    from troubadour.music.score import Score

    for i in range(count):
        shown = 0
        for part in studio.stream(brief, seed=None if seed is None else seed + i, listener=listener):
            so_far = bars_text(part, whole=False) if isinstance(part, Score) else bars_text(part.score)
            for number, text in enumerate(so_far[shown:], start=shown + 1):
                say(f"{number:3}  {text}")
            shown = len(so_far)
            if not isinstance(part, Score):
                yield part, studio.write_files(part.id, out)


def _piece_json(piece: Composed, files: dict[str, str]) -> dict[str, Any]:
    return {
        "id": piece.id,
        "title": piece.title,
        "files": files,
        "seed": piece.seed,
        "release": piece.release,
        "controls": piece.controls(),
        "longest_match": {
            "notes": piece.match.notes,
            "piece": piece.match.piece,
            "title": piece.match_title,
            "bars": list(piece.match.bars),
            "their_bars": list(piece.match.their_bars),
        },
        "influences": list(piece.influences),
        "generated": True,
        "duration_seconds": round(piece.score.seconds, 2),
        "seconds": round(piece.seconds, 3),
    }


def print_piece(piece: Composed, files: dict[str, str]) -> None:
    """A composed piece for people."""
    metre, key = piece.score.metres[0].name, piece.score.keys[0].name
    print(
        f"  {piece.title}: {metre}, {key}, {piece.score.n_bars} bars, {piece.score.seconds:.0f} s, seed {piece.seed}"
    )
    if piece.influences:
        print(f"    near to what they like: {', '.join(piece.influences)}")
    first, last = piece.match.bars
    print(
        f"    longest match with the catalogue: {piece.match.notes} notes (bars {first}-{last}) "
        f"with {piece.match_title or 'nothing'}"
    )
    for path in files.values():
        print(f"    {path}")
