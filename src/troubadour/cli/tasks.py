"""Compose to a given piece: continue, infill, harmonise, accompany, reharmonise, vary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troubadour.cli.common import AcceptTerms, AsJson, Home, Out, Seed, app, open_studio
from troubadour.cli.composing import print_pieces
from troubadour.cli.controls import numbers_of, span_of, takes_controls
from troubadour.cli.understanding import Music, read_music_of

if TYPE_CHECKING:
    from troubadour.composers.base import Brief
    from troubadour.composers.tasks import Task
    from troubadour.music.score import Score

Count = Annotated[int, typer.Option("--count", help="How many, one seed after the other.", min=1, max=100)]
Keeps = Annotated[str, typer.Option("--keep", help="Voices that stay, from 1, such as 1 or 1,4.")]


@app.command("continue")
@takes_controls
def continue_(
    music: Music,
    bars: Annotated[int, typer.Option("--bars", help="How many more, 1 to 32.")] = 8,
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Continue a piece: the same piece with more bars."""
    from troubadour.composers.tasks import Continue

    _work(lambda score: Continue(score, bars), music, brief, count, out, seed, accept_terms, home, as_json)


@app.command()
@takes_controls
def infill(
    music: Music,
    bars: Annotated[str | None, typer.Option("--bars", help="Such as 5-8; all without it.")] = None,
    voices: Annotated[str | None, typer.Option("--voices", help="Such as 2,3; all without it.")] = None,
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compose some bars or voices of a piece anew, to fit what stands around them."""
    from troubadour.composers.tasks import Infill

    place, lanes = span_of(bars), numbers_of(voices)
    _work(
        lambda score: Infill(score, place, lanes), music, brief, count, out, seed, accept_terms, home, as_json
    )


@app.command()
@takes_controls
def harmonise(
    music: Music,
    keep: Keeps = "1",
    as_chords: Annotated[
        bool, typer.Option("--as-chords", help="One part of chords instead of three voices.")
    ] = False,
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Harmonise a melody: in four parts, or with chords."""
    from troubadour.composers.tasks import Harmonise

    kept = numbers_of(keep)
    _work(
        lambda score: Harmonise(score, kept, as_chords),
        music,
        brief,
        count,
        out,
        seed,
        accept_terms,
        home,
        as_json,
    )


@app.command()
@takes_controls
def reharmonise(
    music: Music,
    keep: Keeps = "1",
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep the melody of a piece in several voices, and give it another harmony."""
    from troubadour.composers.tasks import Reharmonise

    kept = numbers_of(keep)
    _work(lambda score: Reharmonise(score, kept), music, brief, count, out, seed, accept_terms, home, as_json)


@app.command()
@takes_controls
def accompany(
    music: Music,
    voice: Annotated[int, typer.Option("--voice", help="The melody, from 1.")] = 1,
    instruments: Annotated[
        str, typer.Option("--instruments", help="Of the chords and of the bass.")
    ] = "guitar,double bass",
    held: Annotated[bool, typer.Option("--held", help="Chords held, not after the beat.")] = False,
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Accompany a melody: chords and a bass on instruments of their own."""
    from troubadour.composers.tasks import Accompany
    from troubadour.errors import InputError
    from troubadour.music.instruments import program_of

    names = instruments.split(",")
    if len(names) != 2:
        raise InputError(f"instruments are '{instruments}'; allowed: two, such as 'guitar,double bass'")
    chords, bass = program_of(names[0]), program_of(names[1])

    def task(score: Score) -> Task:
        return Accompany(score, voice, (chords, bass), "held" if held else "offbeat")

    _work(task, music, brief, count, out, seed, accept_terms, home, as_json)


@app.command()
@takes_controls
def vary(
    music: Music,
    keep: Annotated[
        str, typer.Option("--keep", help="rhythm (other pitches) or pitch (another rhythm).")
    ] = "rhythm",
    bars: Annotated[str | None, typer.Option("--bars", help="Such as 5-8; all without it.")] = None,
    brief: Any = None,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Vary a piece: its rhythm with other pitches, or its pitches in another rhythm."""
    from troubadour.composers.tasks import Vary

    place = span_of(bars)
    _work(lambda score: Vary(score, keep, place), music, brief, count, out, seed, accept_terms, home, as_json)  # type: ignore[arg-type]


def _work(
    task: Callable[[Score], Task],
    music: str,
    brief: Brief,
    count: int,
    out: Path,
    seed: int | None,
    accept_terms: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    with open_studio(home) as studio:
        score, _, piece = read_music_of(studio, music)
        asked = task(score)
        done = []
        for i in range(count):
            made = studio.compose_to(
                asked,
                brief,
                given=piece or Path(music).name,
                seed=None if seed is None else seed + i,
                accept_terms=accept_terms,
            )
            done.append((made, studio.write_files(made.id, out)))
    print_pieces(done, as_json, count == 1)
