"""Retrieval of pieces of the same work and style by several vectors: prints a Markdown table.

    python benchmarks/similar.py [--home FOLDER] [--embeddings FILE.npy]

Without a home the built-in collections are imported into a temporary one. All vectors exclude tempo and
style labels, because a catalogue sets a tempo by the style. `--embeddings` keeps the composer's
vectors between runs (embedding 4,700 pieces takes minutes).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from troubadour.app import importing
from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.threads import one_thread
from troubadour.generation.autoregressive import load_composer
from troubadour.music.features import FEATURES
from troubadour.music.score import Score
from troubadour.similarity.melody_search.index import MelodyIndex
from troubadour.similarity.melody_search.lines import query_skyline
from troubadour.similarity.spaces import CONTENT, standardised

_MELODIES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--embeddings", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store.open(options.home or Path(folder)) as store:
        if not store.counts()["pieces"]:
            importing.import_builtin(store)
        rows = store.pieces(generated=False)
        scores = store.scores([r.id for r in rows])
        vectors = store.vectors()[[r.row for r in rows]]
    with one_thread():
        content = unit(standardised(vectors[:, list(CONTENT)]))
        embedded = embeddings(scores, options.embeddings)
        centred = unit(standardised(embedded))
        spaces = {
            "content (features)": content,
            "embedding, as it is": embedded,
            "embedding, standardised": centred,
            "content and embedding": unit(np.concatenate([content, centred], axis=1)),
            "all, content twice": unit(np.concatenate([content * np.sqrt(2), centred], axis=1)),
        }
        print(f"Command: `python benchmarks/similar.py`; {datetime.date.today()}; {machine()}\n")
        print(f"{len(rows)} pieces, {len(FEATURES)} features of which {len(CONTENT)} take part.\n")
        for title, other_book in (("All other pieces", False), ("Only pieces of other collections", True)):
            print(f"## {title}\n")
            print(
                "| vectors | same work: queries | recall@10 | MRR | same style: queries | precision@10 | MRR |\n"
                + "|---" * 7
                + "|"
            )
            for name, space in spaces.items():
                print(f"| {name} | {judged(rows, space @ space.T, other_book)} |", flush=True)
            print(f"| melody, a sample | {by_melody(rows, scores, other_book)} |\n", flush=True)


def judged(rows: list[PieceRow], near: Any, other_book: bool) -> str:
    work = np.unique([r.work for r in rows], return_inverse=True)[1]
    book = np.unique([r.collection for r in rows], return_inverse=True)[1]
    names, style = np.unique([r.style for r in rows], return_inverse=True)
    recall, first, precision, rank = [], [], [], []
    for i in range(len(rows)):
        allowed = (book != book[i]) if other_book else np.arange(len(rows)) != i
        order = np.flatnonzero(allowed)
        order = order[np.argsort(-near[i, order], kind="stable")]
        same = work[order] == work[i]
        if same.any():
            recall.append(same[:10].sum() / min(same.sum(), 10))
            first.append(1 / (1 + int(np.argmax(same))))
        order = order[~same & (style[order] != list(names).index("") if "" in names else ~same)]
        like = style[order] == style[i]
        if names[style[i]] and like.any():
            precision.append(like[:10].mean())
            rank.append(1 / (1 + int(np.argmax(like))))
    return (
        f"{len(recall)} | {np.mean(recall):.3f} | {np.mean(first):.3f} | {len(precision)} | "
        f"{np.mean(precision):.3f} | {np.mean(rank):.3f}"
    )


def by_melody(rows: list[PieceRow], scores: list[Score], other_book: bool) -> str:
    """The same by melody search, on pieces with another piece of their work."""
    index = MelodyIndex.of((r.id, s) for r, s in zip(rows, scores, strict=True))
    known = {r.id: r for r in rows}
    members: dict[str, list[PieceRow]] = {}
    for r in rows:
        members.setdefault(r.work, []).append(r)
    several = [i for i, r in enumerate(rows) if len(members[r.work]) > 1]
    recall, first = [], []
    for i in np.random.default_rng(0).permutation(several)[:_MELODIES].tolist():
        own = rows[i]
        wanted = {
            m.id
            for m in members[own.work]
            if m.id != own.id and not (other_book and m.collection == own.collection)
        }
        if not wanted:
            continue
        found = [known[m.piece] for m in index.search(query_skyline(scores[i]), 50, without=own.id)]
        found = [f for f in found if not (other_book and f.collection == own.collection)]
        hits = [k for k, f in enumerate(found) if f.id in wanted]
        recall.append(sum(k < 10 for k in hits) / min(len(wanted), 10))
        first.append(1 / (1 + hits[0]) if hits else 0.0)
    return f"{len(recall)} | {np.mean(recall):.3f} | {np.mean(first):.3f} | - | - | -"


def embeddings(scores: list[Score], kept: Path | None) -> Any:
    if kept and kept.is_file():
        return np.load(kept, allow_pickle=False)
    started = time.perf_counter()
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        found = load_composer(folder).embed(scores)
    print(f"Embedding took {time.perf_counter() - started:.0f} s for {len(scores)} pieces.\n")
    if kept:
        np.save(kept, found, allow_pickle=False)
    return found


def unit(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
