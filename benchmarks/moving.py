"""Attribute transfer with the VAE, measured on the results.

    python benchmarks/moving.py --home HOME [--model FOLDER] [--out docs/benchmarks/moving.md]

HOME holds the built-in collections (`troubadour import`). Intervals: 95%; of shares Clopper-Pearson, of means
bootstrap over passages. `--valid 0` skips the choice of the search.
"""

from __future__ import annotations

import argparse
import platform
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import beta

from troubadour.catalogue.store import Store
from troubadour.models.vae.attribute_transfer import Moved, Search, move
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.latent_map import ATTRIBUTES, measure
from troubadour.models.vae.passages import LENGTHS, Passage, passages
from troubadour.models.vae.space import Space
from vae import COLLECTIONS, spread

AMOUNTS = (-2.0, -1.0, 1.0, 2.0)
DEFAULT = Search()
ALONE = "the amount along the direction, no search"
SEARCHES: dict[str, Search | None] = {
    ALONE: None,
    "growing steps, bars given back": Search((0.5, 1.0, 2.0, 3.0, 4.0), (0.0,)),
    "leaning, bars given back": Search((0.0,), DEFAULT.strengths),
    "both": Search(DEFAULT.steps, DEFAULT.strengths, give_back=False),
    "both, bars given back": DEFAULT,
}


@dataclass(frozen=True)
class Outcome:
    """Result of one passage."""

    right: bool
    reached: bool
    moved: float
    """Standard deviations, in the requested direction."""
    alike: float
    beside: float
    """Mean change of the other attributes, standard deviations."""
    nats: float
    """Additional cost of a bar under the VAE against the original."""
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("src/troubadour/data/models/vae"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--valid", type=int, default=8, help="validation passages")
    parser.add_argument("--test", type=int, default=24, help="test passages")
    options = parser.parse_args()
    started = time.monotonic()
    space = VaeComposer.load(options.model).space
    found: dict[str, list[Passage]] = {}
    with Store.open(options.home) as store:
        rows = [p for p in store.pieces(generated=False) if p.collection in COLLECTIONS]
        for split, most in (("valid", options.valid), ("test", options.test)):
            scores = store.scores([p.id for p in rows if p.split == split])
            found[split] = spread([p for s in scores for p in passages(s, LENGTHS[-1], LENGTHS[-1])], most)
    lines = head(options.model, space, found)
    for name, search in SEARCHES.items() if found["valid"] else ():
        cells = [outcomes(space, found["valid"], a, x, search) for a in ATTRIBUTES for x in AMOUNTS]
        lines.append(f"| {name} | {row([o for cell in cells for o in cell])} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        f"## On test, with the chosen search: {len(found['test'])} passages",
        "",
        f"| attribute | amount | with room | {COLUMNS} | right, no search |",
        "|---|---:|---:|" + "---:|" * 8,
    ]
    for attribute in ATTRIBUTES:
        for amount in AMOUNTS:
            cell = outcomes(space, found["test"], attribute, amount, DEFAULT)
            before = outcomes(space, found["test"], attribute, amount, None)
            lines.append(
                f"| {attribute} | {amount:+g} | {len(cell)} | {row(cell)} | {np.mean([o.right for o in before]):.2f} |"
            )
            print(lines[-1], flush=True)
    lines += ["", f"Took {time.monotonic() - started:.0f} s on {platform.machine()}, busy, {date.today()}."]
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")


COLUMNS = "right way | reached | moved, sd | alike | others, sd | nats a bar | seconds"


def head(model: Path, space: Space, found: dict[str, list[Passage]]) -> list[str]:
    choosing = [
        f"## Choosing the search, on {len(found['valid'])} validation passages, all attributes and amounts",
        "",
        f"| search | {COLUMNS} |",
        "|---|" + "---:|" * 7,
    ]
    if not found["valid"]:
        choosing = []
    scales = ", ".join(f"{a} {s:.3g}" for a, s in zip(ATTRIBUTES, space.latent_map.scales, strict=True))
    return [
        "# Moving a melody along an attribute",
        "",
        "    python benchmarks/moving.py --home HOME --out docs/benchmarks/moving.md",
        "",
        f"Model: `{model.as_posix()}`. Passages of 16 bars of the melodies of the built-in collections, splits by work; amounts "
        f"of {', '.join(f'{a:+g}' for a in AMOUNTS)} standard deviations of the attribute in the training music ({scales}). "
        "Excluded as without room: passages at the limit (a tune without syncopation to remove, or "
        "with only major thirds and sixths).",
        "",
        "- right way: share of the passages whose measured attribute moved in the requested direction; reached: by at least "
        "the wanted amount; moved: mean, in the requested direction",
        "- alike: share of unchanged sixteenths; others: mean change of the three other attributes; nats "
        "a bar: additional cost of a bar under the VAE (negative ELBO) against the original; seconds: per passage",
        "",
        "The last four columns are the cost: unchanged sixteenths, changes of other attributes, the likelihood of the result "
        "under the VAE (not used for its choice), and the time.",
        "",
        *choosing,
    ]


def outcomes(
    space: Space, some: list[Passage], attribute: str, amount: float, search: Search | None
) -> list[Outcome]:
    """Results of the passages with room; without a search the latent vector is shifted by the amount."""
    search = search or Search((abs(amount),), (0.0,), give_back=False)
    out = []
    for passage in some:
        started = time.perf_counter()
        moved = move(space, passage, attribute, amount, search=search)
        if moved.wanted != moved.before:
            out.append(outcome(space, passage, moved, time.perf_counter() - started))
    return out


def outcome(space: Space, passage: Passage, moved: Moved, seconds: float) -> Outcome:
    column = ATTRIBUTES.index(moved.attribute)
    scales = np.array(space.latent_map.scales)
    changes = (measure(moved.passage) - measure(passage)) / scales
    asked = float(np.sign(moved.amount)) * float(changes[column])
    nats = [float(space.nats([p], np.random.default_rng(0))[0]) for p in (passage, moved.passage)]
    return Outcome(
        asked > 0,
        moved.reached,
        asked,
        moved.alike,
        float(np.abs(np.delete(changes, column)).mean()),
        (nats[1] - nats[0]) / passage.bars,
        seconds,
    )


def row(found: list[Outcome]) -> str:
    if not found:
        return " | ".join(["-"] * 7)
    right = sum(o.right for o in found)
    low = beta.ppf(0.025, right, len(found) - right + 1) if right else 0.0
    told = {name: between([getattr(o, name) for o in found]) for name in ("moved", "alike", "beside", "nats")}
    return (
        f"**{right / len(found):.2f}** (at least {low:.2f}) | {np.mean([o.reached for o in found]):.2f} | {told['moved']} | "
        f"{told['alike']} | {told['beside']} | {told['nats']} | {np.mean([o.seconds for o in found]):.1f}"
    )


def between(values: list[float]) -> str:
    """Mean, and its 95% bootstrap interval over passages."""
    own = np.array(values)
    draws = own[np.random.default_rng(0).integers(0, len(own), (2000, len(own)))].mean(axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{own.mean():.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
