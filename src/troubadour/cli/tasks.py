"""Compose to a given piece: continue, infill, harmonise, accompany, reharmonise, vary.

Each command here says what is its own, and returns the task to a given piece; `_to_a_piece` gives all of them the
piece, the controls and the output, and carries the task out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from troubadour.cli.common import AcceptTerms, AsJson, Home, Out, Seed, app, open_studio
from troubadour.cli.compose import print_pieces
from troubadour.cli.controls import give_signature, numbers_of, span_of, take_brief, with_controls
from troubadour.cli.search import Music, read_music_of
from troubadour.generation.request import Brief

if TYPE_CHECKING:
    from troubadour.generation.tasks.varying import Keep

Count = Annotated[int, typer.Option("--count", help="How many, one seed after the other.", min=1, max=100)]
Keeps = Annotated[str, typer.Option("--keep", help="Voices that stay, from 1, such as 1 or 1,4.")]
Tracks = Annotated[
    str | None,
    typer.Option("--tracks", help="Tracks with notes to compose, from 1, such as 2,3; all without it."),
]
Bars = Annotated[str | None, typer.Option("--bars", help="Such as 5-8; all without it.")]
ToTask = Callable[..., Any]
"""From a score to a `Task`; not said as a type, since reading it would load the composers."""
_SHARED = ("count", "out", "seed", "accept_terms", "home", "as_json")


def _to_a_piece(name: str) -> Callable[[Callable[..., Any]], None]:
    """Register a command that composes to a piece; what it returns takes the piece and gives the task."""

    def register(own: Callable[..., Any]) -> None:
        @wraps(own)
        def command(music: str, **words: Any) -> None:
            brief = take_brief(words, Brief, to_piece=True)
            output = {key: words.pop(key) for key in _SHARED}
            _compose_to(own(**words), music, brief, **output)

        # The piece comes first in the words of a command; a sort keeps the others in their order.
        parameters = sorted(with_controls(own, _shared), key=lambda p: p.name != "music")
        give_signature(command, parameters)
        app.command(name)(command)

    return register


def _shared(
    music: Music,
    count: Count = 1,
    out: Out = Path("out"),
    seed: Seed = None,
    accept_terms: AcceptTerms = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What all of these commands take."""


def _compose_to(
    task: ToTask,
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
        score, _, piece = read_music_of(studio, music, exact=True)
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
            done.append((made, studio.write_files(made, out)))
    print_pieces(done, as_json, count == 1)


@_to_a_piece("continue")
def continue_(
    bars: Annotated[int, typer.Option("--bars", help="How many more, 1 to 32.")] = 8,
    tracks: Tracks = None,
) -> ToTask:
    """Continue a piece: the same piece with more bars."""
    from troubadour.generation.tasks import Continue

    return partial(Continue, bars=bars, tracks=numbers_of(tracks))


@_to_a_piece("infill")
def infill(
    bars: Bars = None,
    tracks: Tracks = None,
    voices: Annotated[str | None, typer.Option("--voices", help="Such as 2,3; all without it.")] = None,
    context_guidance: Annotated[
        float | None,
        typer.Option(
            "--context-guidance",
            help="How much what follows the gap counts, 1 to 4; 1.5 in one voice without it.",
        ),
    ] = None,
) -> ToTask:
    """Compose some bars or voices of a piece anew, to fit what stands around them."""
    from troubadour.generation.tasks import Infill

    return partial(
        Infill,
        bars=span_of(bars),
        voices=numbers_of(voices),
        context_guidance=context_guidance,
        tracks=numbers_of(tracks),
    )


@_to_a_piece("harmonise")
def harmonise(
    keep: Keeps = "1",
    as_chords: Annotated[
        bool, typer.Option("--as-chords", help="One part of chords instead of three voices.")
    ] = False,
) -> ToTask:
    """Harmonise a melody: in four parts, or with chords."""
    from troubadour.generation.tasks import Harmonise

    return partial(Harmonise, keep=numbers_of(keep), chords=as_chords)


@_to_a_piece("reharmonise")
def reharmonise(keep: Keeps = "1") -> ToTask:
    """Keep the melody of a piece in several voices, and give it another harmony."""
    from troubadour.generation.tasks import Reharmonise

    return partial(Reharmonise, keep=numbers_of(keep))


@_to_a_piece("accompany")
def accompany(
    voice: Annotated[int, typer.Option("--voice", help="The melody, from 1.")] = 1,
    instruments: Annotated[
        str, typer.Option("--instruments", help="Of the chords and of the bass.")
    ] = "guitar,double bass",
    held: Annotated[bool, typer.Option("--held", help="Chords held, not after the beat.")] = False,
) -> ToTask:
    """Accompany a melody: chords and a bass on instruments of their own."""
    from troubadour.core.errors import InputError
    from troubadour.generation.tasks import Accompany
    from troubadour.music.instruments import program_of

    names = instruments.split(",")
    if len(names) != 2:
        raise InputError(f"instruments are '{instruments}'; allowed: two, such as 'guitar,double bass'")
    chords, bass = program_of(names[0]), program_of(names[1])
    return partial(Accompany, voice=voice, instruments=(chords, bass), figure="held" if held else "offbeat")


@_to_a_piece("vary")
def vary(
    keep: Annotated[
        str, typer.Option("--keep", help="rhythm (other pitches) or pitch (another rhythm).")
    ] = "rhythm",
    bars: Bars = None,
    tracks: Tracks = None,
) -> ToTask:
    """Vary a piece: its rhythm with other pitches, or its pitches in another rhythm."""
    from troubadour.generation.tasks import Vary

    return partial(Vary, keep=cast("Keep", keep), bars=span_of(bars), tracks=numbers_of(tracks))
