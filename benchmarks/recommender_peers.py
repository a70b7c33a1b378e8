"""Lists of another library's models for Last.fm's fixed split, for comparison by `recommenders.py`.

Runs in an environment of its own, so that no peer becomes a dependency; either of
    python -m venv PEERS && PEERS/bin/pip install "rectools==0.19.0"
    python -m venv PEERS && PEERS/bin/pip install "torch==2.13.0+cpu" "lenskit==2025.8.1"  # CPU wheels of torch

Usage: PEERS/bin/python benchmarks/recommender_peers.py ../shared/data/lastfm_colakg LISTS.json

Options of each model are chosen by R@20 on the same fifth of each listener's training artists as ours in
`collaborative.py`; the test part is never read here.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

K = 20


def main(data: Path, target: Path) -> None:
    train = read(data / "train.txt")
    kept, held = cut(train, np.random.default_rng(0))
    rival = RecTools() if find_spec("rectools") else LensKit()
    found = {}
    for name, grid in rival.grid().items():
        try:
            best, spent, tried = -1.0, 0.0, []
            for options in grid:
                start = time.process_time()
                lists = rival.lists(name, options, kept)
                recall = np.mean(
                    [len({*lists[w]} & {*want}) / len(want) for w, want in held.items() if len(want)]
                )
                spent += time.process_time() - start
                tried.append((options, float(recall)))
                if recall > best:
                    best, chosen = float(recall), options
            start = time.process_time()
            lists = rival.lists(name, chosen, train)
            spent += time.process_time() - start
        except Exception as error:  # report a failing peer instead of hiding it
            found[name] = {"error": f"{type(error).__name__}: {error}"}
        else:
            found[name] = {
                "lists": {str(w): [int(i) for i in row] for w, row in lists.items()},
                "chosen": chosen, "validation": best, "seconds": spent, "tried": len(tried),
            }  # fmt: skip
        print(name, {k: v for k, v in found[name].items() if k != "lists"}, flush=True)
    target.write_text(json.dumps({"library": rival.title, "models": found}))


class RecTools:
    """RecTools, over `implicit` for three of its models."""

    def __init__(self) -> None:
        from importlib.metadata import version

        self.title = f"RecTools {version('rectools')}"

    def grid(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "TF-IDF ItemKNN": [{"K": k} for k in (20, 100, 300)],
            "EASE": [{"regularization": r} for r in (100.0, 300.0, 500.0)],
            "PureSVD": [{"factors": f} for f in (10, 32, 64)],
            "ALS": [{"regularization": r, "alpha": a} for r, a in ((0.01, 1.0), (10.0, 10.0), (80.0, 20.0))],
        }

    def lists(self, name: str, options: dict[str, Any], log: dict[int, Any]) -> dict[int, list[int]]:
        from implicit.als import AlternatingLeastSquares
        from implicit.nearest_neighbours import TFIDFRecommender
        from rectools import models
        from rectools.dataset import Dataset

        frame = pairs(log).rename(columns={"user": "user_id", "item": "item_id"})
        dataset = Dataset.construct(frame.assign(weight=1.0, datetime="2020-01-01"))
        if name == "TF-IDF ItemKNN":
            model = models.ImplicitItemKNNWrapperModel(TFIDFRecommender(num_threads=1, **options))
        elif name == "EASE":
            model = models.EASEModel(recommend_use_gpu_ranking=False, recommend_n_threads=1, **options)
        elif name == "PureSVD":
            model = models.PureSVDModel(recommend_use_gpu_ranking=False, **options)
        else:
            inner = AlternatingLeastSquares(
                factors=64, random_state=0, num_threads=1, use_gpu=False, **options
            )
            model = models.ImplicitALSWrapperModel(inner)
        users = frame["user_id"].unique()
        told = model.fit(dataset).recommend(users, dataset, k=K, filter_viewed=True)
        told = told.sort_values(["user_id", "rank"])
        return {int(w): rows["item_id"].tolist() for w, rows in told.groupby("user_id")}


class LensKit:
    """LensKit, with its standard top-N pipeline."""

    def __init__(self) -> None:
        from importlib.metadata import version

        self.title = f"LensKit {version('lenskit')}"

    def grid(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "ItemKNN": [{"max_nbrs": n, "feedback": "implicit"} for n in (20, 100)],
            "EASE": [{"regularization": r} for r in (1.0, 100.0, 300.0)],
            "ImplicitMF": [
                {"embedding_size": 64, "regularization": r, "weight": w}
                for r, w in ((0.1, 40.0), (1.0, 20.0))
            ],
        }

    def lists(self, name: str, options: dict[str, Any], log: dict[int, Any]) -> dict[int, list[int]]:
        from lenskit.als import ImplicitMFScorer
        from lenskit.batch import recommend
        from lenskit.data import from_interactions_df
        from lenskit.knn import EASEScorer, ItemKNNScorer
        from lenskit.pipeline import topn_pipeline

        scorer = {"ItemKNN": ItemKNNScorer, "EASE": EASEScorer, "ImplicitMF": ImplicitMFScorer}[name]
        data = from_interactions_df(pairs(log).rename(columns={"user": "user_id", "item": "item_id"}))
        pipe = topn_pipeline(scorer(**options), n=K)
        pipe.train(data)
        told = recommend(pipe, sorted(log), n=K, n_jobs=1)
        return {int(key.user_id): [int(i) for i in items.ids()] for key, items in told.items()}


def pairs(log: dict[int, Any]) -> pd.DataFrame:
    rows = [(who, int(item)) for who, items in log.items() for item in np.unique(items)]
    return pd.DataFrame(rows, columns=["user", "item"])


def read(file: Path) -> dict[int, Any]:
    rows = [np.array(line.split(), dtype=np.int64) for line in file.open()]
    return {int(row[0]): row[1:] for row in rows if len(row) > 1}


def cut(train: dict[int, Any], rng: np.random.Generator) -> tuple[dict[int, Any], dict[int, Any]]:
    """Split as in `collaborative.py`, with the same draws."""
    kept, held = {}, {}
    for who, items in train.items():
        order = rng.permutation(np.unique(items))
        n = max(1, round(len(order) * 0.2)) if len(order) >= 3 else 0
        held[who], kept[who] = order[:n], order[n:]
    return kept, held


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
