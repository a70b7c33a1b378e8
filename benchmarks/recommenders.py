"""Evaluation of recommenders: automatic default and peers, cold artists by content, exposure, coverage.

Usage: python benchmarks/recommenders.py ../shared/data docs/benchmarks/recommenders.md [LISTS.json ...]
    [--home HOME] [--only SECTION]

HOME: a home of `troubadour demo --no-serve --home HOME`; its simulated listeners repeat pieces, and their plays have times.

SECTION (default, cold, home or simulated): measure only this section, and keep the others of the file.

LISTS.json: output of `recommender_peers.py`, one file for each library.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from collaborative import Stage, read
from troubadour.app.evaluate_recommender import evaluate_recommender, measure, to_markdown
from troubadour.app.studio import Studio
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.evaluation.bootstrap import compare, interval
from troubadour.recommenders.evaluation.evaluate import Evaluation, evaluate, evaluate_lists
from troubadour.recommenders.evaluation.evaluation_set import EvaluationSet
from troubadour.recommenders.evaluation.metrics import concentration
from troubadour.recommenders.scorers.cold import ColdRecommender
from troubadour.recommenders.scorers.content import ContentRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.recommenders.slate.rerank import RankSpec

K = 20


def main(
    data: Path, target: Path, only_these: Sequence[str], peers: Sequence[Path], own: Path | None
) -> None:
    head = f"""# Recommenders

Command: `python benchmarks/recommenders.py {" ".join([str(data), str(target), *(p.name for p in peers)])}{" --home HOME" if own else ""}`; \
{datetime.date.today()}; {os.cpu_count()} cores, one thread, under other load; seed 0. Full ranking without the artists of \
training; means over listeners with 95% bootstrap intervals; differences and p by paired bootstrap over the same listeners.

Sequential recommendation of tagged artists, with published figures: [sequential.md](sequential.md). Each collaborative model alone: \
[collaborative.md](collaborative.md).
"""
    sections: dict[str, Callable[[], str]] = {
        "default": lambda: default(data / "lastfm_colakg", peers),
        "cold": lambda: cold(HetRec.read(data / "lastfm_hetrec", data / "deezer_mood")),
        "home": lambda: home(HetRec.read(data / "lastfm_hetrec", data / "deezer_mood")),
    }
    if own is not None:
        sections["simulated"] = lambda: simulated(own)
    before = target.read_text().split("\n## ")[1:] if target.exists() else []
    parts = []
    for place, (name, section) in enumerate(sections.items()):
        if name in only_these or not only_these:
            parts.append(section())
        elif place < len(before):
            parts.append("## " + before[place])
    target.write_text("\n".join([head, *(part.rstrip() + "\n" for part in parts)]))
    print(target.read_text())


# The default, chosen automatically -----------------------------------------------------------------


def default(folder: Path, peers: Sequence[Path]) -> str:
    train, test = read(folder / "train.txt"), read(folder / "test.txt")
    n = 1 + max(int(items.max()) for part in (train, test) for items in part.values() if len(items))
    stage = Stage(train, test, n)
    infos = [ItemInfo(f"artist {i}", "", "", {}) for i in range(n)]
    start = time.process_time()
    ranker = Ranker.fit(stage.log, None, infos, np.random.default_rng(0))
    seconds = time.process_time() - start
    assert ranker.choice is not None
    ours = evaluate(ranker, stage.cases, K, np.random.default_rng(0))
    shown = evaluate_lists(ranker.lists(stage.cases.histories, K), stage.cases)
    priced = evaluate_lists(
        ranker.with_spec(RankSpec(diversity=0, calibration=0, new_share=0)).lists(stage.cases.histories, K),
        stage.cases,
    )
    new = evaluate_lists(
        ranker.with_spec(RankSpec(diversity=0, calibration=0, exposure=0)).lists(stage.cases.histories, K),
        stage.cases,
    )
    lines = [
        row("**Troubadour's default**", ours, None, f"{seconds:.1f}"),
        row("the same with prices on exposure", priced, ours, ""),
        row("the same as shown: prices, and a tenth of the places for the new", shown, ours, ""),
        row("popularity", of(PopularRecommender().fit(stage.log), stage.cases), ours, ""),
    ]
    notes = []
    whose = [
        who for who in sorted(train) if len(train[who]) and len(np.setdiff1d(test.get(who, []), train[who]))
    ]
    for file in peers:
        told = json.loads(file.read_text())
        for name, one in told["models"].items():
            if "error" in one:
                notes.append(f"{told['library']}'s {name} did not run: {one['error']}.")
                continue
            lists = np.full((len(whose), K), -1)
            for line, who in zip(lists, whose, strict=True):
                mine = one["lists"].get(str(who), [])
                line[: len(mine)] = mine
            options = ", ".join(
                f"{k} {v:g}" if isinstance(v, float | int) else f"{k} {v}" for k, v in one["chosen"].items()
            )
            title = f"{told['library']} {name} ({options}; best of {one['tried']})"
            lines.append(row(title, evaluate_lists(lists, stage.cases), ours, f"{one['seconds']:.1f}"))
    seeds = []
    for seed in (1, 2):
        other = Ranker.fit(stage.log, None, infos, np.random.default_rng(seed))
        seeds.append(f"{of(other, stage.cases).recall.mean():.4f}")
    chosen = ", ".join(f"{p.model} {p.weight:g}{told_options(p.options)}" for p in ranker.choice.spec.parts)
    plays = np.bincount(stage.log.item, minlength=n)
    fair = [
        f"| {name} | {one.head_share:.4f} | {one.coverage:.3f} | {one.ndcg.mean() / ours.ndcg.mean() - 1:+.1%} | "
        f"{compare(one.ndcg, ours.ndcg, np.random.default_rng(0))} |"
        for name, one in (
            ("by score alone", ours),
            ("with prices", priced),
            ("with a tenth of the places for the new", new),
            ("as shown: both", shown),
        )
    ]
    return f"""## The default, chosen automatically: `lastfm_colakg`

