"""The VAE by MusicVAE's protocol, on public melodies of held-out works.

    python benchmarks/vae.py --home HOME [--model FOLDER] [--out docs/benchmarks/vae.md]

HOME holds the built-in collections (`troubadour import`).
"""

from __future__ import annotations

import argparse
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np

from troubadour.catalogue.store import Store
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.passages import LENGTHS, METRES, PAD, Passage, passages
from troubadour.models.vae.space import Sampling, token_accuracy

COLLECTIONS = ("oneills", "ryans", "airds", "folk", "chorales")
PUBLISHED = {2: ("MusicVAE, flat", ".986", ".951"), 16: ("MusicVAE, hierarchical", ".919", ".812")}
AIMS = {2: 0.95, 16: 0.82}
_CHUNK = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("src/troubadour/data/models/vae"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="passages of each length and split")
    options = parser.parse_args()
    started = time.monotonic()
    vae = VaeComposer.load(options.model)
    lines = head(options.model)
    with Store.open(options.home) as store:
        rows = [p for p in store.pieces(generated=False) if p.collection in COLLECTIONS]
        scores = {
            split: store.scores([p.id for p in rows if p.split == split])
            for split in ("train", "valid", "test")
        }
    for split in ("train", "valid", "test"):
        for bars in LENGTHS:
            found = spread([p for s in scores[split] for p in passages(s, bars)], options.most)
            lines.append(row(split, bars, found, vae))
            print(lines[-1], flush=True)
    found = spread([p for s in scores["test"] for p in passages(s, LENGTHS[-1], LENGTHS[-1])], 200)
    lines += published() + blends(found, vae)
    lines += ["", f"Took {time.monotonic() - started:.0f} s on {platform.machine()}, {date.today()}."]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


def head(model: Path) -> list[str]:
    return [
        "# VAE: reconstruction, interpolation",
        "",
        "    python benchmarks/vae.py --home HOME --out docs/benchmarks/vae.md",
        "",
        f"Model: `{model.as_posix()}`. Melodies of the built-in collections (the skyline of polyphonic pieces), "
        "in the metres "
        + ", ".join(f"{n}/{d}" for n, d in METRES)
        + ", on a grid of sixteenths; splits by work. "
        "Accuracy: share of the sixteenths whose token (a new pitch, a hold, a rest) equals the original's, "
        "from the posterior's mean. Teacher-forced: the likeliest token given the true tokens before it in the bar. "
        "Sampled: tokens drawn at temperature 1, seed 0; likeliest: the most probable tokens. Copied: the share of whole "
        "passages reconstructed without an error (sampled). Changed steps: accuracy at note onsets.",
        "",
        "| split | bars | passages | notes the grid keeps | teacher-forced | sampled | likeliest | note starts, sampled "
        "| copied | KL, nats |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]


def spread(found: list[Passage], most: int) -> list[Passage]:
    if len(found) <= most:
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, most).astype(int)]


def row(split: str, bars: int, found: list[Passage], vae: VaeComposer) -> str:
    forced, sampled, likeliest = [], [], []
    kl = 0.0
    rng = np.random.default_rng(0)
    for start in range(0, len(found), _CHUNK):
        chunk = found[start : start + _CHUNK]
        grid = np.stack([p.grid for p in chunk]).astype(np.int64)
        metre = np.array([METRES.index(p.metre) for p in chunk])
        mean, log_variance = vae.space.engine.encode(grid, metre)
        kl += float(0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum())
        best = np.full_like(grid, PAD)

        def teacher(step: int, logits: np.ndarray, _: np.ndarray, best: np.ndarray = best, grid: np.ndarray = grid) -> np.ndarray:  # fmt: skip
            best[:, :, step] = np.where(grid[:, :, step] == PAD, PAD, logits.argmax(axis=-1))
            return grid[:, :, step]

        vae.space.engine.write(mean, metre, bars, teacher)
        forced += as_passages(best, chunk)
        sampled += as_passages(vae.space.engine.write(mean, metre, bars, Sampling().chooser(rng)), chunk)
        greedy = Sampling(temperature=0.0).chooser(rng)
        likeliest += as_passages(vae.space.engine.write(mean, metre, bars, greedy), chunk)
    starts = [
        (a.grid == b.grid)[(a.grid > 1) & (a.grid < PAD)].mean() for a, b in zip(found, sampled, strict=True)
    ]
    copied = np.mean([np.array_equal(a.grid, b.grid) for a, b in zip(found, sampled, strict=True)])
    kept = np.mean([p.kept for p in found])
    return (
        f"| {split} | {bars} | {len(found):,} | {kept:.3f} | {token_accuracy(found, forced):.3f} | "
        f"**{token_accuracy(found, sampled):.3f}** | {token_accuracy(found, likeliest):.3f} | "
        f"{np.mean(starts):.3f} | {copied:.3f} | {kl / len(found):.0f} |"
    )


def as_passages(grids: np.ndarray, like: list[Passage]) -> list[Passage]:
    return [Passage(g.astype(np.uint8), p.metre, p.key) for g, p in zip(grids, like, strict=True)]


def published() -> list[str]:
    lines = ["", "Published (other data, † from memory of the paper's table):"]
    for bars, (name, forced, sampled) in PUBLISHED.items():
        lines.append(
            f"- {bars} bars, {name}: teacher-forced {forced}†, sampled {sampled}†; aim here: {AIMS[bars]}"
        )
    return [*lines, "", "Attribute transfer: [its own table](moving.md)."]


def blends(found: list[Passage], vae: VaeComposer) -> list[str]:
    rng = np.random.default_rng(0)
    shares = np.linspace(0, 1, 5)
    likeness: list[list[tuple[float, float]]] = []
    for _ in range(100):
        a = found[int(rng.integers(len(found)))]
        same = [p for p in found if p.metre == a.metre and p is not a]
        if not same:
            continue
        b = same[int(rng.integers(len(same)))]
        made = vae.space.interpolate(a, b, len(shares), rng)
        likeness.append([(token_accuracy([a], [m]), token_accuracy([b], [m])) for m in made])
    mean = np.array(likeness).mean(axis=0)
    lines = [
        "",
        "## Between two melodies",
        "",
        f"{len(likeness)} pairs of test passages of 16 bars in one metre, along the arc: share of steps equal to each of the two.",
        "",
        "| share of the way | like the first | like the second |",
        "|---:|---:|---:|",
    ]
    return lines + [f"| {s:.2f} | {m[0]:.3f} | {m[1]:.3f} |" for s, m in zip(shares, mean, strict=True)]


if __name__ == "__main__":
    main()
