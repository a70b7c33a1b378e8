"""Speed of the shipped composer in fp32 and int8, and the loss of int8: a Markdown table.

    python benchmarks/composer_speed.py [--folder FOLDER] [--pieces 6] [--scored 40] [--home HOME]

Processor time of one thread, so that other load has little effect; ratios are within one
run. Nats of every n-th validation work, the same for each precision, by the composer's
runtime.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from troubadour.app.training import material
from troubadour.catalogue.store import Store
from troubadour.generation.autoregressive import AutoregressiveComposer, load_composer
from troubadour.generation.network_spec import PRECISIONS
from troubadour.generation.request import Brief
from troubadour.models.dataset import example
from troubadour.models.recipe import TrainingRecipe
from troubadour.models.scoring import scored
from troubadour.tokens.tokenizer import encode

BRIEFS = {
    "16-bar jig": Brief(style="jig", metre=(6, 8), key=(2, "major"), bars=16, tempo_bpm=172),
    "16-bar reel": Brief(style="reel", metre=(2, 2), key=(1, "major"), bars=16, tempo_bpm=200),
    "12-bar chorale": Brief(style="chorale", metre=(4, 4), key=(0, "major"), bars=12, tempo_bpm=80),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--pieces", type=int, default=6)
    parser.add_argument("--scored", type=int, default=40)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with as_file(files("troubadour") / "data" / "models" / "composer") as shipped:
        composers = {p: load_composer(options.folder or shipped, 1, p) for p in PRECISIONS}
    size = sum(w.size for w in composers["fp32"].weights.values())
    print(
        f"`python benchmarks/composer_speed.py --pieces {options.pieces} --scored {options.scored}"
        f"{' --home HOME' if options.home else ''}`; {datetime.date.today()}, {platform.platform()}, {os.cpu_count()} cores, one "
        f"thread, load {os.getloadavg()[0]:.1f}: {size / 1e6:.2f} million weights, {options.pieces} pieces a row, one candidate each\n"
    )
    print(
        "| what | tokens/s fp32 | tokens/s int8 | ratio | first bar fp32 | first bar int8 | times real time (int8) |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for name, brief in BRIEFS.items():
        found = {p: timed(c, brief, options.pieces) for p, c in composers.items()}
        (a, first_a, _), (b, first_b, real) = found["fp32"], found["int8"]
        ratios.append(b / a)
        print(
            f"| {name} | {a:,.0f} | {b:,.0f} | {b / a:.2f} | {first_a * 1e3:.0f} ms | {first_b * 1e3:.0f} ms | {real:,.0f} |"
        )
    print(f"\nint8 against fp32: {np.median(ratios):.2f} times at the median of the rows.")
    print("\n| part of a token (16-bar jig) | microseconds |\n| --- | ---: |")
    for precision, composer in composers.items():
        network, rest = parts(composer, BRIEFS["16-bar jig"], options.pieces)
        print(f"| network, {precision} | {network * 1e6:.0f} |")
    print(f"| grammar, mask and sampling | {rest * 1e6:.0f} |")
    if options.home:
        nats = score_both(composers, options.home, options.scored)
        print(f"\n{options.scored} validation works: {nats['fp32']:.4f} nats a token in fp32, {nats['int8']:.4f} in int8 "
              f"({nats['int8'] - nats['fp32']:+.4f})")  # fmt: skip


def timed(composer: AutoregressiveComposer, brief: Brief, pieces: int) -> tuple[float, float, float]:
    """Tokens a second, median seconds to the first bar, and speed relative to real time."""
    tokens = spent = sounding = 0.0
    firsts = []
    for seed in range(pieces):
        started = time.process_time()
        stream = composer.stream(brief, np.random.default_rng(seed))
        score = next(stream)
        firsts.append(time.process_time() - started)
        for part in stream:
            score = part
        spent += time.process_time() - started
        tokens += len(encode(score))
        sounding += score.seconds
    return tokens / spent, float(np.median(firsts)), sounding / spent


def parts(composer: AutoregressiveComposer, brief: Brief, pieces: int) -> tuple[float, float]:
    """Seconds per token inside and outside the network."""
    inside = [0.0, 0]
    start = composer.engine.start

    def counted(batch: int, length: int):
        network = start(batch, length)
        feed = network.step

        def fed(tokens, places):
            began = time.process_time()
            logits = feed(tokens, places)
            inside[0] += time.process_time() - began
            inside[1] += 1
            return logits

        network.step = fed
        return network

    composer.engine.start = counted
    began = time.process_time()
    for seed in range(pieces):
        composer.compose(brief, np.random.default_rng(seed))
    spent = time.process_time() - began
    composer.engine.start = start
    return inside[0] / inside[1], (spent - inside[0]) / inside[1]


def score_both(composers: dict[str, AutoregressiveComposer], home: Path, count: int) -> dict[str, float]:
    store = Store.open(home)
    try:
        recipe = TrainingRecipe.load(Path("recipes/tunes-and-chorales.toml"))
        valid = material(store, recipe).valid
    finally:
        store.close()
    chosen = valid[:: max(1, len(valid) // count)][:count]
    styles = composers["fp32"].spec.styles
    examples = [example(p.score, p.row.style, p.row.id, styles) for p in chosen]
    return {p: scored(c, examples).nats for p, c in composers.items()}


if __name__ == "__main__":
    main()
