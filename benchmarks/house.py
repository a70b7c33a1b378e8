"""Installation size and start-up time: prints a Markdown table.

    python benchmarks/house.py [--keep FOLDER]

Installs the base package (no extras) of this checkout, with constraints.txt, into new virtual
environments: once as `make demo` does, once by a plain `pip install`.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MEGABYTES, LIMIT_SECONDS, LIMIT_IMPORT = 700, 90, 0.3
RUNS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder of the installation; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = options.keep or Path(folder)
        made = install(base / "make", "--no-compile")
        plain = install(base / "plain")
        python = base / "make" / "bin" / "python"
        bare = import_seconds(python, "pass")
        package = import_seconds(python, "import troubadour") - bare
        command = import_seconds(python, "import troubadour.cli") - bare
        has_torch = not subprocess.run([python, "-c", "import torch"], capture_output=True).returncode
        used = used_megabytes(base / "make")

    rows = [
        (
            "base installation by `make demo`, whole environment",
            f"{made[1]:.0f} MB",
            f"{LIMIT_MEGABYTES} MB",
        ),
        ("its time, packages from the network", f"{made[0]:.0f} s", f"{LIMIT_SECONDS} s"),
        (
            "the same environment after importing all modules (byte code)",
            f"{used:.0f} MB",
            f"{LIMIT_MEGABYTES} MB",
        ),
        ("plain `pip install`, whole environment", f"{plain[1]:.0f} MB", f"{LIMIT_MEGABYTES} MB"),
        ("of which pip and setuptools", f"{plain[2]:.0f} MB", "-"),
        ("its time", f"{plain[0]:.0f} s", f"{LIMIT_SECONDS} s"),
        ("torch in the base install", "yes" if has_torch else "no", "no"),
        (
            f"`import troubadour`, median of {RUNS} beyond a bare start",
            f"{package:.3f} s",
            f"{LIMIT_IMPORT} s",
        ),
        ("`import troubadour.cli`, likewise", f"{command:.3f} s", "-"),
    ]
    print(f"Command: `python benchmarks/house.py`; {datetime.date.today().isoformat()}; {machine()}\n")
    print("| what | measured | allowed |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def install(folder: Path, *options: str) -> tuple[float, float, float]:
    """Seconds, and megabytes (2^20 bytes, as `du` counts) of the whole and of pip and setuptools."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir", *options]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", "-e", ROOT], check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    (packages,) = folder.glob("lib/python3*/site-packages")
    tools = [p for name in ("pip", "setuptools", "pkg_resources") for p in packages.glob(name)]
    return seconds, megabytes(folder), sum(megabytes(p) for p in tools)


def used_megabytes(folder: Path) -> float:
    """Like `megabytes`, after one import of the whole program."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    program = "import troubadour.cli, troubadour.app.jobs, troubadour.server.app, verovio, soundfile"
    subprocess.run([folder / "bin" / "python", "-c", program], check=True, env=environ)
    return megabytes(folder)


def megabytes(folder: Path) -> float:
    """Size on disk."""
    files = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return sum(f.lstat().st_blocks * 512 for f in files) / 2**20


def import_seconds(python: Path, statement: str) -> float:
    """Median time of a fresh interpreter that runs one statement; the first run fills the caches."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([python, "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def machine() -> str:
    """Processor, cores, system and Python."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
