"""Nearest neighbours by inverted lists and by exact search: prints a Markdown table.

    python benchmarks/index.py [--sizes 5000 50000 200000] [--width 128] [--seed 1]

Vectors form clusters: each is one of n / 50 centres plus noise of the same norm.
Queries have the same distribution and are not in the index.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from troubadour.core.threads import one_thread
from troubadour.similarity.ivf import PAYS_FROM, IvfIndex
from troubadour.similarity.vectors import VectorIndex

_QUERIES = 300
_FILTERS: tuple[tuple[str, dict[str, Any] | None], ...] = (
    ("none", None),
    ("half", {"half": True}),
    ("1 in 5", {"fifth": True}),
    ("1 in 100", {"rare": True}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 50_000, 100_000, 200_000])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(
        f"Command: `python benchmarks/index.py --sizes {' '.join(map(str, options.sizes))} --width {options.width} "
        f"--seed {options.seed}`; {datetime.date.today()}; {machine()}; one thread\n"
    )
    print(
        "| items | filter | lists read | recall@10 | exact, queries a second | lists, queries a second "
        "| times as quick | lists made in |\n" + "|---" * 8 + "|"
    )
    with one_thread():
        for size in options.sizes:
            run(size, options.width, options.seed)
    print(f"\n`quickest` uses inverted lists from {PAYS_FROM:,} items if faiss is installed.")


def run(size: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(size // 50, width)).astype(np.float32)

    def draw(n: int) -> Any:
        noise = rng.normal(size=(n, width)).astype(np.float32)
        return centres[rng.integers(len(centres), size=n)] + noise

    facts = [{"half": i % 2 == 0, "fifth": i % 5 == 0, "rare": i % 100 == 0} for i in range(size)]
    exact = VectorIndex.of([str(i) for i in range(size)], draw(size), facts)
    queries = draw(_QUERIES)
    started = time.perf_counter()
    listed = IvfIndex.of(exact)
    made = time.perf_counter() - started
    for name, where in _FILTERS:
        truth, slow = timed(exact, queries, where)
        found, quick = timed(listed, queries, where)
        kept = np.mean([len(a & b) / len(b) for a, b in zip(found, truth, strict=True)])
        print(
            f"| {size:,} | {name} | {listed.read} of {len(listed.centroids)} | {kept:.3f} | {slow:,.0f} | {quick:,.0f} "
            f"| {quick / slow:.1f} | {made:.1f} s |",
            flush=True,
        )


def timed(index: VectorIndex | IvfIndex, queries: Any, where: Any) -> tuple[list[set[str]], float]:
    index.nearest(queries[0], 10, where=where)
    started = time.perf_counter()
    found = [{n.id for n in index.nearest(q, 10, where=where)} for q in queries]
    return found, len(queries) / (time.perf_counter() - started)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
