"""Nearest neighbours by timbre and by a learnt embedding, with filters, and hubs: `docs/benchmarks/timbre.md`.

    OMP_NUM_THREADS=1 python benchmarks/timbre.py CORPUS.npz [--encoder FOLDER] [--steps 600]

CORPUS.npz is the output of `benchmarks/sound_corpus.py`. With `--encoder` an encoder is trained on works
whose name has an even checksum and written to the folder; the evaluation uses the other works.
"""

from __future__ import annotations

import argparse
import time
import zlib
from pathlib import Path

import numpy as np

from troubadour.similarity.encoder import SoundEncoder
from troubadour.similarity.timbre import Gaussians, distance_matrix, hubness, mutual_proximity

K = 5
TASKS = (
    ("tunes", 3, "instrument (12, rendered)", "work"),
    ("plain", 2, "style (8), piano", "work"),
    ("openscore", 2, "composer", "work"),
    ("openscore", 3, "quartet or song", "artist"),
)


def accuracy(distances: np.ndarray, labels: np.ndarray, barred: np.ndarray) -> float:
    """Accuracy of the majority label of the K nearest excerpts, `barred` ones excluded."""
    near = np.argsort(distances + np.where(barred, np.inf, 0), axis=1, kind="stable")[:, :K]
    found = []
    for row, label in zip(labels[near], labels, strict=True):
        names, counts = np.unique(row, return_counts=True)
        best = names[counts == counts.max()]
        found.append(next(r for r in row if r in best) == label)
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    with np.load(options.corpus, allow_pickle=False) as arrays:
        rows, lengths, frames = arrays["rows"], arrays["lengths"].ravel(), arrays["frames"].astype(np.float32)
    parts = np.split(frames, np.cumsum(lengths)[:-1])
    rows = np.repeat(rows, 2, axis=0)  # two halves of each excerpt
    judged = np.ones(len(rows), dtype=bool)
    encoder = None
    if options.encoder:
        judged = np.array([zlib.crc32(work.encode()) % 2 == 1 for work in rows[:, 4]])
        encoder = trained(parts, rows, judged, options)
    print(
        "| label | measure | halves | chance | no filter | filter | strict | hub skewness |\n"
        + "|---" * 8
        + "|"
    )
    for name, column, title, strictly in TASKS:
        mine = np.flatnonzero((rows[:, 0] == name) & judged)
        labels, works = rows[mine, column], rows[mine, 4]
        own = [parts[i] for i in mine]
        timbres = Gaussians.of([p.mean(axis=0) for p in own], [np.cov(p.T) for p in own])
        flat = np.stack([np.concatenate([p.mean(axis=0), p.std(axis=0)]) for p in own])
        flat = (flat - flat.mean(axis=0)) / flat.std(axis=0)
        tables = {
            "mean and deviation": np.linalg.norm(flat[:, None] - flat, axis=2),
            "symmetric KL": distance_matrix(timbres, "kl"),
            "Jensen-Shannon": distance_matrix(timbres, "js"),
        }
        tables["Jensen-Shannon, mutual proximity"] = mutual_proximity(tables["Jensen-Shannon"])
        if encoder:
            own_vectors = np.stack([encoder.embed(p) for p in own])
            tables["learnt embedding"] = 1 - own_vectors @ own_vectors.T
            tables["learnt embedding, mutual proximity"] = mutual_proximity(tables["learnt embedding"])
        barred = works if strictly == "work" else rows[mine, 2]
        itself, work = np.eye(len(mine), dtype=bool), barred[:, None] == barred
        chance = np.unique(labels, return_counts=True)[1].max() / len(labels)
        for measure, table in tables.items():
            plain, strict = (accuracy(table, labels, b) for b in (itself, work))
            print(
                f"| {title} | {measure} | {len(mine)} | {chance:.3f} | {plain:.3f} | {strictly} | {strict:.3f} "
                f"| {hubness(table)[0]:.2f} |",
                flush=True,
            )


def trained(
    parts: list[np.ndarray], rows: np.ndarray, judged: np.ndarray, options: argparse.Namespace
) -> SoundEncoder:
    """Train an encoder without the test works; both halves of an excerpt are one piece."""
    from troubadour.similarity.sound_training import EncoderOptions, train_encoder

    taught = np.flatnonzero(~judged)[::2]
    pieces = [np.concatenate([parts[i], parts[i + 1]]) for i in taught.tolist()]
    started = time.process_time()
    encoder = train_encoder(
        pieces,
        EncoderOptions(steps=options.steps),
        {"trained_on": f"{len(pieces)} excerpts of {options.corpus.name}, works with an even checksum"},
        lambda step, loss: print(f"step {step}: loss {loss:.3f}", flush=True),
    )
    print(f"\n{len(pieces)} excerpts, {time.process_time() - started:.0f} s of processor time\n")
    encoder.save(options.encoder)
    return encoder


if __name__ == "__main__":
    main()
