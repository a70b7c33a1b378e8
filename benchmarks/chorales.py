"""Bach's chorales, note by note: LSTM, Transformer and counts under one scorer; prints a Markdown page.

    python benchmarks/chorales.py --data FOLDER --train transformer --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train second --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train lstm --runs RUNS
    python benchmarks/chorales.py --data FOLDER --runs RUNS [--picture FILE.svg]
    python benchmarks/chorales.py --data FOLDER --runs RUNS --write 64
    python benchmarks/chorales.py --data FOLDER --shipped 100

The networks trained here are not shipped. `--shipped` counts parallels in pieces of the shipped composer.
Intervals: 95%, bootstrap over pieces.

`FOLDER` holds `Jsb16thSeparated.json` (czhuang/JSB-Chorales-dataset; it states no licence, so neither it nor
weights learnt from it are part of the project). `RUNS` keeps what is trained; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
from collections.abc import Sequence
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from chorale_networks.counts import VoiceCounts
from chorale_networks.ensemble import Ensemble, mean_nats
from chorale_networks.network import VoiceNetwork
from chorale_networks.sampling import write
from chorale_networks.scoring import new_tunes, score
from chorale_networks.spec import FrameSpec
from chorale_networks.training import VoiceTask
from chorale_networks.voice_leading import clear
from chorale_networks.voices import LOWEST, VoiceGrid, prepare, read_chorales
from curves import curves
from troubadour.core.networks.trainer import Trainer
from troubadour.generation.autoregressive import load_composer
from troubadour.generation.evaluation.voice_leading import check
from troubadour.generation.request import Brief
from troubadour.models.options import TrainOptions
from troubadour.music.score import Score

ORDER = (0, 3, 1, 2)
"""Soprano, bass, alto, tenor."""
COMMON = {"batch_tokens": 2048, "warmup": 50, "cooldown": 0.6, "ema_decay": 0.98, "evaluate_every": 50,
          "learning_rate": 0.0015, "muon_lr": 0.0015, "checkpoint_every": 25}  # fmt: skip
SMALL = {"order": ORDER, "width": 128, "dropout": 0.35, "feature_dropout": 0.1,
         "reader_width": 128, "reader_rank": 48, "reader_hidden": 384}  # fmt: skip
MODELS = {
    "transformer": (
        FrameSpec(layers=4, heads=4, hidden=512, **SMALL),
        TrainOptions(steps=700, weight_decay=0.5, seed=1, **COMMON),
    ),
    "second": (
        FrameSpec(layers=3, heads=4, hidden=640, **SMALL),
        TrainOptions(steps=700, weight_decay=0.5, seed=2, **COMMON),
    ),
    "lstm": (
        FrameSpec(core="lstm", layers=2, hidden=192, **SMALL),
        TrainOptions(steps=700, weight_decay=0.5, seed=1, **COMMON),
    ),
}
KEYS = (0, -3, 3)
"""Transpositions of the ensemble, in semitones."""
MIXED = ("transformer", "second")
TEMPERATURE = 1.15
"""Temperature of the ensemble; members and temperature were chosen on valid."""
WRITER = "transformer"
"""Which of them writes."""
FRAMES = 192
CAREFUL = ((1.0, 0.95), (1.0, 0.9), (0.9, 1.0), (0.8, 1.0), (0.8, 0.9))
"""Temperature and top-p of more conservative, unconstrained sampling."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Jsb16thSeparated.json")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the training runs")
    parser.add_argument("--train", choices=MODELS, help="train this one and stop")
    parser.add_argument("--write", type=int, default=0, help="generate this many pieces and count parallels")
    parser.add_argument(
        "--shipped", type=int, default=0, help="chorales to compose with the shipped composer"
    )
    parser.add_argument("--picture", type=Path, help="file of the validation curve")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    pieces = {
        split: [prepare(piece) for piece in found]
        for split, found in read_chorales(options.data / "Jsb16thSeparated.json").items()
    }
    if options.train:
        spec, training = MODELS[options.train]
        task = VoiceTask(spec, training, pieces["train"], pieces["valid"])
        Trainer(options.runs / options.train, task, training).run()
        return
    if options.shipped:
        print_shipped(pieces["test"], options.shipped)
        return
    if options.write:
        print_voice_leading(pieces["test"], options.runs, options.write)
        return
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"
    )
    mixed = print_scores(pieces, options.runs)
    if options.picture:
        lines = {
            name: [(entry["step"], entry["valid"]) for entry in state_of(name, options.runs)["history"]]
            for name in MODELS
            if trained(name, options.runs)
        }
        axis = "steps; nats a note on the validation pieces"
        options.picture.write_text(curves(lines, {"mixture": mixed}, axis, high=0.45))


def trained(name: str, runs: Path) -> VoiceNetwork | None:
    """Weights of a run with the lowest validation loss."""
    path = runs / name / "best.safetensors"
    if not path.exists():
        return None
    network = VoiceNetwork(MODELS[name][0])
    network.load_state_dict(load_file(path))
    return network.eval()


def state_of(name: str, runs: Path) -> dict[str, Any]:
    """Steps of a run, and its validation loss by step."""
    state: dict[str, Any] = json.loads((runs / name / "checkpoint.json").read_text())["state"]
    return state


