"""Commands in the VAE's latent space: interpolation of two melodies, attribute transfer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from troubadour.cli.common import AsJson, Home, Seed, app, open_studio, print_json
from troubadour.cli.search import Music, read_music_of

if TYPE_CHECKING:
    from troubadour.models.vae.attribute_transfer import Moved
    from troubadour.models.vae.composer import VaeComposer
    from troubadour.models.vae.passages import Passage
    from troubadour.music.score import Score

Model = Annotated[
    Path | None, typer.Option("--model", help="Folder of a trained VAE. Default: the installed one.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for MIDI and MusicXML.")]
Bar = Annotated[
    int, typer.Option("--bar", help="First bar of the passage, 1-based, upbeat not counted.", min=1)
]
_NO_MODEL: Final = "no VAE is installed; train one: troubadour train composer recipes/vae.toml"


@app.command()
def interpolate(
    first: Music,
    second: Annotated[str, typer.Argument(help="Second melody: a file or the id of a piece.")],
    steps: Annotated[
        int, typer.Option("--steps", help="Number of melodies, both ends included, 2 to 33.", min=2, max=33)
    ] = 5,
    bars: Annotated[int, typer.Option("--bars", help="Length of the passages in bars: 2, 4 or 16.")] = 16,
    bar: Bar = 1,
    model: Model = None,
    out: Out = Path("out"),
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Interpolate between two melodies of one metre, along an arc in the latent space."""
    import numpy as np

    vae = _vae(model)
    with open_studio(home) as studio:
        start = _passage(read_music_of(studio, first)[0], bars, bar, first)
        end = _passage(read_music_of(studio, second)[0], bars, bar, second)
    made = vae.space.interpolate(start, end, steps, np.random.default_rng(seed or 0))
    names = [f"interpolated-{i + 1}-of-{steps}" for i in range(steps)]
    _write(made, names, out, as_json, f"between {first} and {second}")


@app.command()
def move(
    music: Music,
    attribute: Annotated[str, typer.Option("--attribute", help="density, range, syncopation or mode.")],
    amount: Annotated[
        list[float],
        typer.Option("--amount", help="Change in standard deviations, negative for less; may be repeated."),
    ],
    bar: Bar = 1,
    model: Model = None,
    out: Out = Path("out"),
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Increase or decrease an attribute of a melody's 16 bars and keep the rest as similar as possible. Other seeds give other solutions."""
    import numpy as np

    from troubadour.models.vae.attribute_transfer import move as move_passage

    vae = _vae(model)
    with open_studio(home) as studio:
        passage = _passage(read_music_of(studio, music)[0], 16, bar, music)
    moved = [
        move_passage(vae.space, passage, attribute, a, None if seed is None else np.random.default_rng(seed))
        for a in amount
    ]
    names = [f"{attribute}{a:+g}" for a in amount]
    _write([m.passage for m in moved], names, out, as_json, f"{attribute} moved in {music}", moved)


def _vae(model: Path | None) -> VaeComposer:
    from troubadour.core.errors import NotFoundError
    from troubadour.models.vae.composer import VaeComposer

    if model is not None:
        return VaeComposer.load(model)
    with as_file(files("troubadour") / "data" / "models" / "vae") as folder:
        if not folder.is_dir():
            raise NotFoundError(_NO_MODEL)
        return VaeComposer.load(folder)


def _passage(score: Score, bars: int, bar: int, name: str) -> Passage:
    from troubadour.core.errors import InputError
    from troubadour.models.vae.passages import LENGTHS, METRES, passages
    from troubadour.music.quantise import quantise

    if bars not in LENGTHS:
        raise InputError(f"bars is {bars}; allowed: {', '.join(map(str, LENGTHS))}")
    for i, passage in enumerate(passages(quantise(score), bars)):
        if i == bar - 1:
            return passage
    known = ", ".join(f"{n}/{d}" for n, d in METRES)
    raise InputError(f"{name} has no {bars} bars of melody from whole bar {bar} on in one of {known}")


def _write(
    made: list[Passage],
    names: list[str],
    out: Path,
    as_json: bool,
    what: str,
    moved: list[Moved] | None = None,
) -> None:
    from troubadour.core.errors import TroubadourError
    from troubadour.formats.midi import write_midi
    from troubadour.formats.musicxml import write_musicxml
    from troubadour.models.vae.latent_map import ATTRIBUTES, measure
    from troubadour.music.quantise import quantise

    items: list[dict[str, Any]] = []
    hows: Sequence[Moved | None] = moved or [None] * len(made)
    for passage, name, how in zip(made, names, hows, strict=True):
        generated = how is None or how.alike < 1.0
        score = quantise(passage.score())
        paths = {"midi": out / f"{name}.mid", "musicxml": out / f"{name}.musicxml"}
        try:
            out.mkdir(parents=True, exist_ok=True)
            paths["midi"].write_bytes(write_midi(score, title=name))
            paths["musicxml"].write_text(
                write_musicxml(score, title=name, generated=generated), encoding="utf-8"
            )
        except OSError as error:
            raise TroubadourError(f"{out} cannot be written: {error.strerror}") from error
        measured = dict(zip(ATTRIBUTES, (round(float(x), 3) for x in measure(passage)), strict=True))
        files = {k: str(p) for k, p in paths.items()}
        facts = {} if how is None else how.to_dict()
        items.append({"title": name, "generated": generated, "files": files, **measured, **facts})
    if as_json:
        print_json({"what": what, "items": items})
        return
    for item in items:
        values = ", ".join(f"{a} {item[a]}" for a in ATTRIBUTES)
        print(f"{item['title']}: {values}")
        if "before" in item:
            print(
                f"    from {item['before']} to {item['after']}, wanted {item['wanted']}; {item['alike']:.0%} as it was"
            )
            if item["note"]:
                print(f"    {item['note']}")
        print(f"    {out / item['title']}.mid and .musicxml")
