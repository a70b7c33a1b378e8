"""Speed of recommending: ALS against its library, exact search against memory bandwidth, one list of 100,000.

Usage: python benchmarks/recommender_speed.py docs/benchmarks/recommender_speed.md
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy.sparse import csr_matrix

from troubadour.core.errors import InputError
from troubadour.core.threads import one_thread
from troubadour.core.topn import Tiles, best
from troubadour.interactions.events import History, Interactions, Kind, ListenerEvents
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.blend.recommender import BlendSpec
from troubadour.recommenders.scorers.als import AlsRecommender, AlsSpec
from troubadour.recommenders.scorers.ease import EaseRecommender
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker

ITEMS, WIDTH = 1_000_000, 128
CATALOGUE = 100_000


def main(target: Path) -> None:
    rows = [*beside_implicit(), *beside_memory(), *one_list(), refusal()]
    table = "\n".join(f"| {name} | {figure} | {allowed} |" for name, figure, allowed in rows)
    target.write_text(
        f"""# Speed of recommending

Command: `python benchmarks/recommender_speed.py {target}`; {datetime.date.today()}; \
{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}; seed 0

| what | measured | aim |
|---|---|---|
{table}

Load average during the measurement: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. Ratios compare operations \
timed in turn within this run, the best of each. CPU time is that of this process without waiting, but shared caches \
and memory affect it: the same list took 18 to 22 ms of CPU while the memory above was read in 32 ms.

