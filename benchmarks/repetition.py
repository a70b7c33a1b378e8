"""Literal repetition: share of bars that equal an earlier bar, generated and human pieces; a Markdown page.

    python benchmarks/repetition.py --home HOME [--pieces 40] [--seed 1] > docs/benchmarks/repetition.md

HOME holds the built-in collections (`troubadour import`). Human pieces are from the validation and test
splits, up to `--pieces` a style, without styles of fewer than ten pieces. For each of them one piece is
composed with its style, metre, key and bars. Two bars are equal if they have the same pitches with the same
onsets and durations in every voice; bars without a note are not counted. Intervals: bootstrap over pieces.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections import defaultdict
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troubadour.catalogue.store import Store
from troubadour.generation.autoregressive import AutoregressiveComposer, load_composer
from troubadour.generation.request import Brief
from troubadour.music.score import Score

Floats = NDArray[np.float64]
FEWEST = 10
"""Human pieces of a style."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=40, help="of each style, at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        composer = load_composer(folder, 1)
    human = pieces_of(options.home, composer, options.pieces, options.seed)
    found: dict[str, Floats] = {}
    for style, scores in sorted(human.items()):
        made = [compose(composer, score, style, options.seed + i) for i, score in enumerate(scores)]
        found[style] = np.array(
            [[repeated(c), repeated(h), c.n_bars] for c, h in zip(made, scores, strict=True)]
        )
        print(style, found[style].mean(axis=0), file=sys.stderr, flush=True)
    tunes = np.concatenate([rows for style, rows in found.items() if style != "chorale"])
    print(f"""# Literal repetition of bars

```sh
python benchmarks/repetition.py --home HOME --pieces {options.pieces} --seed {options.seed} > docs/benchmarks/repetition.md
```

{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, one thread; the shipped
composer, fp32, default temperature and top-p, one candidate a piece (`compose` chooses among eight). Share of the
bars of a piece that equal an earlier bar of it, note for note; mean over pieces with 95% bootstrap intervals over
pieces. Human: works of the validation and test splits, not seen in training, as written (repeats not
expanded). Each generated piece has the style, metre, key and number of bars of one of them; the difference is paired.

| style | n | bars at the mean | composed | human | composed less human |
|---|---:|---:|---|---|---|""")
    for name, rows in [("**all tunes**", tunes), *found.items()]:
        rng = np.random.default_rng(0)
        told = [interval(x, rng) for x in (rows[:, 0], rows[:, 1], rows[:, 0] - rows[:, 1])]
        print(f"| {name} | {len(rows)} | {rows[:, 2].mean():.0f} | {' | '.join(told)} |")


def pieces_of(home: Path, composer: AutoregressiveComposer, most: int, seed: int) -> dict[str, list[Score]]:
    """Held-out scores in one metre by style, one per work."""
    by_style: dict[str, list[str]] = defaultdict(list)
    works: set[str] = set()
    with Store.open(home) as store:
        for row in store.pieces(generated=False):
            if row.split in ("valid", "test") and row.style in composer.styles and row.work not in works:
                works.add(row.work)
                by_style[row.style].append(row.id)
        found: dict[str, list[Score]] = {}
        for style, ids in by_style.items():
            order = np.random.default_rng(seed).permutation(len(ids)).tolist()
            scores = [s for s in store.scores([ids[i] for i in order]) if fits(s, style)]
            if len(scores) >= FEWEST:
                found[style] = scores[:most]
    return found


def fits(score: Score, style: str) -> bool:
    voices = 4 if style == "chorale" else 1
    return len(score.metres) == 1 and 4 <= score.n_bars <= 64 and len(score.tracks) == voices


def compose(composer: AutoregressiveComposer, score: Score, style: str, seed: int) -> Score:
    """A piece with the metre, key, style and length of a human one."""
    metre, key = score.metres[0], score.keys[0]
    brief = Brief(
        style=style,
        metre=(metre.numerator, metre.denominator),
        key=(key.fifths, key.mode),
        bars=score.n_bars,
    )
    return composer.compose(brief, np.random.default_rng(seed))[0]


def repeated(score: Score) -> float:
    """Share of the bars with notes that equal an earlier bar."""
    starts = score.bar_starts()
    bars: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for onset, duration, pitch, _, track in score.notes().tolist():
        bar = int(np.searchsorted(starts, onset, side="right")) - 1
        bars[bar].append((onset - int(starts[bar]), duration, pitch, track))
    met: set[tuple[tuple[int, ...], ...]] = set()
    again = 0
    for _, notes in sorted(bars.items()):
        key = tuple(sorted(notes))
        again += key in met
        met.add(key)
    return again / max(1, len(bars))


def interval(values: Floats, rng: np.random.Generator) -> str:
    """`.42 [.40, .44]`: the mean with its 95% bootstrap interval."""
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
