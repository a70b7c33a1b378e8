"""Duration of the main job and its parts: prints a Markdown table.

    python benchmarks/main_job.py [--home FOLDER]

All steps run in this process, composing on one CPU thread, without installation.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from troubadour.app import importing, jobs
from troubadour.app.studio import Studio
from troubadour.generation.request import Brief
from troubadour.models.transformer.composer import TransformerComposer

RUNS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="existing home; default: a new one")
    options = parser.parse_args()
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        demo = seconds(lambda: run_demo(Path(folder) / "demo"))
        rows.append(
            ("complete demo with three pieces (files written, `--no-serve`)", f"{demo:.1f} s", "< 120 s")
        )
        again = seconds(lambda: run_demo(Path(folder) / "demo"))
        rows.append(("demo, second start, up to serving", f"{again:.1f} s", "< 5 s"))
        home = options.home or Path(folder) / "home"
        with Studio(home, threads=1) as studio:
            taken = seconds(lambda: importing.import_builtin(studio.store))
            rows.append((f"import of the default collections ({studio.store.counts()['pieces']} pieces)",
                         f"{taken:.1f} s", "< 60 s"))  # fmt: skip
            rows.append(
                (
                    "simulate 500 listeners",
                    f"{seconds(lambda: jobs.simulate_listeners(studio.store, 500, 1)):.1f} s",
                    "",
                )
            )
            rows.append(
                ("fit and publish", f"{seconds(lambda: jobs.fit(studio.store, studio.releases)):.1f} s", "")
            )
            composer = studio.models().composer
            for style, metre, target in (
                ("jig", (6, 8), "< 2 s"),
                ("reel", (2, 2), "< 2 s"),
                ("chorale", (4, 4), "< 8 s"),
            ):
                brief = Brief(style=style, bars=16, metre=metre)
                one = times(partial(compose_one, composer, brief))
                rows.append((f"16-bar {style}, one candidate, one core, fp32", one, target))
                whole = times(partial(studio.compose, brief, seed=1))
                rows.append((f"16-bar {style}, eight candidates, originality, stored", whole, target))
            studio.recommend("sim-0001")
            many = [milliseconds(partial(studio.recommend, f"sim-{i:04d}")) for i in range(1, 101)]
            rows.append(("recommend for one listener, with history from the store (100 listeners)",
                         f"median {statistics.median(many):.1f} ms, worst {max(many):.1f} ms", "< 20 ms"))  # fmt: skip
            models = studio.models()
            history = studio.history("sim-0001", models)
            pure = [milliseconds(lambda: models.ranker.recommend(history)) for _ in range(100)]
            rows.append(
                (
                    "the same, history given",
                    f"median {statistics.median(pure):.1f} ms, worst {max(pure):.1f} ms",
                    "< 20 ms",
                )
            )
    print(f"{datetime.date.today()}, {platform.platform()}, Python {platform.python_version()}, "
          f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end\n")  # fmt: skip
    print("| what | measured | target |\n| --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def compose_one(composer: TransformerComposer, brief: Brief) -> None:
    composer.compose(brief, np.random.default_rng(1), 1)


def run_demo(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "troubadour",
        "demo",
        "--no-serve",
        "--home",
        str(folder),
        "--out",
        str(folder / "out"),
    ]
    subprocess.run(command, check=True, capture_output=True)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def milliseconds(work: Callable[[], object]) -> float:
    return 1000 * seconds(work)


def times(work: Callable[[], object]) -> str:
    found = [seconds(work) for _ in range(RUNS)]
    return f"median {statistics.median(found):.2f} s, worst {max(found):.2f} s of {RUNS}"


if __name__ == "__main__":
    main()
