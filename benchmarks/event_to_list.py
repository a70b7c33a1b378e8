"""Delay from a play to the next list: a durable event, then ten pieces with reasons, no training.

Usage: python benchmarks/event_to_list.py docs/benchmarks/event_to_list.md [--events 300]

Two homes: the built-in catalogue with 500 simulated listeners, and 100,000 synthetic pieces with vectors
and a log of 1,000 listeners. Studio runs in this process; REST calls the application without a network.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from fastapi.testclient import TestClient

from troubadour.app import importing, jobs
from troubadour.app.studio import Studio
from troubadour.catalogue.plays import metadata_piece
from troubadour.catalogue.store import Event
from troubadour.generation.originality import Corpus
from troubadour.interactions.importers.base import NamedTrack
from troubadour.recommenders.blend.recommender import BlendSpec, PartSpec
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.artefacts import info_of, save_corpus, save_ranker
from troubadour.server.app import create_app

PIECES, LISTENERS, PLAYS, WIDTH = 100_000, 1_000, 50, 64
_BATCH = 20_000

Times = dict[str, list[tuple[float, float]]]
"""Step to (wall, processor) seconds of each repetition."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("--events", type=int, default=300)
    asked = parser.parse_args()
    lines: list[str] = []
    over_rest_99: list[float] = []
    for name, make in (("built-in catalogue", built_in), ("made up", made_up)):
        with tempfile.TemporaryDirectory() as folder, Studio(Path(folder)) as studio:
            make(studio)
            counts = studio.store.counts()
            home = f"{name}: {counts['pieces']:,} pieces, {counts['interactions']:,} events"
            times = measured(studio, asked.events)
            lines += rows(home, times)
            over_rest_99.append(float(np.quantile([wall for wall, _ in times["event and list, REST"]], 0.99)))
    table = "\n".join(lines)
    asked.target.write_text(
        f"""# Delay from a play to the next list

**Over REST: {over_rest_99[0]:.2f} s at the 99th percentile**, event and list together, among \
the built-in catalogue's pieces. The rows of Studio exclude the REST overhead (HTTP, JSON, titles and rights).

Command: `python benchmarks/event_to_list.py {asked.target} --events {asked.events}`; {datetime.date.today()}; \
{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; seed 0

| home | step | wall, median | wall, p99 | processor, median | processor, p99 |
|---|---|---|---|---|---|
{table}

n = {asked.events} of each row: plays by listeners in turn, each durable on disk before the response (`synchronous=FULL`), each \
followed by a list of ten with reasons, without training in between. Processor time is that of this process, \
without waiting. Load average during the measurement: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. \
The first list after a start loads the models and is excluded.
"""
    )
    print(asked.target.read_text())


def built_in(studio: Studio) -> None:
    importing.import_builtin(studio.store)
    jobs.simulate_listeners(studio.store, 500, 1)
    jobs.fit(studio.store, studio.releases)


def made_up(studio: Studio) -> None:
    """Synthetic pieces with names and vectors in a hundred clusters; each listener plays three clusters."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((100, WIDTH))
    for start in range(0, PIECES, _BATCH):
        studio.store.add_pieces(
            [
                replace(
                    metadata_piece(NamedTrack(f"Song {i}", f"Band {i % 2_000}")),
                    vector=(centres[i % 100] + rng.standard_normal(WIDTH)).astype(np.float32),
                )
                for i in range(start, start + _BATCH)
            ]
        )
    ids = studio.store.piece_ids()
    studio.store.add_listeners((f"l{i}", "", False) for i in range(LISTENERS))
    events = []
    for listener in range(LISTENERS):
        rows = (rng.integers(0, 1000, PLAYS) ** 2 // 1000) * 100 + rng.choice(rng.integers(0, 100, 3), PLAYS)
        events += [
            Event(f"e{listener}-{k}", f"l{listener}", ids[row], "play", 1_700_000_000 + 500 * k + listener)
            for k, row in enumerate(rows.tolist())
        ]
    for start in range(0, len(events), _BATCH):
        studio.store.record(events[start : start + _BATCH])
    blend = BlendSpec((PartSpec("als"), PartSpec("content", 0.4)))
    ranker = Ranker.fit(
        studio.store.interactions(),
        studio.store.vectors(),
        [info_of(p) for p in studio.store.pieces()],
        rng,
        blend=blend,
    )
    add = studio.releases.add
    release = studio.releases.publish(
        {
            "composer": jobs.add_shipped_composer(studio.releases),
            "recommender": add("recommender", partial(save_ranker, ranker=ranker)),
            "corpus": add("corpus", partial(save_corpus, corpus=Corpus.of([]))),
        },
        {"counts": studio.store.counts()},
    )
    studio.releases.promote(release.id)


def measured(studio: Studio, events: int) -> Times:
    rng = np.random.default_rng(1)
    people = [p.id for p in studio.store.listeners()]
    pieces = studio.store.piece_ids()
    times: Times = {name: [] for name in ("event", "list", "event and list, Studio", "event and list, REST")}
    with TestClient(create_app(studio)) as client:
        studio.recommend(people[0])
        for turn in range(events):
            who, piece = people[turn % len(people)], pieces[int(rng.integers(len(pieces)))]
            event = Event(f"turn-{turn}", who, piece, "play", int(time.time()), 1.0)
            stored = timed(lambda event=event: studio.record([event]))
            listed = timed(lambda who=who: studio.recommend(who, 10))
            times["event"].append(stored)
            times["list"].append(listed)
            times["event and list, Studio"].append((stored[0] + listed[0], stored[1] + listed[1]))
            other = pieces[int(rng.integers(len(pieces)))]
            times["event and list, REST"].append(timed(partial(over_rest, client, who, other)))
    return times


def over_rest(client: TestClient, who: str, piece: str) -> None:
    sent = client.post(f"/api/listeners/{who}/events", json={"piece": piece, "kind": "play", "value": 1.0})
    got = client.get(f"/api/listeners/{who}/recommendations")
    assert (sent.status_code, got.status_code) == (201, 200)
    assert piece not in {item["id"] for item in got.json()["items"]}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def rows(home: str, times: Times) -> list[str]:
    out: list[str] = []
    for step, turns in times.items():
        (wall, cpu), (wall99, cpu99) = np.quantile(np.array(turns) * 1e3, [0.5, 0.99], axis=0)
        out.append(f"| {home} | {step} | {wall:.0f} ms | {wall99:.0f} ms | {cpu:.0f} ms | {cpu99:.0f} ms |")
    return out


if __name__ == "__main__":
    main()
