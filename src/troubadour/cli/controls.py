"""The controls of composing as options, and the brief that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from troubadour.core.errors import InputError
from troubadour.music.theory.names import pitch_of

if TYPE_CHECKING:
    from troubadour.generation.request import Brief, GivenNote

Style = Annotated[str | None, typer.Option("--style", help="jig, reel, hornpipe, air, chorale ...")]
KeyName = Annotated[str | None, typer.Option("--key", help="Such as D, 'E minor', 'A dorian'.")]
Tempo = Annotated[float | None, typer.Option("--tempo", help="Quarter notes a minute.")]
Density = Annotated[int | None, typer.Option("--density", help="0 (few notes) to 7 (many).")]
Chords = Annotated[
    str | None, typer.Option("--chords", help="One a bar: 'G C D7 G'; several: 'G | C D7 | G'.")
]
Ranges = Annotated[
    str | None, typer.Option("--ranges", help="Of each voice, or one for all: '60-79,55-72' or 'C4-G5'.")
]
Lowest = Annotated[str | None, typer.Option("--lowest", help="Lowest note, such as 60 or C4.")]
Highest = Annotated[str | None, typer.Option("--highest", help="Highest note.")]
Parallels = Annotated[
    bool | None,
    typer.Option(
        "--parallels/--no-parallels",
        help="Whether voices may run in parallel fifths, octaves or unisons. Not in chorales, unless asked for.",
    ),
]
MaxCommon = Annotated[
    int | None, typer.Option("--max-common", help="Most successive notes in common with any piece.")
]
Cadence = Annotated[
    bool | None, typer.Option("--cadence/--no-cadence", help="Whether it has to end on its tonic.")
]
Guidance = Annotated[float, typer.Option("--guidance", help="How much the style counts: 1 to 4.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Every control holds for every note; the key as a scale, too.")
]
Temperature = Annotated[float, typer.Option("--temperature", help="0.1 (safe) to 2 (wild).")]
TopP = Annotated[float, typer.Option("--top-p", help="Share of the probability sampled from.")]

# What a given piece leaves to be asked for, each with its default.
_SHARED: dict[str, tuple[Any, Any]] = {
    "style": (Style, None), "key": (KeyName, None), "tempo": (Tempo, None), "density": (Density, None),
    "chords": (Chords, None), "ranges": (Ranges, None), "lowest": (Lowest, None), "highest": (Highest, None),
    "parallels": (Parallels, None), "max_common": (MaxCommon, None), "cadence": (Cadence, None),
    "guidance": (Guidance, 1.0), "strict": (Strict, False), "temperature": (Temperature, 0.9),
    "top_p": (TopP, 0.97),
}  # fmt: skip


def brief_of(
    *,
    style: str | None,
    key: str | None,
    tempo: float | None,
    density: int | None,
    chords: str | None,
    ranges: str | None,
    lowest: str | None,
    highest: str | None,
    parallels: bool | None,
    max_common: int | None,
    cadence: bool | None,
    guidance: float,
    strict: bool,
    temperature: float,
    top_p: float,
    metre: str | None = None,
    bars: int | None = None,
    voices: int | None = None,
    upbeat: bool | None = None,
    instruments: str | None = None,
    notes: str | None = None,
) -> Brief:
    """The brief that the options ask for.

    Raises:
        InputError: an option is not acceptable; the message says what is allowed.
    """
    from troubadour.generation.request import Brief, parse_key, parse_metre
    from troubadour.music.instruments import program_of

    return Brief(
        style=style,
        key=None if key is None else parse_key(key),
        metre=None if metre is None else parse_metre(metre),
        bars=bars,
        voices=voices,
        tempo_bpm=tempo,
        density=density,
        upbeat=upbeat,
        strict=strict,
        chords=chords,
        instruments=None if instruments is None else tuple(program_of(n) for n in instruments.split(",")),
        ranges=None if ranges is None else tuple(_range(r) for r in ranges.split(",")),
        lowest=None if lowest is None else pitch_of(lowest),
        highest=None if highest is None else pitch_of(highest),
        cadence=cadence,
        notes=() if notes is None else given_notes(notes),
        parallels=parallels,
        max_common=max_common,
        guidance=guidance,
        temperature=temperature,
        top_p=top_p,
    )


def with_controls(own: Callable[..., Any], more: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a command, those of the controls for what is composed to a given piece, and those of `more`."""
    controls = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)
        for name, (kind, default) in _SHARED.items()
    ]
    return [*_parameters(own), *controls, *_parameters(more)]


def take_brief(words: dict[str, Any]) -> Brief:
    """Take the controls out of a command's arguments, as a brief.

    Raises:
        InputError: as `brief_of`.
    """
    return brief_of(**{name: words.pop(name) for name in _SHARED})


def _parameters(command: Callable[..., Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(command, {**globals(), **command.__globals__}, include_extras=True)
    return [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()]


def given_notes(text: str) -> tuple[GivenNote, ...]:
    """`1:0:1:D4 1:1:1:E4` (voice, start and length in quarters from the first bar, note) as given notes.

    Raises:
        InputError: a note is not written so.

    >>> given_notes("1:0:1.5:D4")
    (GivenNote(voice=1, onset=0, duration=36, pitch=62),)
    """
    from troubadour.generation.request import GivenNote

    found = []
    for word in text.replace(",", " ").split():
        parts = word.split(":")
        try:
            voice, start, length, name = parts
            note = GivenNote(int(voice), round(float(start) * 24), round(float(length) * 24), pitch_of(name))
        except ValueError as error:
            raise InputError(
                f"given note is '{word}'; allowed: VOICE:START:LENGTH:NOTE in quarters, such as 1:0:1.5:D4"
            ) from error
        found.append(note)
    return tuple(found)


def span_of(text: str | None) -> tuple[int, int] | None:
    """`5-8` or `5` as the first and last bar.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise InputError(f"bars are '{text}'; allowed: one bar or two, such as 5 or 5-8")
    return int(first), int(last or first)


def numbers_of(text: str | None) -> tuple[int, ...]:
    """`2,3` as numbers.

    Raises:
        InputError: one of them is none.
    """
    words = [] if text is None else text.split(",")
    if not all(w.strip().isdigit() for w in words):
        raise InputError(f"voices are '{text}'; allowed: numbers from 1, such as 2,3")
    return tuple(int(w) for w in words)


def _range(text: str) -> tuple[int, int]:
    for place in range(1, len(text)):
        if text[place] == "-" and text[place - 1] != "-":
            return pitch_of(text[:place]), pitch_of(text[place + 1 :])
    raise InputError(f"range is '{text}'; allowed: two notes, such as 60-79 or C4-G5")
