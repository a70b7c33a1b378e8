"""One scorer for every composer: nats a token on whole pieces, as it would compose them.

Runs what composing runs (no torch), token by token from the same state, so that a family, a
precision or a plugin is measured as it is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from troubadour.composers.dataset import Example, assemble
from troubadour.composers.events import EventComposer

_TOGETHER: Final = 64
"""Pieces scored side by side."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a composer makes of some pieces."""

    nats: float
    """Mean of -log p of a token, the prefix told; all tokens of the vocabulary are in the race."""
    by_style: dict[str, float]
    by_piece: dict[str, float]
    tokens: int


def scored(composer: EventComposer, examples: Sequence[Example], context: int = 1024) -> Scored:
    """Score pieces with a composer's own runtime; longer ones are cut at `context` tokens.

    Costs what composing as much music costs, less for being done side by side.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_piece: dict[str, float] = {}
    ordered = sorted(examples, key=lambda e: len(e.tokens))
    for start in range(0, len(ordered), _TOGETHER):
        rows = ordered[start : start + _TOGETHER]
        for item, (nats, count) in zip(rows, _sums(composer, rows, context), strict=True):
            by_piece[item.piece] = nats / max(1, count)
            for key in (item.style, None):
                total = sums["all" if key is None else f"style {key}"]
                total[0] += nats
                total[1] += count
    whole = sums.pop("all", [0.0, 0.0])
    by_style = {k.removeprefix("style "): n / max(1.0, c) for k, (n, c) in sorted(sums.items())}
    return Scored(whole[0] / max(1.0, whole[1]), by_style, by_piece, int(whole[1]))


def _sums(composer: EventComposer, rows: Sequence[Example], context: int) -> Iterator[tuple[float, int]]:
    drawn = [assemble(e, e.prefix >= 0) for e in rows]
    tokens = [t[: context + 1] for t, _, _ in drawn]
    time = max(len(t) for t in tokens) - 1
    stream = composer.engine.start(len(rows), time)
    nats = np.zeros(len(rows))
    for at in range(time):
        fed = np.array([[t[min(at, len(t) - 1)]] for t in tokens], dtype=np.int64)
        places = np.array([[f[min(at, len(f) - 1)]] for _, f, _ in drawn], dtype=np.int64)
        logits = stream.feed(fed, places)
        top = logits.max(axis=1)
        whole = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        for row, (t, (_, _, first)) in enumerate(zip(tokens, drawn, strict=True)):
            if first <= at < len(t) - 1:
                nats[row] += whole[row] - logits[row, t[at + 1]]
    for row, (t, (_, _, first)) in enumerate(zip(tokens, drawn, strict=True)):
        yield float(nats[row]), max(0, len(t) - 1 - first)