Profiled and improved: a list among 100,000 took 140 ms of CPU (232 at the 99th percentile). Of these, ten history profiles \
from the whole table of vectors for ten reasons took 92 ms, sorting all scores 12, and recomputing ALS's Gram matrix for each list 20. \
Now profiles use the history's rows only, only pieces that can enter the list are sorted, and the Gram matrix is stored. The \
remaining time is passes over the scores of the whole catalogue and reading EASE's matrix. Vector search read chunks of rows of 1 MiB \
before, at 1.5 to 1.8 times the time of reading the memory; chunks of .25 to 32 MiB are equal.
"""
    )
    print(target.read_text())


def best_of(n: int, *things: Callable[[], object]) -> list[float]:
    """Minimum wall time of each in seconds; functions run in turn, under the same load."""
    times = [[] for _ in things]
    for _ in range(n):
        for taken, thing in zip(times, things, strict=True):
            start = time.perf_counter()
            thing()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def made_up(listeners: int, items: int, each: int) -> Interactions:
    """Plays with a skewed popularity."""
    rng = np.random.default_rng(0)
    n = listeners * each
    item = (items * rng.random(n) ** 3).astype(np.int32)
    return Interactions(
        np.repeat(np.arange(listeners), each).astype(np.int32), item, np.full(n, Kind.PLAY, np.uint8),
        np.ones(n, np.float32), rng.integers(1, 10**6, n), IdMap(f"l{i}" for i in range(listeners)),
        IdMap(f"i{i}" for i in range(items)),
    )  # fmt: skip


def beside_implicit() -> list[tuple[str, str, str]]:
    from implicit.cpu.als import AlternatingLeastSquares

    spec = AlsSpec(factors=64, iterations=10)
    log = made_up(2_000, 3_000, 40)
    cells = log.to_matrix()
    confident = csr_matrix(
        (1 + spec.confidence * cells.data, cells.indices, cells.indptr), cells.shape, np.float32
    )

    def theirs() -> None:
        with one_thread():
            model = AlternatingLeastSquares(
                spec.factors, regularization=spec.regularisation, iterations=10, num_threads=1, random_state=0
            )
            model.fit(confident, show_progress=False)

    own, library = best_of(5, lambda: AlsRecommender(spec).fit(log), theirs)
    return [
        (
            f"ALS, {len(cells.data):,} cells, 64 factors, 10 iterations, one thread: "
            "ours from a log / `implicit` from its matrix",
            f"{own:.2f} s / {library:.2f} s = {own / library:.2f}",
            "1.2",
        )
    ]


def beside_memory() -> list[tuple[str, str, str]]:
    vectors = np.random.default_rng(0).standard_normal((ITEMS, WIDTH), dtype=np.float32)
    query = vectors[7] / 3
    words = vectors.reshape(-1).view(np.int64)
    halves = np.array_split(words, 2)

    def stream_both() -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            [*pool.map(np.max, halves)]

    def all_at_once() -> None:
        with one_thread():
            best(vectors @ query, 10)

    tiles = Tiles.of(vectors)
    rows, _ = tiles.best(query, 10)
    assert rows.tolist() == np.argsort(-(vectors @ query), kind="stable")[:10].tolist()
    one, ours, plain, both, ours2 = best_of(
        15,
        words.max,
        lambda: tiles.best(query, 10),
        all_at_once,
        stream_both,
        lambda: tiles.best(query, 10, threads=2),
    )
    name = f"exact top 10 of {ITEMS:,} x {WIDTH} float32"
    return [
        (f"{name}, one core / reading the memory once", f"{ours * 1e3:.0f} ms / {one * 1e3:.0f} ms = {ours / one:.2f}", "1.2"),
        (f"{name}, two cores / the same on two", f"{ours2 * 1e3:.0f} ms / {both * 1e3:.0f} ms = {ours2 / both:.2f}", "1.2"),
        (f"{name}, products of rows as they come, one core", f"{plain * 1e3:.0f} ms = {plain / one:.2f}", "-"),
    ]  # fmt: skip


def one_list() -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(0)
    log = made_up(300, CATALOGUE, 100)
    vectors = rng.standard_normal((CATALOGUE, 64), dtype=np.float32)
    infos = [ItemInfo(f"Tune {i}", f"w{i}", f"book {i % 50}", {}) for i in range(CATALOGUE)]
    ranker = Ranker.fit(log, vectors, infos, rng, blend=BlendSpec())
    als = AlsRecommender(AlsSpec(factors=64, iterations=3)).fit(log)
    histories = log.histories(weights=ranker.weights)

    def by_als(history: History) -> None:
        scores = als.score([history])[0]
        scores[history.items] = np.nan
        best(scores, 10)

    rows = []
    ids = list(log.items)

    def after_an_event(history: History) -> None:
        played = tuple(ids[row] for row in {**dict.fromkeys(history.items.tolist()), 5: None})
        n = len(played)
        item, kind = np.arange(n, dtype=np.int32), np.full(n, Kind.PLAY, dtype=np.uint8)
        events = ListenerEvents(
            played, item, kind, np.ones(n, dtype=np.float32), np.arange(n, dtype=np.int64)
        )
        ranker.recommend(ranker.history(events), 10)

    for name, what in (
        ("the ranker, with reasons", lambda h: ranker.recommend(h, 10)),
        ("the same from 101 events, the last just now", after_an_event),
        ("ALS alone, without reasons", by_als),
    ):
        wall, cpu = [], []
        with one_thread():
            for history in histories[:250]:
                starts = time.perf_counter(), time.process_time()
                what(history)
                wall.append(time.perf_counter() - starts[0])
                cpu.append(time.process_time() - starts[1])
        least, half, most = np.quantile(np.array([wall, cpu]) * 1e3, [0, 0.5, 0.99], axis=1)
        told = (
            f"CPU {least[1]:.1f} / {half[1]:.1f} / {most[1]:.1f} ms; "
            f"wall {least[0]:.1f} / {half[0]:.1f} / {most[0]:.1f} ms"
        )
        rows.append(
            (f"one list of 10 among {CATALOGUE:,}, {name}: least / median / 99th percentile", told, "20 ms")
        )
    return rows


def refusal() -> tuple[str, str, str]:
    """EASE's refusal of a catalogue beyond its memory limit, before any allocation."""
    log = made_up(20_000, CATALOGUE, 20)
    start = time.process_time()
    try:
        EaseRecommender().fit(log)
    except InputError as error:
        spent = time.process_time() - start
        return (
            f"EASE over {CATALOGUE:,} pieces is refused",
            f"after {spent:.2f} s: {error}",
            "refused, with advice",
        )
    return f"EASE over {CATALOGUE:,} pieces", "fitted", "refused, with advice"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
