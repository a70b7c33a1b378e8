"""Files of collections that are read, and causes of refusals. Prints a Markdown table.

    python benchmarks/read_collections.py FOLDER ...

Reads every file below each FOLDER that the command `import` takes. The table is part of
`docs/benchmarks/read_collections.md`.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from pathlib import Path

from troubadour.core.errors import InputError
from troubadour.corpora.folder import files_in, read_file
from troubadour.music.piece import Unreadable
from troubadour.music.quantise import quantise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    causes: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    print("| collection | files | read | refused | notes | notes lost on the grid | slowest file, CPU |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for folder in folders:
        files = files_in(folder)
        read = refused = notes = lost = 0
        slowest = 0.0
        for path in files:
            started = time.process_time()
            items = list(read_file(path))
            slowest = max(slowest, time.process_time() - started)
            for item in items:
                cause = item.cause if isinstance(item, Unreadable) else ""
                if not isinstance(item, Unreadable):
                    read += 1
                    notes += len(item.score)
                    try:
                        grid = quantise(item.score, marks=())
                        lost += max(len(item.score) - len(grid), 0)
                    except InputError as error:
                        cause = f"read, but not quantised: {error}"
                else:
                    refused += 1
                if cause:
                    kind = (folder.name, re.sub(r"\d+", "N", cause)[:110])
                    causes[kind] += 1
                    example.setdefault(kind, path.name)
        print(
            f"| {folder.name} | {len(files):,} | {read:,} | {refused:,} | {notes:,} | {lost:,} "
            f"({lost / max(notes, 1):.3%}) | {slowest:.1f} s |",
            flush=True,
        )
    print("\n| collection | cause | files | for example |\n|---|---|---:|---|")
    for (name, cause), count in causes.most_common():
        print(f"| {name} | {cause} | {count} | `{example[name, cause]}` |")


if __name__ == "__main__":
    main()
