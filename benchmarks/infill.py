"""Infill hidden bars or voices of held-out pieces: prints Markdown tables.

    python benchmarks/infill.py [--pieces 100] [--gaps 3] [--split test] [--calm 0.5] [--composer FOLDER] [--seed 1]

A composed note is a hit if the piece has a note of the same pitch with an onset within a sixteenth, each note
once. `infill` sees the context after the gap; `from the left` is the same model
without it, as in continuation. Both get style, metre, key, bars and density, and given notes
are forced for both. If voices are hidden, another row gives the left baseline none of these
bars. Guidance narrows the distribution of infilling, so each baseline also runs at a lower temperature
(`--calm`). Pieces are of the built-in collections, split by work; intervals are over pieces.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.app import importing
from troubadour.catalogue.store import Store
from troubadour.generation.autoregressive import AutoregressiveComposer, load_composer
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Infill
from troubadour.generation.tasks.base import PreparedTask, opening
from troubadour.generation.tasks.source import bar_span, voice_spans
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.score import Score

SIXTEENTH = 6
Notes = list[tuple[int, int]]
Floats = NDArray[np.float64]


class Kind(NamedTuple):
    """Kind of gap."""

    name: str
    of: str
    bars: int
    voices: tuple[int, ...] = ()


KINDS = (
    Kind("4 bars of a tune", "tune", 4),
    Kind("2 bars of a tune", "tune", 2),
    Kind("2 bars of a chorale, all voices", "chorale", 2),
    Kind("4 bars of a chorale, alto and tenor", "chorale", 4, (2, 3)),
    Kind("4 bars of a chorale, soprano", "chorale", 4, (1,)),
)


class Found(NamedTuple):
    """Results of one gap."""

    f1: Floats
    """Mean over candidates, and of the likeliest; shape (methods, 2)."""
    seconds: Floats
    """Shape (methods,): `from the left only`, `from the left`, both at the lower temperature, `infill`
    without guidance, and with context guidance."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=100, help="most pieces of each kind")
    parser.add_argument("--gaps", type=int, default=3, help="most gaps of a chorale; a tune has one")
    parser.add_argument("--only", choices=("tune", "chorale"))
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--context-guidance", type=float, help="default: that of the task")
    parser.add_argument("--split", default="test")
    parser.add_argument("--composer", type=Path, help="folder; default: the shipped composer")
    parser.add_argument("--home", type=Path, help="a catalogue of the built-in collections; made if missing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--calm", type=float, default=0.5, help="temperature of the second baseline")
    options = parser.parse_args()
    composer, pieces = read(options.composer, options.home, options.split)
    brief = Brief(temperature=options.temperature)
    print(f"{datetime.date.today()}, {platform.platform()}, seed {options.seed}, split `{options.split}`, "
          f"temperature {options.temperature} (calmer baseline {options.calm}), context guidance {options.context_guidance or 'by default'}, "
          f"{options.candidates} candidates, at most {options.gaps} gaps of a chorale.\n")  # fmt: skip
    tables: dict[str, list[str]] = {"one candidate": [], f"the likeliest of {options.candidates}": []}
    cost: list[str] = []
    for kind in (k for k in KINDS if options.only in (None, k.of)):
        chosen = [(s, style) for s, style in pieces[kind.of] if fits(s, kind)]
        rng = np.random.default_rng(options.seed)
        rows = rng.permutation(len(chosen))[: options.pieces].tolist()
        found: list[list[Found]] = []
        for i in rows:
            score, style = chosen[i]
            task = replace(Infill(score, voices=kind.voices), context_guidance=options.context_guidance)
            starts = places(score, kind, options.seed + i)[: options.gaps if kind.of == "chorale" else 1]
            found.append([
                gap(composer, replace(task, bars=(first, first + kind.bars - 1)), replace(brief, style=style),
                    options.seed + i, options.candidates, options.calm)
                for first in starts
            ])  # fmt: skip
        means = np.array([np.mean([g.f1 for g in piece], axis=0) for piece in found])
        for i, body in enumerate(tables.values()):
            body += lines(kind, means[:, :, i], sum(map(len, found)), rng)
        cost.append(seconds(kind, [g for piece in found for g in piece]))
        print("\n".join(body[-1] for body in tables.values()), file=sys.stderr, flush=True)
    for title, body in tables.items():
        print(f"\n{title.capitalize()}:\n")
        print(
            "| left out | pieces | gaps | from the left | infill, guidance 1 | infill | gain | from the left, calmer "
            "| gain over it |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | --- |")
        print("\n".join(body))
    print("\nGains: relative, with 95% bootstrap intervals over pieces.\n")
    print("| left out | seconds from the left | infill, guidance 1 | infill |\n| --- | ---: | ---: | ---: |")
    print("\n".join(cost))


