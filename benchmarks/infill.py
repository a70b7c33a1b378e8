"""Leave out bars or voices of held-out pieces and compose them anew: prints a Markdown table.

    python benchmarks/infill.py [--pieces 120] [--split test] [--composer FOLDER] [--seed 1]

A composed note hits if the piece has one of the same pitch whose onset is within a sixteenth, each note
once. `infill` is shown what comes after the place that it writes at; `from the left` is the same model
without that, as it continues a piece. Both are told style, metre, key, bars and density, and what is given
is forced for both. Pieces are of the built-in collections and their split is by work.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from troubadour import jobs
from troubadour.catalogue.store import Store
from troubadour.composers.base import Brief
from troubadour.composers.events import EventComposer, load_composer
from troubadour.composers.recipe import Recipe
from troubadour.composers.tasks import Infill
from troubadour.composers.tasks.base import Ready, opening
from troubadour.composers.tasks.source import lanes, stretch
from troubadour.music.score import Score

SIXTEENTH = 6
Notes = list[tuple[int, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=120, help="of each kind, at most")
    parser.add_argument("--split", default="test")
    parser.add_argument("--composer", type=Path, help="a folder; without it the one that ships")
    parser.add_argument("--home", type=Path, help="a catalogue of the built-in collections; made if missing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.9)
    options = parser.parse_args()
    recipe = Recipe.load(Path(__file__).parents[1] / "recipes" / "tunes-and-chorales.toml")
    with (
        tempfile.TemporaryDirectory() as folder,
        as_file(files("troubadour") / "data" / "models" / "composer") as shipped,
    ):
        composer = load_composer(options.composer or shipped)
        store = Store.open(options.home or Path(folder))
        jobs.import_builtin(store, recipe.collections)
        pieces = {
            kind: [
                (store.score(p.id), p.style)
                for p in store.pieces(generated=False, split=options.split)
                if (p.collection == "chorales") == (kind == "chorale") and p.style in composer.styles
            ]
            for kind in ("tune", "chorale")
        }
        store.close()
    print(f"{datetime.date.today()}, {platform.platform()}, seed {options.seed}, split `{options.split}`, "
          f"temperature {options.temperature}, one candidate.\n")  # fmt: skip
    print("| left out | pieces | from the left | infill | gain | 95% interval of the gain |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name, kind, bars, voices in (
        ("4 bars of a tune", "tune", 4, ()),
        ("2 bars of a tune", "tune", 2, ()),
        ("2 bars of a chorale, all voices", "chorale", 2, ()),
        ("4 bars of a chorale, alto and tenor", "chorale", 4, (2, 3)),
        ("4 bars of a chorale, soprano", "chorale", 4, (1,)),
    ):
        chosen = [(s, style) for s, style in pieces[kind] if fits(s, kind, bars)]
        rng = np.random.default_rng(options.seed)
        rows = rng.permutation(len(chosen))[: options.pieces]
        found = np.array([
            compare(composer, *chosen[i], bars, voices, options.seed + int(i), options.temperature) for i in rows
        ])  # fmt: skip
        left, right = found.mean(axis=0)
        draws = found[rng.integers(0, len(found), (2000, len(found)))].mean(axis=1)
        low, high = np.percentile(draws[:, 1] / draws[:, 0] - 1, (2.5, 97.5))
        print(f"| {name} | {len(found)} | {left:.3f} | {right:.3f} | {right / left - 1:+.0%} | {low:+.0%} to {high:+.0%} |",
              flush=True)  # fmt: skip


def fits(score: Score, kind: str, bars: int) -> bool:
    voices = len(lanes(score)) if len(score.metres) == 1 else 0
    return score.n_bars >= bars + 8 and voices == (4 if kind == "chorale" else 1) and score.n_bars <= 40


def compare(
    composer: EventComposer,
    score: Score,
    style: str,
    bars: int,
    voices: tuple[int, ...],
    seed: int,
    heat: float,
) -> tuple[float, float]:
    """F1 from the left, and of infilling, of the same bars of one piece; both sides are given."""
    rng = np.random.default_rng(seed)
    first = int(rng.integers(5, score.n_bars - bars - 2))
    task = Infill(score, (first, first + bars - 1), voices)
    ready = task.settle(composer, Brief(style=style, temperature=heat))
    blind = Ready(ready.brief, ready.setting, opening(composer, ready.brief, ready.setting), ready.finish)
    place = stretch(score, task.bars)
    chosen: Callable[[Score], Notes] = lambda s: notes_in(s, place, voices)  # noqa: E731
    made = [
        chosen(r.finish(composer.grow(r.brief, r.setting, np.random.default_rng(seed), 1, r.opening)[0]))
        for r in (blind, ready)
    ]
    return f1(made[0], chosen(score)), f1(made[1], chosen(score))


def notes_in(score: Score, place: tuple[int, int], voices: Sequence[int]) -> Notes:
    """Onset and pitch of the notes that start in a stretch, of some tracks (voices each on its own) or all."""
    return sorted(
        (onset, pitch)
        for onset, _, pitch, _, track in score.notes().tolist()
        if place[0] <= onset < place[1] and (not voices or track + 1 in voices)
    )


def f1(made: Notes, wanted: Notes) -> float:
    """Each wanted note is hit once at most, by a note of its pitch within a sixteenth."""
    left, hits = list(wanted), 0
    for onset, pitch in made:
        near = [w for w in left if w[1] == pitch and abs(w[0] - onset) <= SIXTEENTH]
        if near:
            left.remove(min(near, key=lambda w: abs(w[0] - onset)))
            hits += 1
    return 2 * hits / max(1, len(made) + len(wanted))


if __name__ == "__main__":
    main()
