"""Evaluation of the recommender on a home's own log, with the latest part held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import Store
from troubadour.core import registry
from troubadour.core.errors import InputError
from troubadour.core.markdown import table
from troubadour.core.progress import Progress
from troubadour.interactions.events import Interactions
from troubadour.recommenders.base import FitOptions
from troubadour.recommenders.blend.choose import TuningBudget
from troubadour.recommenders.blend.recipes import ScorerRecipe
from troubadour.recommenders.blend.recommender import NEED_VECTORS
from troubadour.recommenders.evaluation.evaluate import (
    Evaluation,
    Scorer,
    compare,
    evaluate,
    evaluate_lists,
    interval,
)
from troubadour.recommenders.evaluation.evaluation_set import discovery_cases, next_play_cases
from troubadour.recommenders.evaluation.metrics import concentration
from troubadour.recommenders.evaluation.split import Split, split_fairly
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.recommenders.slate.rerank import RankSpec
from troubadour.releases.artefacts import info_of

_HEADS: Final = {
    "recall": "recall", "ndcg": "NDCG", "hit": "hit rate", "reciprocal_rank": "MRR",
    "novelty": "novelty, bits", "miscalibration": "style KL, nats",
}  # fmt: skip


def evaluate_recommender(
    store: Store,
    *,
    k: int = 20,
    seed: int = 0,
    effort: TuningBudget | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate on a home's own log; see `measure`.

    Raises:
        InputError: no listener in the held-out part chose a new piece.
    """
    infos = [info_of(piece) for piece in store.pieces()]
    vectors = item_vectors(store)
    known = bool((~np.isnan(vectors)).any())
    return measure(
        store.interactions(),
        vectors if known else None,
        infos,
        k=k,
        seed=seed,
        effort=effort,
        progress=progress,
    )


