"""The automatic choice on splits without any tuning, by the protocol of RecBole-GNN's Last.fm table.

    python benchmarks/fresh_splits.py ../shared/data docs/benchmarks/fresh_splits.md [--seeds 3]

HetRec's Last.fm, unfiltered: each listener's artists are split 8:1:1 at random, all artists except those of
training and validation are ranked. `troubadour train recommender` without options sees the training part only.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from recommenders import HetRec
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.evaluation.bootstrap import compare, interval
from troubadour.recommenders.evaluation.evaluate import Evaluation, evaluate
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet
from troubadour.recommenders.scorers.als import AlsRecommender
from troubadour.recommenders.scorers.ease import EaseRecommender, EaseSpec
from troubadour.recommenders.scorers.itemknn import ItemKnnRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender
from troubadour.recommenders.scorers.rp3beta import Rp3BetaRecommender
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker

K = 10
FIRST_SEED = 2026
"""Of the splits; no other program or test uses it."""
PENALTIES = (100.0, 300.0, 1000.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    log = HetRec.read(given.data / "lastfm_hetrec", given.data / "deezer_mood").log
    lines: list[str] = []
    chosen: list[str] = []
    for seed in range(FIRST_SEED, FIRST_SEED + given.seeds):
        train, valid, test = split(log, np.random.default_rng(seed))
        started = time.process_time()
        infos = [ItemInfo(f"artist {i}", "", "", {}) for i in range(len(log.items))]
        ranker = Ranker.fit(train, None, infos, np.random.default_rng(0))
        seconds = time.process_time() - started
        assert ranker.choice is not None
        chosen.append(f"{seed}: {', '.join(f'{p.model} {p.weight:g}' for p in ranker.choice.spec.parts)}")
        eases = [EaseRecommender(EaseSpec(r)).fit(train) for r in PENALTIES]
        figures = [evaluate(e, valid, K, np.random.default_rng(0)).recall.mean() for e in eases]
        models = {
            f"EASE (penalty {PENALTIES[int(np.argmax(figures))]:g}, the best of {len(PENALTIES)} on validation)": eases[
                int(np.argmax(figures))
            ],
            "ALS at its defaults": AlsRecommender().fit(train),
            "RP3beta at its defaults": Rp3BetaRecommender().fit(train),
            "ItemKNN at its defaults": ItemKnnRecommender().fit(train),
            "popularity": PopularRecommender().fit(train),
        }
        ours = evaluate(ranker, test, K, np.random.default_rng(0))
        lines.append(row(seed, f"**the automatic choice** ({seconds:.0f} CPU seconds)", ours, None))
        lines += [
            row(seed, name, evaluate(model, test, K, np.random.default_rng(0)), ours)
            for name, model in models.items()
        ]
        print("\n".join(lines[-len(models) - 1 :]), flush=True)
    given.target.write_text(
        f"""# Splits without any tuning

Command: `python benchmarks/fresh_splits.py {given.data} {given.target} --seeds {given.seeds}`; \
{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, one thread, under other load

HetRec's Last.fm: {len(log.listeners):,} listeners, {len(log.items):,} artists, {len(log.item):,} pairs, unfiltered. Each listener's \
artists are split 8:1:1 at random; all artists except those of the listener's training and validation parts are ranked (the protocol of \
[RecBole-GNN's table](https://github.com/RUCAIBox/RecBole-GNN/blob/main/results/social/lastfm.md), whose split has another seed). The \
automatic choice is `troubadour train recommender` without options: it compares, tunes and blends within the training part \
only. Means over the listeners of the test part ({len(test):,}) with 95% bootstrap intervals; differences and p by \
paired bootstrap.

| seed of the split | model | R@10 | NDCG@10 | R@10 less the automatic choice's |
|---|---|---|---|---|
{chr(10).join(lines)}

Chosen, by split: {"; ".join(chosen)}.

Published there, R@10 / NDCG@10, 64 dimensions, tuned on validation: BPR .1761 / .1674, NGCF .1960 / .1898, LightGCN .2064 / .1972; \
with the friendships, which are not used here, MHCN .2123 / .2068, SEPT .2127 / .2057.

The splits are new, the data are not: the search ranges and the defaults of ALS come from searches on a part of these \
plays, in [CoLaKG's split](collaborative.md).
"""
    )
    print(given.target.read_text())


def split(log: Interactions, rng: np.random.Generator) -> tuple[Interactions, EvaluationSet, EvaluationSet]:
    """Training log, and the cases of validation and test; a tenth of each listener's artists each."""
    part = np.zeros(len(log.item), dtype=np.int64)
    for listener in range(len(log.listeners)):
        rows = rng.permutation(np.flatnonzero(log.listener == listener))
        tenth = round(len(rows) / 10)
        part[rows[:tenth]], part[rows[tenth : 2 * tenth]] = 1, 2
    histories, valid, test = (log.where(part == i).histories() for i in range(3))
    return (
        log.where(part == 0),
        cases(histories, valid, histories, len(log.items)),
        cases(histories, test, log.where(part != 2).histories(), len(log.items)),
    )


def cases(known: list[History], wanted: list[History], hidden: list[History], n_items: int) -> EvaluationSet:
    """Listeners with an artist in the requested part."""
    rows = [i for i, history in enumerate(wanted) if len(history)]
    return EvaluationSet(
        tuple(known[i] for i in rows),
        tuple(wanted[i].items for i in rows),
        tuple(hidden[i].items for i in rows),
        n_items,
    )


def row(seed: int, name: str, one: Evaluation, against: Evaluation | None) -> str:
    recall, ndcg = (interval(x, np.random.default_rng(0)) for x in (one.recall, one.ndcg))
    versus = "" if against is None else str(compare(one.recall, against.recall, np.random.default_rng(0)))
    return f"| {seed} | {name} | {recall} | {ndcg} | {versus} |"


if __name__ == "__main__":
    main()
