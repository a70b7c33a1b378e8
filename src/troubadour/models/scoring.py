"""Negative log-likelihood of music that a composer did not compose.

Runs the runtime that composes (no torch), token by token from the same state, so that a family, a precision or a
plugin is measured as it is used. Autoregressive composers are scored on whole pieces, in nats a token; all
composers that give a likelihood on the same melodies, in nats a bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.nats import TOGETHER, sequence_nats
from troubadour.generation.protocols import Scorable, require
from troubadour.models.dataset import Example, build
from troubadour.models.vae.passages import Passage


@dataclass(frozen=True, slots=True)
class NllReport:
    """Negative log-likelihood of some pieces."""

    nats: float
    """Mean of -log p of a token, the prefix given, over the whole vocabulary."""
    by_style: dict[str, float]
    by_piece: dict[str, float]
    tokens: int


def scored(composer: AutoregressiveComposer, examples: Sequence[Example], context: int = 1024) -> NllReport:
    """Score pieces with a composer's own runtime; longer ones are cut at `context` tokens.

    Costs what composing as much music costs, less for being done side by side.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_piece: dict[str, float] = {}
    ordered = sorted(examples, key=lambda e: len(e.tokens))
    for start in range(0, len(ordered), TOGETHER):
        rows = ordered[start : start + TOGETHER]
        for item, (nats, count) in zip(rows, _sums(composer, rows, context), strict=True):
            by_piece[item.piece] = nats / max(1, count)
            for key in (item.style, None):
                total = sums["all" if key is None else f"style {key}"]
                total[0] += nats
                total[1] += count
    whole = sums.pop("all", [0.0, 0.0])
    by_style = {k.removeprefix("style "): n / max(1.0, c) for k, (n, c) in sorted(sums.items())}
    return NllReport(whole[0] / max(1.0, whole[1]), by_style, by_piece, int(whole[1]))


def bar_nats(composer: object, melodies: Sequence[Passage], rng: np.random.Generator) -> NDArray[np.float64]:
    """Nats a bar of each melody, shape (n,), metre and number of bars given; see `Scorable.bar_nats`.

    Raises:
        InputError: there is no melody, or the composer gives no likelihood.
    """
    if not melodies:
        raise InputError("melodies are 0; allowed: one and more")
    return require(composer, Scorable, "score music that it did not compose").bar_nats(melodies, rng)


def _sums(
    composer: AutoregressiveComposer, rows: Sequence[Example], context: int
) -> Iterator[tuple[float, int]]:
    yield from sequence_nats(composer.engine, [build(e, e.prefix >= 0) for e in rows], context)