def print_scores(pieces: dict[str, list[VoiceGrid]], runs: Path) -> float:
    """Print all rows; return the validation loss of the ensemble in all keys."""
    print(
        "| model | parameters | training | split | pieces | cells | nats/note | 95% interval | changed cells | held cells |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    counts = VoiceCounts(ORDER).fit(pieces["train"])
    networks = {name: network for name in MODELS if (network := trained(name, runs))}
    states = {name: state_of(name, runs) for name in networks}
    mixable = [networks[name] for name in MIXED if name in networks]
    minutes = sum(states[name]["seconds"] for name in MIXED if name in states) / 60
    mixed = {}
    for split in ("valid", "test"):
        every = pieces[split]
        print_score("Witten-Bell counts", "", "", split, counts.cell_nats(every), pieces)
        parts = {name: Ensemble([network]).cell_nats(every) for name, network in networks.items()}
        for name, network in networks.items():
            state = states[name]
            taken = f"best of {state['step']} steps at {state['best_step']}, {state['seconds'] / 60:.0f} min"
            print_score(name, size_of(network), taken, split, parts[name], pieces)
        if len(mixable) == len(MIXED):
            size, taken = size_of(*mixable), f"{minutes:.0f} min"
            name = " + ".join(MIXED)
            print_score(name, size, taken, split, mean_nats([parts[part] for part in MIXED]), pieces)
            calm = [Ensemble(mixable, (shift,), TEMPERATURE).cell_nats(every) for shift in KEYS]
            name += f", temperature {TEMPERATURE:g}"
            print_score(name, size, taken, split, calm[0], pieces)
            name += f", in {len(KEYS)} keys"
            mixed[split] = print_score(name, size, taken, split, mean_nats(calm), pieces)
    return mixed.get("valid", float("nan"))


def size_of(*networks: VoiceNetwork) -> str:
    return f"{Ensemble(networks).weights / 1e6:.2f} M"


def print_score(
    name: str, size: str, taken: str, split: str, nats: list[np.ndarray], pieces: dict[str, list[VoiceGrid]]
) -> float:
    """Print two rows; return the mean over all pieces."""
    every = pieces[split]
    new = new_tunes(every, pieces["train"])
    for what, rows in ((split, range(len(every))), (f"{split}, new tunes", new)):
        found = score([nats[i] for i in rows], [every[i] for i in rows])
        print(
            f"| {name} | {size} | {taken} | {what} | {found.pieces} | {found.cells} | {found.nats:.4f} "
            f"| {ratio_interval([(nats[i].sum(), nats[i].size) for i in rows], 4)} "
            f"| {found.changed:.3f} | {found.held:.4f} |",
            flush=True,
        )
    return float(np.concatenate(nats).mean())


def ratio_interval(pairs: Sequence[tuple[float, float]], digits: int) -> str:
    """95% bootstrap interval of a ratio of sums, over pieces."""
    rows = np.array(pairs, dtype=np.float64)
    draws = rows[np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))].sum(axis=1)
    low, high = np.percentile(draws[:, 0] / np.maximum(draws[:, 1], 1), (2.5, 97.5))
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def print_voice_leading(test: list[VoiceGrid], runs: Path, pieces: int) -> None:
    network = trained(WRITER, runs)
    if network is None:
        raise SystemExit(f"{runs / WRITER}: no trained network; use --train {WRITER}")
    print_head()
    print_row("Bach, test", pitches_of(test), "")
    bounds = {
        "unconstrained": None,
        "no parallels": partial(clear, crossing=True),
        "neither parallels nor crossings": partial(clear, crossing=False),
    }
    for name, bound in bounds.items():
        written = write([network], pieces, FRAMES, np.random.default_rng(1), bound)
        print_row(name, written.pieces, f"{written.cost_nats:.4f}")
    for temperature, top_p in CAREFUL:
        written = write([network], pieces, FRAMES, np.random.default_rng(1), None, temperature, top_p)
        print_row(f"unconstrained, temperature {temperature:g}, top-p {top_p:g}", written.pieces, "")


def print_shipped(test: list[VoiceGrid], count: int) -> None:
    """Chorales of the shipped composer on the same grid, with parallels allowed and by default."""
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        composer = load_composer(folder, 1)
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"
    )
    print_head()
    print_row("Bach, test", pitches_of(test), "")
    for name, parallels in (("shipped composer, parallels allowed", True), ("by default", None)):
        made = []
        for seed in range(count):
            brief = Brief(style="chorale", metre=(4, 4), bars=12, parallels=parallels)
            made.append(grid_of(composer.compose(brief, np.random.default_rng(seed))[0]))
        print_row(f"{name}, 12 bars in 4/4", made, "")


def pitches_of(pieces: list[VoiceGrid]) -> list[NDArray[np.integer]]:
    return [np.where(p.frames > 0, p.frames + LOWEST - 1, -1) for p in pieces]


def grid_of(score: Score) -> NDArray[np.integer]:
    """Pitches of the voices in each sixteenth, -1 = a rest, shape (time, 4)."""
    step = score.ticks_per_quarter // 4
    grid = np.full((-(-score.end_ticks // step), len(score.tracks)), -1)
    for onset, duration, pitch, _, track in score.notes().tolist():
        grid[-(-onset // step) : -(-(onset + duration) // step), track] = pitch
    return grid


def print_head() -> None:
    print(
        "| what | pieces | vertical changes | parallel fifths per 100 | octaves per 100 | frames with crossing "
        "| cost, nats/note |"
    )
    print("|---|---|---|---|---|---|---|")


def print_row(name: str, pieces: Sequence[NDArray[np.integer]], cost: str) -> None:
    each = [check([piece]) for piece in pieces]
    found = check(pieces)
    fifths, octaves = (
        ratio_interval([(100 * getattr(one, what), one.changes) for one in each], 2)
        for what in ("fifths", "octaves")
    )
    print(
        f"| {name} | {len(pieces)} | {found.changes} | {found.fifths_per_100:.3f} {fifths} "
        f"| {found.octaves_per_100:.3f} {octaves} | {100 * found.crossed_share:.2f}% | {cost} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