{len(stage.cases):,} listeners, {n:,} artists. `troubadour train recommender` without options: recipes are compared, tuned \
and blended on a fifth of the training part; the test part is ranked once. CPU seconds of this process include the \
choice, the final fit and the exposure prices; for peers, all tested options and the final fit.

| model | R@20 | NDCG@20 | R@20 less the default's | CPU seconds |
|---|---|---|---|---|
{chr(10).join(lines)}

Chosen: {chosen}{f", popularity {ranker.choice.spec.popularity:g}" if ranker.choice.spec.popularity else ""}. \
{ranker.choice.why}. {len(ranker.choice.trials)} trials on {ranker.choice.listeners} listeners. \
With the seeds 1 and 2 the default's R@20 is {" and ".join(seeds)}.

Aim: R@20 of .345 in 10 s: {verdict(ours.recall.mean() >= 0.345 and seconds < 10)}. Best of our models above .348: \
{verdict(ours.recall.mean() >= 0.348)} here; [collaborative.md](collaborative.md) has each model alone and a longer search. \
Options of peers are chosen on the same fifth of training. {" ".join(notes)}

RecTools' EASE is worse than a correct EASE because it multiplies a listener's history by the transposed weights: at the same penalty of 100 it has \
.3379, while LensKit's and ours ([collaborative.md](collaborative.md)) both have .3467 (EASE's matrix in closed form has .3467 here, its transpose .3379). Its row measures that release, not the method. \
ALS's default settings (confidence 20, penalty 80), the start of the automatic choice and one of the options of RecTools' ALS, come \
from a search on the validation part of this split; [splits without tuning](fresh_splits.md) are stronger evidence.

### Exposure

The most played hundredth of the artists has {concentration(plays):.4f} of the plays. Share of the most shown hundredth in the lists:

| lists of 20 | top 1% of places | coverage | NDCG@20 | difference and p |
|---|---|---|---|---|
{chr(10).join(fair)}