def measure(
    log: Interactions,
    vectors: NDArray[np.float32] | None,
    infos: Sequence[ItemInfo],
    *,
    k: int = 20,
    seed: int = 0,
    effort: TuningBudget | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Tune and fit on all but the latest fifth of the log, and evaluate on that fifth.

    The recipes with default settings are evaluated beside the chosen one. Two tasks are evaluated
    separately: pieces new to the listener ("discovery"), and the very next play, repeats included. The second
    is compared with the listener's own most played pieces and needs time stamps.

    Args:
        log: all events.
        vectors: content vectors of all items, shape (n_items, d), or None.
        infos: metadata of all items.
        k: length of the lists.
        seed: of tuning and bootstrap.
        effort: tuning budget.
        progress: callback.

    Returns:
        Metrics with 95% bootstrap intervals over listeners, and paired comparisons with the chosen recipe.

    Raises:
        InputError: no listener in the held-out part chose a new piece.
    """
    effort = effort or TuningBudget()
    rng = np.random.default_rng(seed)
    split = split_fairly(log, 0.2, rng)
    cases = discovery_cases(split)
    if not len(cases):
        raise InputError(
            f"the latest fifth of the log ({len(log)} events in all) holds no play of a piece new to its listener; "
            "record more plays before evaluating"
        )
    chosen = Ranker.fit(split.train, vectors, infos, rng, budget=effort, progress=progress)
    styles = [str(info.attributes.get("style", "")) for info in infos]
    styles_known = styles if any(styles) else None
    models: dict[str, Scorer] = {
        name: ScorerRecipe(name).build().fit(split.train, FitOptions(item_vectors=vectors))
        for name in dict.fromkeys(("popular", *effort.recipes))
        if name in registry.names("recommenders") and (vectors is not None or name not in NEED_VECTORS)
    }
    ours = evaluate(chosen, cases, k, np.random.default_rng(seed), styles=styles_known)
    # Cost of each step from a score to a list; the first one disables everything except exposure prices.
    priced = RankSpec(diversity=0, calibration=0, new_share=0, group_share=1, exposure=chosen.spec.exposure)
    steps = {"chosen, with prices": chosen.with_spec(priced), "chosen, as shown": chosen}
    rows: dict[str, Evaluation] = {
        "chosen": ours,
        **{
            name: evaluate_lists(one.lists(cases.histories, k), cases, styles=styles_known)
            for name, one in steps.items()
        },
        **{
            n: evaluate(m, cases, k, np.random.default_rng(seed), styles=styles_known)
            for n, m in models.items()
        },
    }
    return {
        "split": split.how,
        "k": k,
        "seed": seed,
        "listeners": len(cases),
        "events": {"train": len(split.train), "test": len(split.test)},
        "head_share_of_plays": concentration(chosen.listener_count),
        "exposure": chosen.spec.exposure,
        "choice": chosen.choice.to_dict() if chosen.choice else None,
        "discovery": {name: _figures(one, ours, seed) for name, one in rows.items()},
        "next_play": _next_play(split, {"chosen": chosen, **models}, k, seed) if split.time else None,
    }


def _figures(one: Evaluation, chosen: Evaluation, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {name: [*value] for name, value in one.intervals(rng).items()}
    versus = compare(one.ndcg, chosen.ndcg, rng)
    return {
        **found,
        "coverage": one.coverage,
        "head_share": one.head_share,
        "ndcg_against_chosen": [*versus.difference],
        "p": versus.p,
    }


def _next_play(split: Split, models: Mapping[str, Scorer], k: int, seed: int) -> dict[str, Any] | None:
    cases, repeats = next_play_cases(split)
    if not len(cases):
        return None
    named = dict(models)
    if "personal" in registry.names("recommenders"):
        named = {"personal most popular": ScorerRecipe("personal").build().fit(split.train), **named}
    out: dict[str, Any] = {"listeners": len(cases), "repeats": float(repeats.mean()), "models": {}}
    for name, model in named.items():
        found = evaluate(model, cases, k, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        out["models"][name] = {
            part: {m: [*interval(getattr(found, m)[rows], rng)] for m in ("hit", "reciprocal_rank")}
            for part, rows in (("all", repeats | True), ("repeats", repeats), ("discoveries", ~repeats))
            if rows.any()
        }
    return out


def to_markdown(report: Mapping[str, Any]) -> str:
    """Report as Markdown tables."""
    shown = [name for name in _HEADS if name in report["discovery"]["chosen"]]
    lines = [
        f"Pieces new to the listener: {report['listeners']} listeners, lists of {report['k']}, full ranking; "
        f"{report['split']}.",
        "",
        *table(
            ["model", *(_HEADS[n] for n in shown), "coverage", "top 1% of places", "NDCG against chosen"],
            (
                [
                    name,
                    *(_interval(row[n]) if n in row else "" for n in shown),
                    f"{row['coverage']:.3f}",
                    f"{row['head_share']:.3f}",
                    f"{row['ndcg_against_chosen'][0]:+.4f} (p {row['p']:.3f})" if name != "chosen" else "",
                ]
                for name, row in report["discovery"].items()
            ),
        ),
        "",
        f"The most played 1% of the catalogue has {report['head_share_of_plays']:.3f} of the plays. Exposure prices "
        f"keep the lists from exceeding that share; they are applied at {report['exposure']:g} of their strength. "
        '"As shown" applies prices, one piece per work, diversity, calibration of styles, the limit per artist, and '
        "places for new pieces.",
    ]
    if report["choice"]:
        lines += ["", f"{report['choice']['why']}."]
    if report["next_play"]:
        lines += ["", *_next_lines(report["next_play"], report["k"])]
    return "\n".join(lines)


def _next_lines(found: Mapping[str, Any], k: int) -> list[str]:
    parts, metrics = ("all", "repeats", "discoveries"), ("hit", "reciprocal_rank")
    return [
        f"The next play: {found['listeners']} listeners; {found['repeats']:.0%} of the plays are repeats; "
        f"hit rate in {k} and MRR.",
        "",
        *table(
            ["model", "all", "MRR", "repeats", "MRR", "discoveries", "MRR"],
            (
                [name, *(_interval(row[part][m]) if part in row else "" for part in parts for m in metrics)]
                for name, row in found["models"].items()
            ),
        ),
    ]


def _interval(values: Sequence[float]) -> str:
    return f"{values[0]:.4f} [{values[1]:.4f}, {values[2]:.4f}]"
