"""What a listener tags next (Last.fm taggings): leave-one-out, every other artist ranked.

All choices use the last item but one; the last is evaluated once. Scores of finished runs are
stored in a folder, so a stopped run resumes. The attributes of artists are the tags of the same
events: `clean` excludes the events to be predicted, `leaked` has all of them, as in S3-Rec's data.

Usage: python benchmarks/sequential.py ../shared/data docs/benchmarks/sequential.md --work FOLDER [--seeds 3]
           [--attributes clean --attributes leaked]
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from sequential_attributes import Taggings, read
from troubadour.interactions.events import Interactions, Kind, Weights
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import FitOptions, time_decay
from troubadour.recommenders.blend.combine import standardise
from troubadour.recommenders.evaluation.evaluate import interval
from troubadour.recommenders.scorers.als import AlsRecommender, AlsSpec
from troubadour.recommenders.scorers.content import ContentRecommender
from troubadour.recommenders.scorers.ease import EaseRecommender, EaseSpec
from troubadour.recommenders.scorers.itemknn import ItemKnnRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender
from troubadour.recommenders.scorers.rp3beta import Rp3BetaRecommender, Rp3BetaSpec
from troubadour.recommenders.scorers.sequential.recommender import features, liked_sequences
from troubadour.recommenders.scorers.sequential.runtime import SequentialRuntime
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec
from troubadour.recommenders.scorers.sequential.training import train

Floats = NDArray[np.float64]
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Standardised scores at validation and at the test."""
Run = tuple[Pair, list[float], float]
"""Scores, NDCG@10 on validation after each pass, and CPU seconds."""
K = 10
PATIENCE = 3
HALF_LIVES = (0.0, 10.0)
ATTRIBUTES = ("clean", "leaked")
SPEC = SequentialSpec(epochs=20, batch=32, rate=2e-3, dropout=0.3)
CANDIDATES: dict[str, Sequence[Callable[[], Any]]] = {
    "popular": [PopularRecommender],
    "content (attributes)": [ContentRecommender],
    "ItemKNN": [ItemKnnRecommender],
    "RP3beta": [lambda b=b: Rp3BetaRecommender(Rp3BetaSpec(beta=b)) for b in (0.2, 0.4)],
    "ALS": [lambda c=c, r=r: AlsRecommender(AlsSpec(confidence=c, regularisation=r, iterations=15)) for c, r in ((10, 10), (20, 80))],
    "EASE": [lambda r=r: EaseRecommender(EaseSpec(r)) for r in (30, 150)],
}  # fmt: skip


