"""Nearest neighbours by timbre, with and without a work filter, and hubs: `docs/benchmarks/timbre.md`.

OMP_NUM_THREADS=1 python benchmarks/timbre.py CORPUS.npz    # as `benchmarks/sound_corpus.py` writes it
"""

from __future__ import annotations

import sys

import numpy as np

from troubadour.similarity.timbre import Gaussians, distance_matrix, hubness, mutual_proximity

K = 5
TASKS = (
    ("tunes", 3, "instrument (12, rendered)"),
    ("plain", 2, "style (8), piano"),
    ("openscore", 2, "composer"),
)


def accuracy(distances: np.ndarray, labels: np.ndarray, barred: np.ndarray) -> float:
    """Share of excerpts whose label most of the K nearest have; `barred` ones do not count."""
    near = np.argsort(distances + np.where(barred, np.inf, 0), axis=1, kind="stable")[:, :K]
    found = []
    for row, label in zip(labels[near], labels, strict=True):
        names, counts = np.unique(row, return_counts=True)
        best = names[counts == counts.max()]
        found.append(next(r for r in row if r in best) == label)
    return float(np.mean(found))


def main() -> None:
    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        rows, lengths, frames = arrays["rows"], arrays["lengths"].ravel(), arrays["frames"].astype(np.float32)
    parts = np.split(frames, np.cumsum(lengths)[:-1])
    rows = np.repeat(rows, 2, axis=0)  # two halves of each excerpt
    print(
        "| label | measure | halves | chance | no filter | work filter | hub skewness |\n|---|---|---|---|---|---|---|"
    )
    for name, column, title in TASKS:
        mine = np.flatnonzero(rows[:, 0] == name)
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
        itself, work = np.eye(len(mine), dtype=bool), works[:, None] == works
        chance = np.unique(labels, return_counts=True)[1].max() / len(labels)
        for measure, table in tables.items():
            plain, strict = (accuracy(table, labels, b) for b in (itself, work))
            print(
                f"| {title} | {measure} | {len(mine)} | {chance:.3f} | {plain:.3f} | {strict:.3f} | {hubness(table)[0]:.2f} |"
            )


if __name__ == "__main__":
    main()
