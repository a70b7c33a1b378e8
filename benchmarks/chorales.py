"""Bach's chorales, note by note: LSTM, Transformer and counts under one scorer; prints a Markdown page.

    python benchmarks/chorales.py --data FOLDER --train transformer --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train second --runs RUNS
    python benchmarks/chorales.py --data FOLDER --train lstm --runs RUNS
    python benchmarks/chorales.py --data FOLDER --runs RUNS [--picture FILE.svg]
    python benchmarks/chorales.py --data FOLDER --runs RUNS --write 64

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
from typing import Any

import numpy as np
import torch
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
from troubadour.generation.evaluation.voice_leading import VoiceLeading, check
from troubadour.models.options import TrainOptions
from troubadour.networks.trainer import Trainer

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
"""Semitones by which the mixture moves a piece."""
MIXED = ("transformer", "second")
TEMPERATURE = 1.15
"""Of the networks in the mixture; which they are and how calm was chosen on valid."""
WRITER = "transformer"
"""Which of them writes."""
FRAMES = 192
CAREFUL = ((1.0, 0.95), (1.0, 0.9), (0.9, 1.0), (0.8, 1.0), (0.8, 0.9))
"""Temperature and top-p of further free writing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Jsb16thSeparated.json")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--train", choices=MODELS, help="train this one and stop")
    parser.add_argument("--write", type=int, default=0, help="write so many pieces and count parallels")
    parser.add_argument("--picture", type=Path, help="where to draw validation by step")
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
    """The weights of a run that did best on the validation pieces."""
    path = runs / name / "best.safetensors"
    if not path.exists():
        return None
    network = VoiceNetwork(MODELS[name][0])
    network.load_state_dict(load_file(path))
    return network.eval()


def state_of(name: str, runs: Path) -> dict[str, Any]:
    """How far a run came, with what it had on the validation pieces by step."""
    state: dict[str, Any] = json.loads((runs / name / "checkpoint.json").read_text())["state"]
    return state


def print_scores(pieces: dict[str, list[VoiceGrid]], runs: Path) -> float:
    """Prints all rows; returns what the mixture in all keys has on the validation pieces."""
    print(
        "| model | parameters | training | split | pieces | cells | nats/note | changed cells | held cells |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
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
    """Prints two rows; returns the mean over all pieces."""
    every = pieces[split]
    new = new_tunes(every, pieces["train"])
    for what, rows in ((split, range(len(every))), (f"{split}, new tunes", new)):
        found = score([nats[i] for i in rows], [every[i] for i in rows])
        print(
            f"| {name} | {size} | {taken} | {what} | {found.pieces} | {found.cells} | {found.nats:.4f} "
            f"| {found.changed:.3f} | {found.held:.4f} |",
            flush=True,
        )
    return float(np.concatenate(nats).mean())


def print_voice_leading(test: list[VoiceGrid], runs: Path, pieces: int) -> None:
    network = trained(WRITER, runs)
    if network is None:
        raise SystemExit(f"{runs / WRITER}: nothing is trained there; use --train {WRITER}")
    print(
        "| what | vertical changes | parallel fifths per 100 | octaves per 100 | frames with crossing | cost, nats/note |"
    )
    print("|---|---|---|---|---|---|")
    print_row("Bach, test", check([np.where(p.frames > 0, p.frames + LOWEST - 1, -1) for p in test]), "")
    bounds = {
        "written freely": None,
        "no parallels": partial(clear, crossing=True),
        "neither parallels nor crossings": partial(clear, crossing=False),
    }
    for name, bound in bounds.items():
        written = write([network], pieces, FRAMES, np.random.default_rng(1), bound)
        print_row(name, check(written.pieces), f"{written.cost_nats:.4f}")
    for temperature, top_p in CAREFUL:
        written = write([network], pieces, FRAMES, np.random.default_rng(1), None, temperature, top_p)
        print_row(f"written freely, temperature {temperature:g}, top-p {top_p:g}", check(written.pieces), "")


def print_row(name: str, found: VoiceLeading, cost: str) -> None:
    print(
        f"| {name} | {found.changes} | {found.fifths_per_100:.3f} | {found.octaves_per_100:.3f} "
        f"| {100 * found.crossed_share:.2f}% | {cost} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
