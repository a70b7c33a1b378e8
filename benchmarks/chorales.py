"""Bach's chorales, note by note: LSTM, Transformer and counts under one scorer; prints a Markdown page.

    python benchmarks/chorales.py --data FOLDER --train transformer --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train second --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train lstm --runs RUNS
    python benchmarks/chorales.py --data FOLDER --runs RUNS [--write 64] > docs/benchmarks/chorales.md

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
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from troubadour.composers.frames.counts import VoiceCounts
from troubadour.composers.frames.mixture import Mixture
from troubadour.composers.frames.network import FrameSpec, VoiceNetwork
from troubadour.composers.frames.run import FrameRun
from troubadour.composers.frames.sampling import write
from troubadour.composers.frames.scoring import CellModel, new_tunes, score
from troubadour.composers.frames.training import VoiceProblem
from troubadour.composers.frames.voice_leading import VoiceLeading, check, clear
from troubadour.composers.frames.voices import LOWEST, Piece, prepare, read_chorales
from troubadour.composers.options import TrainOptions

ORDER = (0, 3, 1, 2)
"""Soprano, bass, alto, tenor."""
COMMON = {"tokens_a_step": 2048, "warmup": 50, "decay": 0.6, "average": 0.98, "evaluate_every": 50,
          "learning_rate": 0.0015, "matrix_rate": 0.0015, "checkpoint_every": 25}  # fmt: skip
SMALL = {"order": ORDER, "width": 128, "dropout": 0.35, "feature_dropout": 0.1,
         "reader_width": 128, "reader_rank": 48, "reader_hidden": 384}  # fmt: skip
MODELS = {
    "transformer": (
        FrameSpec(layers=4, heads=4, hidden=512, **SMALL),
        TrainOptions(steps=700, weight_decay=0.5, seed=1, **COMMON),
    ),
    "second": (
        FrameSpec(layers=3, heads=4, hidden=640, **SMALL),
        TrainOptions(steps=550, weight_decay=0.5, seed=2, **COMMON),
    ),
    "lstm": (
        FrameSpec(core="lstm", layers=2, hidden=192, **SMALL),
        TrainOptions(steps=550, weight_decay=0.5, seed=1, **COMMON),
    ),
}
KEYS = (0, -3, 3)
"""Semitones by which the mixture moves a piece."""
FRAMES = 192
CAREFUL = ((1.0, 0.95), (1.0, 0.9), (0.9, 1.0), (0.8, 1.0), (0.8, 0.9))
"""Temperature and top-p of further free writing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Jsb16thSeparated.json")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--train", choices=MODELS, help="train this one and stop")
    parser.add_argument("--write", type=int, default=0, help="also write so many pieces and count parallels")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    pieces = {
        split: [prepare(piece) for piece in found]
        for split, found in read_chorales(options.data / "Jsb16thSeparated.json").items()
    }
    if options.train:
        spec, training = MODELS[options.train]
        problem = VoiceProblem(spec, pieces["train"], pieces["valid"])
        FrameRun(options.runs / options.train, problem, training).go()
        return
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"
    )
    print_scores(pieces, options.runs)
    if options.write:
        print_voice_leading(pieces["test"], options.runs, options.write)


def trained(name: str, runs: Path) -> VoiceNetwork | None:
    """The weights of a run that did best on the validation pieces."""
    path = runs / name / "best.safetensors"
    if not path.exists():
        return None
    network = VoiceNetwork(MODELS[name][0])
    network.load_state_dict(load_file(path))
    return network.eval()


def print_scores(pieces: dict[str, list[Piece]], runs: Path) -> None:
    print(
        "| model | parameters | training | split | pieces | cells | nats/note | changed cells | held cells |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print_score("Witten-Bell counts", VoiceCounts(ORDER).fit(pieces["train"]), "", "", pieces)
    networks, minutes = [], 0.0
    for name in MODELS:
        network = trained(name, runs)
        if network is None:
            continue
        state = json.loads((runs / name / "checkpoint.json").read_text())["state"]
        taken = f"best of {state['step']} steps at {state['best_step']}, {state['seconds'] / 60:.0f} min"
        networks.append(network)
        minutes += state["seconds"] / 60
        print_score(name, Mixture([network]), f"{Mixture([network]).weights / 1e6:.2f} M", taken, pieces)
    if len(networks) > 1:
        for label, shifts in (("mixture of these", (0,)), ("mixture, in three keys", KEYS)):
            mixture = Mixture(networks, shifts)
            print_score(label, mixture, f"{mixture.weights / 1e6:.2f} M", f"{minutes:.0f} min", pieces)


def print_score(name: str, model: CellModel, size: str, taken: str, pieces: dict[str, list[Piece]]) -> None:
    for split in ("valid", "test"):
        every = pieces[split]
        nats = model.cell_nats(every)
        new = new_tunes(every, pieces["train"])
        for what, rows in ((split, range(len(every))), (f"{split}, new tunes", new)):
            found = score([nats[i] for i in rows], [every[i] for i in rows])
            print(
                f"| {name} | {size} | {taken} | {what} | {found.pieces} | {found.cells} | {found.nats:.4f} "
                f"| {found.changed:.3f} | {found.held:.4f} |",
                flush=True,
            )


def print_voice_leading(test: list[Piece], runs: Path, pieces: int) -> None:
    networks = [network for name in MODELS if (network := trained(name, runs))]
    print(
        "\n| what | vertical changes | parallel fifths per 100 | octaves per 100 | frames with crossing | cost, nats/note |"
    )
    print("|---|---|---|---|---|---|")
    print_row("Bach, test", check([np.where(p.frames > 0, p.frames + LOWEST - 1, -1) for p in test]), "")
    bounds = {
        "written freely": None,
        "no parallels": partial(clear, crossing=True),
        "neither parallels nor crossings": partial(clear, crossing=False),
    }
    for name, bound in bounds.items():
        written = write(networks, pieces, FRAMES, np.random.default_rng(1), bound)
        print_row(name, check(written.pieces), f"{written.cost_nats:.4f}")
    for temperature, top_p in CAREFUL:
        written = write(networks, pieces, FRAMES, np.random.default_rng(1), None, temperature, top_p)
        print_row(f"written freely, temperature {temperature:g}, top-p {top_p:g}", check(written.pieces), "")


def print_row(name: str, found: VoiceLeading, cost: str) -> None:
    print(
        f"| {name} | {found.changes} | {found.fifths_per_100:.3f} | {found.octaves_per_100:.3f} "
        f"| {100 * found.crossed_share:.2f}% | {cost} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