def read(
    folder: Path | None, home: Path | None, split: str
) -> tuple[AutoregressiveComposer, dict[str, list[tuple[Score, str]]]]:
    """Load the composer, and the tunes and chorales of a split with their styles."""
    recipe = TrainingRecipe.load(Path(__file__).parents[1] / "recipes" / "tunes-and-chorales.toml")
    with (
        tempfile.TemporaryDirectory() as made,
        as_file(files("troubadour") / "data" / "models" / "composer") as shipped,
    ):
        composer = load_composer(folder or shipped)
        store = Store.open(home or Path(made))
        importing.import_builtin(store, recipe.collections)
        pieces = {
            kind: [
                (store.score(p.id), p.style)
                for p in store.pieces(generated=False, split=split)
                if (p.collection == "chorales") == (kind == "chorale") and p.style in composer.styles
            ]
            for kind in ("tune", "chorale")
        }
        store.close()
    return composer, pieces


def fits(score: Score, kind: Kind) -> bool:
    voices = len(voice_spans(score)) if len(score.metres) == 1 else 0
    return (
        score.n_bars >= kind.bars + 8 and voices == (4 if kind.of == "chorale" else 1) and score.n_bars <= 40
    )


def places(score: Score, kind: Kind, seed: int) -> list[int]:
    """First bars of gaps in the middle that do not overlap, in random order."""
    rng = np.random.default_rng(seed)
    last = score.n_bars - kind.bars - 2
    first = int(rng.integers(5, last))
    grid = [*range(first, 4, -kind.bars), *range(first + kind.bars, last, kind.bars)]
    return [first, *(g for g in rng.permutation(grid).tolist() if g != first)]


def gap(
    composer: AutoregressiveComposer, task: Infill, brief: Brief, seed: int, n: int, calm: float
) -> Found:
    """F1 of all methods for one gap."""
    ready = task.prepare(composer, brief)
    whole = replace(task, voices=()).prepare(composer, brief) if task.voices else ready
    left = (blind(composer, whole), blind(composer, ready))
    calmer = [replace(way, brief=replace(way.brief, temperature=calm)) for way in left]
    ways = (*left, *calmer, replace(ready, context_guidance=1.0), ready)
    place = bar_span(task.score, task.bars)
    wanted = notes_in(task.score, place, task.voices)
    f1s, times = np.zeros((len(ways), 2)), np.zeros(len(ways))
    for row, way in enumerate(ways):
        if row in (0, 2) and not task.voices:
            continue  # as the next
        begun = time.perf_counter()
        made = composer.decode(
            way.brief, way.constraint_plan, np.random.default_rng(seed), n, way.opening, way.context_guidance
        )
        times[row] = time.perf_counter() - begun
        each = [f1(notes_in(way.finish(m), place, task.voices), wanted) for m in made]
        f1s[row] = np.mean(each), each[0]
    if not task.voices:
        f1s[[0, 2]], times[[0, 2]] = f1s[[1, 3]], times[[1, 3]]
    return Found(f1s, times)


def blind(composer: AutoregressiveComposer, ready: PreparedTask) -> PreparedTask:
    """The same task without the following context."""
    return replace(ready, opening=opening(composer, ready.brief, ready.constraint_plan), context_guidance=1.0)


def lines(kind: Kind, means: Floats, gaps: int, rng: np.random.Generator) -> list[str]:
    """Rows of a table: infilling against continuation; `means` per piece, shape (pieces, methods)."""
    draws = means[rng.integers(0, len(means), (2000, len(means)))].mean(axis=1)

    def gain(over: int) -> str:
        low, high = np.percentile(draws[:, 5] / draws[:, over] - 1, (2.5, 97.5))
        return f"{means[:, 5].mean() / means[:, over].mean() - 1:+.0%} [{low:+.0%}, {high:+.0%}]"

    out = []
    for way in (1, 0) if kind.voices else (1,):
        left, calmer, plain, right = means[:, [way, way + 2, 4, 5]].mean(axis=0)
        name = kind.name
        if kind.voices:
            name += "; other voices of these bars known to " + ("both" if way else "infill only")
        out.append(f"| {name} | {len(means)} | {gaps} | {left:.3f} | {plain:.3f} | {right:.3f} | {gain(way)} "
                   f"| {calmer:.3f} | {gain(way + 2)} |")  # fmt: skip
    return out


def seconds(kind: Kind, found: Sequence[Found]) -> str:
    left, plain, right = np.mean([g.seconds for g in found], axis=0)[[1, 4, 5]]
    return f"| {kind.name} | {left:.2f} | {plain:.2f} | {right:.2f} |"


def notes_in(score: Score, place: tuple[int, int], voices: Sequence[int]) -> Notes:
    """Onset and pitch of the notes that start in a bar span, of some tracks (each voice separately) or all."""
    return sorted(
        (onset, pitch)
        for onset, _, pitch, _, track in score.notes().tolist()
        if place[0] <= onset < place[1] and (not voices or track + 1 in voices)
    )


def f1(made: Notes, wanted: Notes) -> float:
    """Count hits: each wanted note matches at most one note of its pitch within a sixteenth."""
    left, hits = list(wanted), 0
    for onset, pitch in made:
        near = [w for w in left if w[1] == pitch and abs(w[0] - onset) <= SIXTEENTH]
        if near:
            left.remove(min(near, key=lambda w: abs(w[0] - onset)))
            hits += 1
    return 2 * hits / max(1, len(made) + len(wanted))


if __name__ == "__main__":
    main()
