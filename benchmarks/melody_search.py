"""Search for altered passages among all built-in tunes and among 100,000 variants: a Markdown table.

    python benchmarks/melody_search.py [--queries 400] [--variants 100000] [--seed 1]

A query is a stretch of whole bars of a piece's first line, with a tenth of its notes altered (half of
those to another pitch within a third, a quarter deleted, a quarter split in two by a neighbour note),
transposed by up to an octave and a half and stretched by a factor from 0.5 to 2. It counts as found if
its source piece ranks first. The larger catalogue holds every piece, and variants of
each with 15 to 30% of the notes altered in the same ways and another transposition; queries come
from variants and originals.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from troubadour.corpora.builtin import DEFAULT, read_collection
from troubadour.music.fingerprint import fingerprint
from troubadour.music.piece import Unreadable
from troubadour.music.quality import check
from troubadour.music.quantise import quantise
from troubadour.similarity.melody_search.index import MelodyIndex
from troubadour.similarity.melody_search.lines import Skyline, skylines

_SHARES = (0.0, 0.1, 0.2)
_BARS = (4, 8, 16)
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Found:
    queries: int
    recall: float
    only: float
    """Recall@1 of the queries whose unaltered passage occurs in no other piece."""
    shared: int
    """Queries whose unaltered passage also occurs in another piece, note for note."""
    recall_ten: float
    mrr: float
    work: float
    """Share of queries with a variant of the right piece in first place."""
    milliseconds: float
    slowest: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--variants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    tunes = load()
    print(
        f"Command: `python benchmarks/melody_search.py --queries {options.queries} --variants "
        f"{options.variants} --seed {options.seed}`; {datetime.date.today()}; {machine()}\n"
    )
    header = (
        "| catalogue | bars | notes altered | queries | recall@1 | passage shared | recall@1, not shared "
        "| recall@10 | MRR | a variant of it first | ms, median | ms, 99th percentile |\n" + "|---" * 12 + "|"
    )
    print(header)
    run(tunes, list(range(len(tunes))), options.queries, rng)
    if options.variants > len(tunes):
        many, work = list(tunes), list(range(len(tunes)))
        while len(many) < options.variants:
            row = len(many) % len(tunes)
            many.append([varied(line, rng.uniform(0.15, 0.3), rng) for line in tunes[row]])
            work.append(row)
        run(many, work, options.queries, rng)


def run(tunes: list[list[Skyline]], work: list[int], queries: int, rng: np.random.Generator) -> None:
    started = time.perf_counter()
    names = [str(i) for i in range(len(tunes))]
    index = MelodyIndex.of_skylines(names, [(i, line) for i, own in enumerate(tunes) for line in own])
    built = time.perf_counter() - started
    size = sum(a.nbytes for a in index.state().values()) / 1e6
    for bars in _BARS:
        for share in _SHARES if bars == 8 else (0.1,):
            f = measure(index, tunes, work, bars, share, queries, rng)
            print(
                f"| {len(tunes):,} | {bars} | {share:.0%} | {f.queries} | {f.recall:.3f} | {f.shared} | "
                f"{f.only:.3f} | {f.recall_ten:.3f} | {f.mrr:.3f} | {f.work:.3f} | {f.milliseconds:.1f} | {f.slowest:.1f} |",
                flush=True,
            )
    print(
        f"| {len(tunes):,} | index of {len(index.pitch):,} notes: {built:.1f} s to build, {size:.0f} MB "
        + "| " * 10
        + "|"
    )


def measure(
    index: MelodyIndex,
    tunes: list[list[Skyline]],
    work: list[int],
    bars: int,
    share: float,
    queries: int,
    rng: np.random.Generator,
) -> Found:
    ranks: list[float] = []
    shared: list[bool] = []
    works: list[bool] = []
    times: list[float] = []
    while len(ranks) < queries:
        row = int(rng.integers(len(tunes)))
        part = stretch_of(tunes[row][0], bars, rng)
        if part is None:
            continue
        query = varied(part, share, rng)
        started = time.perf_counter()
        found = index.search(query, 10)
        times.append(time.perf_counter() - started)
        pieces = [int(m.piece) for m in found]
        shared.append(sum(m.score > 0.9999 for m in index.search(part, 2)) > 1)
        ranks.append(1 / (pieces.index(row) + 1) if row in pieces else 0.0)
        works.append(bool(pieces) and work[pieces[0]] == work[row])
    got = np.array(ranks)
    return Found(
        len(got),
        float((got == 1).mean()),
        float((got[~np.array(shared)] == 1).mean()),
        sum(shared),
        float((got > 0).mean()),
        float(got.mean()),
        float(np.mean(works)),
        float(np.median(times) * 1e3),
        float(np.percentile(times, 99) * 1e3),
    )


def stretch_of(line: Skyline, bars: int, rng: np.random.Generator) -> Skyline | None:
    """A span of whole bars of a line; None if it is too short or has fewer than eight notes."""
    last = int(line.bar.max()) - bars + 1
    if last < 1:
        return None
    first = int(rng.integers(1, last + 1))
    rows = np.flatnonzero((line.bar >= first) & (line.bar < first + bars))
    return line[int(rows[0]) : int(rows[-1]) + 1] if len(rows) >= _LEAST else None


def varied(line: Skyline, share: float, rng: np.random.Generator) -> Skyline:
    """A line with a share of its notes altered, in another key and tempo."""
    count = round(share * len(line))
    kind = np.zeros(len(line), dtype=np.int64)
    kind[rng.choice(len(line), count, replace=False)] = rng.choice([1, 1, 2, 3], count)
    length = np.append(np.diff(line.onset), 1.0)
    pitch: list[int] = []
    onset: list[float] = []
    bar: list[int] = []
    for i in range(len(line)):
        p, o = int(line.pitch[i]), float(line.onset[i])
        if kind[i] == 2:
            continue
        pitch.append(p + (int(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4])) if kind[i] == 1 else 0))
        onset.append(o)
        bar.append(int(line.bar[i]))
        if kind[i] == 3:
            pitch.append(p + int(rng.choice([-2, -1, 1, 2])))
            onset.append(o + float(length[i]) / 2)
            bar.append(int(line.bar[i]))
    shift = int(np.clip(rng.integers(-18, 19), 12 - min(pitch), 115 - max(pitch)))
    factor = float(2 ** rng.uniform(-1, 1))
    return Skyline(
        (np.array(pitch) + shift).astype(np.int16),
        np.array(onset) * factor,
        np.array(bar, dtype=np.int32),
        line.track,
    )


def load() -> list[list[Skyline]]:
    """Lines of all built-in pieces accepted by the catalogue, without exact duplicates."""
    tunes: list[list[Skyline]] = []
    known: set[str] = set()
    for name in DEFAULT:
        for piece in read_collection(name):
            if isinstance(piece, Unreadable):
                continue
            score = quantise(piece.score)
            same = fingerprint(score)
            if same not in known and not check(piece, score).dropped and (own := skylines(score)):
                known.add(same)
                tunes.append(own)
    return tunes


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