Aim: with prices not more than their share of the plays, at a loss of at most 2%: \
{verdict(priced.head_share <= concentration(plays) and priced.ndcg.mean() >= 0.98 * ours.ndcg.mean())}. \
Places for new artists cost more; a past log cannot reward them, because listeners could not choose artists that were not shown. \
Tried on validation: equal caps, caps by the exposure of the models, and caps by rank of exposure lost 3.9 to 4.5% for the \
same share of places; caps by each artist's own plays lost 1.9%.
"""


def of(model: Any, cases: EvaluationSet) -> Evaluation:
    return evaluate(model, cases, K, np.random.default_rng(0))


def row(name: str, one: Evaluation, against: Evaluation | None, seconds: str) -> str:
    recall, ndcg = (interval(x, np.random.default_rng(0)) for x in (one.recall, one.ndcg))
    versus = "" if against is None else str(compare(one.recall, against.recall, np.random.default_rng(0)))
    return f"| {name} | {recall} | {ndcg} | {versus} | {seconds} |"


def told_options(options: Any) -> str:
    return f" ({', '.join(f'{k} {v:.3g}' for k, v in options.items())})" if options else ""


def verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


# Cold artists -------------------------------------------------------------------------------------


class HetRec(NamedTuple):
    """HetRec 2011's Last.fm: plays, names, tags and moods of artists."""

    log: Interactions
    """One play for each listener and artist: the counts span five orders of magnitude, and there are no times."""
    names: list[str]
    moods: NDArray[np.float64]
    """Mean and spread of valence and arousal of an artist's tracks, NaN where none is known, shape (n, 4)."""
    tagged: NDArray[np.int64]
    """Rows (listener, artist, tag)."""
    tag_names: dict[int, str]

    @classmethod
    def read(cls, folder: Path, moods: Path) -> HetRec:
        pairs = table(folder / "user_artists.dat")[:, :2]
        users, who = np.unique(pairs[:, 0], return_inverse=True)
        artists, what = np.unique(pairs[:, 1], return_inverse=True)
        n = len(pairs)
        log = Interactions(
            who.astype(np.int32), what.astype(np.int32), np.full(n, Kind.PLAY, np.uint8), np.ones(n, np.float32),
            np.zeros(n, np.int64), IdMap(map(str, users.tolist())), IdMap(map(str, artists.tolist())),
        )  # fmt: skip
        text = (folder / "artists.dat").read_text(errors="replace").splitlines()[1:]
        called = {int(line.split("\t")[0]): line.split("\t")[1] for line in text}
        names = [called.get(a, "") for a in artists.tolist()]
        tagged = table(folder / "user_taggedartists.dat")[:, :3]
        tagged = tagged[np.isin(tagged[:, 1], artists) & np.isin(tagged[:, 0], users)]
        tagged[:, 0] = np.searchsorted(users, tagged[:, 0])
        tagged[:, 1] = np.searchsorted(artists, tagged[:, 1])
        text = (folder / "tags.dat").read_text(encoding="latin-1").splitlines()[1:]
        tags = {int(line.split("\t")[0]): line.split("\t")[1] for line in text}
        return cls(log, names, read_moods(moods, names), tagged, tags)


def table(file: Path) -> NDArray[np.int64]:
    lines = file.read_text(errors="replace").splitlines()[1:]
    return np.array([[int(cell) for cell in line.split("\t")] for line in lines])


def plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]", "", folded.removeprefix("the ").replace("&", "and")) or name.casefold()


