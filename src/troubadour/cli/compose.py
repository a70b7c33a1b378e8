"""Compose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troubadour.cli.common import (
    AsJson,
    Home,
    Out,
    Seed,
    app,
    open_studio,
    print_json,
    say,
)
from troubadour.cli.controls import (
    Cadence,
    Chords,
    Density,
    Guidance,
    Highest,
    KeyName,
    Lowest,
    MaxCommon,
    Parallels,
    Ranges,
    Strict,
    Style,
    Temperature,
    Tempo,
    TopP,
    brief_of,
)

if TYPE_CHECKING:
    from troubadour.app.generate import Composed
    from troubadour.app.studio import Studio
    from troubadour.generation.request import Brief


@app.command()
def compose(
    listener: Annotated[
        str | None, typer.Option("--listener", help="Compose to this listener's taste.")
    ] = None,
    style: Style = None,
    key: KeyName = None,
    metre: Annotated[str | None, typer.Option("--metre", help="Such as 6/8.")] = None,
    bars: Annotated[int | None, typer.Option("--bars", help="1 to 64.")] = None,
    voices: Annotated[int | None, typer.Option("--voices", help="1, or 4 for a chorale.")] = None,
    tempo: Tempo = None,
    density: Density = None,
    upbeat: Annotated[
        bool | None, typer.Option("--upbeat/--no-upbeat", help="Whether it starts with an upbeat.")
    ] = None,
    chords: Chords = None,
    instruments: Annotated[
        str | None,
        typer.Option("--instruments", help="Of each voice: 'flute' or 'violin,viola,cello,bassoon'."),
    ] = None,
    ranges: Ranges = None,
    lowest: Lowest = None,
    highest: Highest = None,
    notes: Annotated[
        str | None,
        typer.Option("--notes", help="Notes that it has to have, VOICE:START:LENGTH:NOTE in quarters."),
    ] = None,
    parallels: Parallels = None,
    max_common: MaxCommon = None,
    cadence: Cadence = None,
    guidance: Guidance = 1.0,
    strict: Strict = False,
    temperature: Temperature = 0.9,
    top_p: TopP = 0.97,
    count: Annotated[int, typer.Option("--count", help="How many pieces.", min=1, max=100)] = 1,
    out: Out = Path("out"),
    stream: Annotated[bool, typer.Option("--stream", help="Print each bar as soon as it is ready.")] = False,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compose a piece; what is left open follows the listener's taste, or the style's habits.

    Range, chords, notes, instruments, parallels and passages in common always hold; key (as a scale) and
    density hold for every note with --strict. What contradicts itself is refused before composing starts.
    """
    brief = brief_of(
        style=style, key=key, metre=metre, bars=bars, voices=voices, tempo=tempo, density=density, upbeat=upbeat,
        chords=chords, instruments=instruments, ranges=ranges, lowest=lowest, highest=highest, notes=notes,
        parallels=parallels, max_common=max_common, cadence=cadence, guidance=guidance, strict=strict,
        temperature=temperature, top_p=top_p,
    )  # fmt: skip
    with open_studio(home) as studio:
        some = _stream_some if stream else _compose_some
        done = list(some(studio, brief, listener, seed, count, out))
    print_pieces(done, as_json, count == 1)


def print_pieces(done: list[tuple[Composed, dict[str, str]]], as_json: bool, single: bool) -> None:
    """New pieces and their files, for people or as JSON."""
    if as_json:
        described = [_piece_json(piece, files) for piece, files in done]
        print_json(described[0] if single else described)
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
        **({"task": piece.task, "given": piece.given} if piece.task else {}),
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