class Stage:
    """Log before one item of every listener, and that item."""

    def __init__(self, sequences: Sequence[NDArray[np.int64]], n_items: int, back: int) -> None:
        known = [s[:-back] for s in sequences]
        self.target = np.array([s[-back] for s in sequences])
        who = np.repeat(np.arange(len(known)), [len(s) for s in known])
        n = len(who)
        self.log = Interactions(
            who.astype(np.int32), np.concatenate(known).astype(np.int32), np.full(n, Kind.PLAY, np.uint8),
            np.ones(n, np.float32), np.concatenate([np.arange(1, len(s) + 1) for s in known]),
            IdMap(f"l{i}" for i in range(len(known))), IdMap(f"i{i}" for i in range(n_items)),
        )  # fmt: skip
        self.histories = self.log.histories()
        self.hidden = np.zeros((len(known), n_items), dtype=bool)
        for row, sequence in zip(self.hidden, known, strict=True):
            row[sequence] = True

    def standard(self, scores: Floats) -> NDArray[np.float32]:
        """Scores standardised over items not met; the lowest for unknown items."""
        return np.nan_to_num(standardise(scores, self.hidden).scores, nan=-5.0).astype(np.float32)

    def figures(self, scores: NDArray[Any]) -> tuple[Floats, Floats]:
        """(hit, gain) of each listener within the first ten; ties share their ranks."""
        shown = np.where(self.hidden, -np.inf, scores)
        own = shown[np.arange(len(shown)), self.target][:, None]
        rank = (shown > own).sum(axis=1) + ((shown == own).sum(axis=1) - 1) / 2
        hit = (rank < K).astype(np.float64)
        return hit, hit / np.log2(rank + 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--attributes", choices=ATTRIBUTES, action="append")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = given.data / "lastfm_s3rec"
    text = (data / "LastFM.txt").read_text()
    sequences = [np.array(line.split()[1:], dtype=np.int64) - 1 for line in text.splitlines()]
    taggings = read(given.data / "lastfm_hetrec", data)
    valid, test = (Stage(sequences, len(taggings.shipped), back) for back in (2, 1))
    test_pairs, valid_pairs = (list(enumerate(stage.target.tolist())) for stage in (test, valid))
    kept = {
        "clean": (taggings.vectors([*test_pairs, *valid_pairs]), taggings.vectors(test_pairs)),
        "leaked": (taggings.vectors(), taggings.vectors()),
    }
    blocks = []
    for name in given.attributes or ATTRIBUTES:
        work = given.work / name
        work.mkdir(parents=True, exist_ok=True)
        blocks.append(block(name, work, given.seeds, valid, test, kept[name]))
    report(given, valid, test, taggings, test_pairs, blocks)


def block(
    name: str, work: Path, seeds: int, valid: Stage, test: Stage, vectors: tuple[NDArray[np.float32], ...]
) -> str:
    """Table of one set of attributes: those for choosing, and those for the test."""
    options, later = (FitOptions(Weights(), known) for known in vectors)
    parts: dict[str, Pair] = {}
    chosen: dict[str, str] = {}
    for model_name, makes in CANDIDATES.items():
        figure = -1.0
        for make in makes:
            model = make().fit(valid.log, options)
            for half_life in HALF_LIVES if model_name != "popular" else (0.0,):
                scores = model.score([time_decay(h, half_life) for h in valid.histories])
                if (found := float(valid.figures(valid.standard(scores))[1].mean())) > figure:
                    figure, best, spec, half = found, make, getattr(model, "spec", ""), half_life
                    told = valid.standard(scores)
        final = best().fit(valid.log, later)
        parts[model_name] = (told, test.standard(final.score([time_decay(h, half) for h in test.histories])))
        chosen[model_name] = f"{spec}, half-life {half:g} items" if model_name != "popular" else ""
        print(name, model_name, [float(x.mean()) for x in test.figures(parts[model_name][1])], flush=True)
    runs = [neural(work, seed, valid, test, vectors[0]) for seed in range(seeds)]
    return table(valid, test, parts, chosen, runs)


def neural(work: Path, seed: int, valid: Stage, test: Stage, vectors: NDArray[np.float32]) -> Run:
    """One training with early stopping; stored in a file."""
    file = work / f"{seed}.npz"
    if not file.exists():
        start = time.process_time()
        spec, n_items = replace(SPEC, seed=seed), valid.hidden.shape[1]
        known = liked_sequences(valid.histories, n_items)
        sound = features(spec, vectors, n_items)
        weights, passes = train(known, n_items, sound, spec, valid.target, PATIENCE)
        engine = SequentialRuntime(spec, weights)
        np.savez(
            file,
            valid=engine.score(known),
            test=engine.score(liked_sequences(test.histories, n_items)),
            passes=[p.ndcg for p in passes],
            seconds=time.process_time() - start,
        )
    with np.load(file) as found:
        pair = (valid.standard(found["valid"]), test.standard(found["test"]))
        run = (pair, found["passes"].tolist(), float(found["seconds"]))
    print("sequential", seed, run[1:], [float(x.mean()) for x in test.figures(pair[1])], flush=True)
    return run


def weigh(stage: Stage, parts: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    """Weights by NDCG@10 of one stage: coordinate ascent, two rounds."""
    weights = {
        name: float(name == max(parts, key=lambda n: stage.figures(parts[n])[1].mean())) for name in parts
    }

    def figure(candidate: dict[str, float]) -> float:
        return float(stage.figures(total(parts, candidate))[1].mean())

    best = figure(weights)
    for name in [*parts, *parts]:
        for weight in (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5):
            candidate = {**weights, name: weight}
            if any(candidate.values()) and (found := figure(candidate)) > best + 1e-4:
                best, weights = found, candidate
    return weights


def total(parts: dict[str, NDArray[np.float32]], weights: dict[str, float]) -> NDArray[np.float32]:
    return np.asarray(sum(weight * parts[name] for name, weight in weights.items() if weight))


def table(valid: Stage, test: Stage, parts: dict[str, Pair], chosen: dict[str, str], runs: list[Run]) -> str:
    lines: list[str] = []

    def line(name: str, note: str, hit: Floats, gain: Floats) -> None:
        told = [str(interval(x, np.random.default_rng(0))) for x in (hit, gain)]
        lines.append(f"| {name} | {told[0]} | {told[1]} | {note} |")

    for name, (_, scores) in parts.items():
        line(name, chosen[name], *test.figures(scores))
    figures = [test.figures(scores) for (_, scores), _, _ in runs]
    per_seed = "; ".join(f"{h.mean():.4f} / {g.mean():.4f}" for h, g in figures)
    hit, gain = (np.mean([f[i] for f in figures], axis=0) for i in (0, 1))
    line(f"sequential, mean of {len(runs)} seeds", per_seed, hit, gain)
    averaged = [np.mean([pair[i] for pair, _, _ in runs], axis=0) for i in (0, 1)]
    line(f"sequential, {len(runs)} seeds averaged", "", *test.figures(averaged[1]))
    classic = {name: scores[0] for name, scores in parts.items()}
    for name, more in (
        ("blend without the sequential model", {}),
        ("blend with it", {"sequential": averaged[0]}),
    ):
        weights = weigh(valid, classic | more)
        tested = {n: s[1] for n, s in parts.items()} | ({"sequential": averaged[1]} if more else {})
        told = ", ".join(f"{n} {w:g}" for n, w in weights.items() if w)
        line(name, told, *test.figures(total(tested, weights)))
    told = "; ".join(f"{len(passes)} and {seconds:.0f}" for _, passes, seconds in runs)
    rows = "\n".join(lines)
    return f"""| model | HR@10 | NDCG@10 | chosen on validation |
|---|---|---|---|
{rows}

Passes and CPU seconds of the sequential model's trainings: {told}."""


def report(
    given: argparse.Namespace, valid: Stage, test: Stage, taggings: Taggings,
    test_pairs: list[tuple[int, int]], blocks: list[str],
) -> None:  # fmt: skip
    counted = PopularRecommender().fit(test.log).score(test.histories)
    told_popular = [float(x.mean()) for x in test.figures(counted)]
    options = "".join(f" --attributes {name}" for name in given.attributes or ())
    titles = {
        "clean": "Without the tags of the events to be predicted",
        "leaked": "With the leak: attributes as in S3-Rec's data",
    }
    named = dict(zip(given.attributes or ATTRIBUTES, blocks, strict=True))
    tables = "\n\n".join(f"## {titles[name]}\n\n{text}" for name, text in named.items())
    given.target.write_text(
        f"""# What a listener tags next (Last.fm taggings)

Command: `python benchmarks/sequential.py {given.data} {given.target} --work FOLDER --seeds {given.seeds}{options}`; \
{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, one thread, under other load; seeds 0 to {given.seeds - 1}

{len(test.target):,} listeners, {test.hidden.shape[1]:,} artists, the data of S3-Rec (CIKM 2020). These are **taggings, not plays**: an artist enters a \
sequence when the listener first tags it. Most dates are the first of a month: {taggings.shared_date.mean():.0%} of the test artists \
have the same date as the artist before, and the order of HetRec's file decides which is the last. The last artist of each \
sequence is the test item, the last but one the validation item; no model learns from either. All artists except those met before are ranked (no target was met \
before in this data). Mean over listeners with 95% bootstrap intervals; ties share their ranks.

The 388 attributes of S3-Rec are the tags of these same events; rebuilt from `lastfm_hetrec`, all {taggings.shipped.size:,} cells \
agree. {taggings.told_alone(test_pairs):.1%} of the test artists have an attribute that only the tested listener gave, in the tested event. The first \
table excludes the taggings of validation and test when choosing and training, and those of test at the test (the sequential model keeps \
its first attributes there). The second table uses all taggings: it measures the leak only.

{tables}

Published, full ranking (S3-Rec, CIKM 2020; its models that use attributes use them with the leak): PopRec .0440/.0203, \
GRU4Rec .0367/.0187, Caser .0413/.0214, SASRec .0688/.0390, BERT4Rec .0633/.0337, S3-Rec .0743/.0427. Popularity that also counts the validation \
artists gives {told_popular[0]:.4f}/{told_popular[1]:.4f} here; published for PopRec: .0440/.0203.

The sequential model: {SPEC}; stopped after {PATIENCE} passes without a better NDCG@10 on validation. \
Blends weight standardised scores, with weights chosen by NDCG@10 on validation. A half-life decays the weights of a history by age.
"""
    )
    print(given.target.read_text())


if __name__ == "__main__":
    main()
