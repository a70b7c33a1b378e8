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
from troubadour.cli.controls import control_parameters, give_signature, parameters_of, take_brief
from troubadour.generation.request import Brief

if TYPE_CHECKING:
    from troubadour.app.generate import GeneratedPiece
    from troubadour.app.studio import Studio


def compose(
    listener: Annotated[
        str | None, typer.Option("--listener", help="Compose to this listener's taste.")
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Number of pieces.", min=1, max=100)] = 1,
    out: Out = Path("out"),
    stream: Annotated[bool, typer.Option("--stream", help="Print each bar as soon as it is ready.")] = False,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
    **words: Any,
) -> None:
    """Compose a piece; open controls follow the listener's taste, or else the statistics of the style.

    Ranges, chords, notes, instruments, parallels and the limit on common passages always hold; key (as a scale)
    and density hold for every note with --strict. Controls that contradict each other are refused before
    composing starts.
    """
    brief = take_brief(words, Brief)
    with open_studio(home) as studio:
        some = _stream_some if stream else _compose_some
        done = list(some(studio, brief, listener, seed, count, out))
    print_pieces(done, as_json, count == 1)


def _register() -> None:
    """Register `compose` with the controls after the listener."""
    listener, *rest, _ = parameters_of(compose)
    give_signature(compose, [listener, *control_parameters(), *rest])
    app.command()(compose)


_register()


def print_pieces(done: list[tuple[GeneratedPiece, dict[str, str]]], as_json: bool, single: bool) -> None:
    """New pieces and their files, for people or as JSON."""
    if as_json:
        described = [piece.to_json(files) for piece, files in done]
        print_json(described[0] if single else described)
        return
    for piece, files in done:
        print_piece(piece, files)


def _compose_some(
    studio: Studio, brief: Brief, listener: str | None, seed: int | None, count: int, out: Path
) -> Iterator[tuple[GeneratedPiece, dict[str, str]]]:
    for i in range(count):
        piece = studio.compose(brief, seed=None if seed is None else seed + i, listener=listener)
        yield piece, studio.write_files(piece, out)


def _stream_some(
    studio: Studio, brief: Brief, listener: str | None, seed: int | None, count: int, out: Path
) -> Iterator[tuple[GeneratedPiece, dict[str, str]]]:
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
                yield part, studio.write_files(part, out)


def print_piece(piece: GeneratedPiece, files: dict[str, str]) -> None:
    """A composed piece for people."""
    score, made = piece.score, piece.provenance
    metre, key = score.metres[0].name, score.keys[0].name
    print(f"  {piece.title}: {metre}, {key}, {score.n_bars} bars, {score.seconds:.0f} s, seed {made.seed}")
    if made.influences:
        print(f"    near to what they like: {', '.join(title for _, title in made.influences)}")
    first, last = made.match.bars
    print(
        f"    longest match with the catalogue: {made.match.notes} notes (bars {first}-{last}) "
        f"with {made.match_title or 'nothing'}"
    )
    for path in files.values():
        print(f"    {path}")