def read_moods(folder: Path, names: list[str]) -> NDArray[np.float64]:
    import csv

    of_artist: dict[str, list[tuple[float, float]]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8") as lines:
            for one in csv.DictReader(lines):
                of_artist.setdefault(plain(one["artist_name"]), []).append(
                    (float(one["valence"]), float(one["arousal"]))
                )
    out = np.full((len(names), 4), np.nan)
    for i, name in enumerate(names):
        if found := of_artist.get(plain(name)):
            out[i] = [*np.mean(found, axis=0), *(np.std(found, axis=0) if len(found) > 1 else (0.3, 0.3))]
    return out


def tag_vectors(data: HetRec, by: NDArray[np.bool_], width: int = 64) -> NDArray[np.float64]:
    """Artist vectors from tags of some listeners: TF-IDF and a singular value decomposition; NaN without tags."""
    kept = data.tagged[by[data.tagged[:, 0]]]
    tags, column = np.unique(kept[:, 2], return_inverse=True)
    counts = scipy.sparse.csr_array(
        (np.ones(len(kept)), (kept[:, 1], column)), shape=(len(data.names), len(tags))
    )
    counts.sum_duplicates()
    spread = np.log(1 + counts.shape[0] / (1.0 + np.bincount(counts.indices, minlength=len(tags))))
    scaled = scipy.sparse.csr_array(
        (np.log1p(counts.data) * spread[counts.indices], counts.indices, counts.indptr), counts.shape
    )
    left, value, _ = scipy.sparse.linalg.svds(scaled, k=width, random_state=0)
    vectors = left * value
    vectors[np.diff(counts.indptr) == 0] = np.nan
    return vectors


def cold(data: HetRec) -> str:
    rng = np.random.default_rng(0)
    n = len(data.names)
    hidden = rng.random(n) < 0.1
    taggers = rng.random(len(data.log.listeners)) < 0.5
    train = data.log.where(~hidden[data.log.item])
    moods, tags = data.moods, tag_vectors(data, taggers)
    both = np.concatenate([np.nan_to_num(moods), np.isnan(moods[:, :1]), np.nan_to_num(tags)], axis=1)
    both[np.isnan(moods).any(axis=1) & np.isnan(tags).any(axis=1)] = np.nan
    histories, owned = train.histories(), data.log.histories()
    # Whoever gave tags is not asked: the vectors would know what they listen to.
    asked = [
        i for i in np.flatnonzero(~taggers).tolist() if hidden[owned[i].items].any() and len(histories[i])
    ]
    plays = concentration(train.audience())
    lines: list[str] = []
    told: list[str] = []

    def cases(among: NDArray[np.bool_] | None, there: NDArray[np.bool_]) -> EvaluationSet:
        rows = [(histories[i], owned[i].items[hidden[owned[i].items] & there[owned[i].items]]) for i in asked]
        rows = [(h, wanted.astype(np.int32)) for h, wanted in rows if len(wanted)]
        out = np.flatnonzero(~among) if among is not None else np.empty(0, np.int64)
        heard = tuple(np.union1d(h.items, out).astype(np.int32) for h, _ in rows)
        return EvaluationSet(tuple(h for h, _ in rows), tuple(w for _, w in rows), heard, n)

    def line(name: str, model: Any, there: NDArray[np.bool_], base: Evaluation | None) -> Evaluation:
        among, all_ = of(model, cases(hidden & there, there)), of(model, cases(None, there))
        r, d, every = (interval(x, np.random.default_rng(0)) for x in (among.recall, among.ndcg, all_.ndcg))
        times = "" if base is None else f"{among.ndcg.mean() / base.ndcg.mean():.1f}"
        lines.append(f"| {name} | {r} | {d} | {times} | {every} | {all_.head_share:.3f} |")
        return among

    for title, vectors in (("moods", moods), ("tags", tags), ("moods and tags", both)):
        there = ~np.isnan(vectors).any(axis=1)
        asked_of = cases(hidden & there, there)
        lines.append(
            f"| *{title}: {int((hidden & there).sum())} hidden artists, {len(asked_of)} listeners* | | | | | |"
        )
        line("random", Random(), there, None)
        base = line("popularity", PopularRecommender().fit(train), there, None)
        options = FitOptions(item_vectors=vectors.astype(np.float32))
        ours = [
            line("content", ContentRecommender().fit(train, options), there, base),
            line("cold (ALS, vectors mapped to factors)", ColdRecommender().fit(train, options), there, base),
        ]
        later = popular_later(data, hidden & there, taggers, asked_of)
        r, d = (interval(x, np.random.default_rng(0)) for x in (later.recall, later.ndcg))
        lines.append(
            f"| popularity, if half the listeners had met them | {r} | {d} | {later.ndcg.mean() / base.ndcg.mean():.1f} | | |"
        )
        best = max(ours, key=lambda one: float(one.ndcg.mean()))
        told.append(
            f"{title} {best.ndcg.mean() / base.ndcg.mean():.1f} times ({verdict(best.ndcg.mean() >= 3 * base.ndcg.mean())})"
        )
    return f"""## Cold artists: `lastfm_hetrec` x `deezer_mood`

A tenth of the {n:,} artists ({int(hidden.sum()):,}) is removed from training; lists of 20 for listeners who play one of \
them. {int((~np.isnan(moods[:, 0])).sum()):,} artists are matched by name with tracks of known valence and arousal. \
Tags are content from listeners: one half of the listeners supplies them, the other half is tested. \
Popularity is zero for all hidden artists, so their order is random. The last row of each block is an oracle: \
the plays of each hidden artist by the first half of the listeners.

| model | R@20 among hidden | NDCG@20 among hidden | times popularity's | NDCG@20 among all | top 1% of places |
|---|---|---|---|---|---|
{chr(10).join(lines)}

The most played hundredth of the artists has {plays:.3f} of the plays. Aim: NDCG@20 among hidden artists at least 3 times \
popularity's: {"; ".join(told)}. Four mood values do not suffice to predict ALS's factors: that model is at chance with moods, and \
the best with tags. Among all artists a hidden artist competes with played ones; predicted factors succeed twice as often as \
content.
"""


class Random:
    """Random scores."""

    def score(self, histories: Sequence[History], items: Any = None) -> NDArray[np.float64]:
        return np.random.default_rng(len(histories)).random((len(histories), len(items)))


def popular_later(
    data: HetRec, among: NDArray[np.bool_], by: NDArray[np.bool_], cases: EvaluationSet
) -> Evaluation:
    """Oracle: popularity of hidden artists among one half of the listeners."""
    seen = data.log.where(by[data.log.listener] & among[data.log.item])
    return of(PopularRecommender().fit(seen), cases)


# A home's own log ------------------------------------------------------------------------------------


def home(data: HetRec) -> str:
    n = len(data.names)
    first: dict[int, int] = {}
    counts: dict[int, dict[int, int]] = {}
    for _, artist, tag in data.tagged.tolist():
        counts.setdefault(artist, {})[tag] = counts.setdefault(artist, {}).get(tag, 0) + 1
    common = np.bincount(data.tagged[:, 2])
    styles = set(np.argsort(-common)[:60].tolist())
    for artist, tags in counts.items():
        known = {t: c for t, c in tags.items() if t in styles}
        if known:
            first[artist] = max(known, key=lambda t: (known[t], -t))
    infos = [
        ItemInfo(
            data.names[i],
            "",
            data.names[i],
            {"style": data.tag_names.get(first[i], "")} if i in first else {},
        )
        for i in range(n)
    ]
    vectors = data.moods.astype(np.float32)
    report = measure(data.log, vectors, infos)
    plain_, shown = (report["discovery"][name] for name in ("chosen", "chosen, as shown"))
    loss = shown["ndcg"][0] / plain_["ndcg"][0] - 1
    fair = shown["head_share"] <= report["head_share_of_plays"] and loss >= -0.02
    return f"""## `troubadour evaluate recommender` on `lastfm_hetrec`

{len(data.log.listeners):,} listeners, {n:,} artists, {len(data.log):,} listener-artist pairs, each counted as one play. An artist's \
style is the most frequent of the 60 most common tags ({len(first):,} have one). The data have no times of plays: \
the split is random, and the next play cannot be evaluated here (the command does so for logs with times). \
Novelty: mean self-information of a list; style KL: distance between the styles of a list and those of the \
history.

{to_markdown(report)}

As shown, after diversity, styles, prices and places for new artists, the top hundredth falls from {plain_["head_share"]:.3f} to \
{shown["head_share"]:.3f} of the places, coverage rises from {plain_["coverage"]:.3f} to {shown["coverage"]:.3f}, and NDCG changes by \
{loss:+.1%}. Aim, exposure not above plays at a loss of at most 2%: {verdict(fair)} on this log.
"""


def simulated(folder: Path) -> str:
    with Studio(folder) as studio:
        pieces, people = len(studio.store.pieces()), len(studio.store.listeners())
        report = evaluate_recommender(studio.store)
    return f"""## Repeats and discoveries: simulated listeners

{people:,} simulated listeners of the built-in collections ({pieces:,} pieces). They show that the command works and how \
the parts of its report relate, not how people listen.

{to_markdown(report)}
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("peers", type=Path, nargs="*")
    parser.add_argument(
        "--only", action="append", default=[], choices=("default", "cold", "home", "simulated")
    )
    parser.add_argument("--home", type=Path)
    words = parser.parse_args()
    main(words.data, words.target, words.only, words.peers, words.home)
