"""One scorer for every composer: nats on music that it did not write, as it would compose it.

Runs what composing runs (no torch), token by token from the same state, so that a family, a
precision or a plugin is measured as it is used. Families that write events are scored on whole pieces,
in nats a token; all families, the VAE too, on the same stretches of melody, in nats a bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.models.dataset import Example, TrainingSequence, build, example
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.passages import Passage
from troubadour.music.quantise import quantise
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.prefix import FIELDS

_TOGETHER: Final = 64
"""Pieces scored side by side."""


@dataclass(frozen=True, slots=True)
class NllReport:
    """What a composer makes of some pieces."""

    nats: float
    """Mean of -log p of a token in nats, full prefix, over the whole vocabulary (no grammar mask)."""
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
    return NllReport(whole[0] / max(1.0, whole[1]), by_style, by_piece, int(whole[1]))


def bar_nats(
    composer: AutoregressiveComposer | VaeComposer, melodies: Sequence[Passage], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Nats a bar of each melody, shape (n,), given metre and number of bars.

    Of composers that write events it is exact, from the first barline to the end; key and tempo, which
    stand before that, are told them as well. Of a VAE it is an upper bound (the negative ELBO, one draw of
    the latent vector), and that includes the description's share.

    Raises:
        InputError: there is no melody, or the composer is of a family that cannot be scored.
    """
    if not melodies:
        raise InputError("melodies are 0; allowed: one and more")
    if isinstance(composer, VaeComposer):
        bars = np.array([m.bars for m in melodies], dtype=np.float64)
        return np.asarray(composer.space.nats(melodies, rng) / bars)
    if not isinstance(composer, AutoregressiveComposer):
        raise InputError(f"a {type(composer).__name__} has no likelihood that can be scored")
    kept = np.isin(FIELDS, ("bars", "numerator", "denominator"))
    found: list[float] = []
    for start in range(0, len(melodies), _TOGETHER):
        rows = melodies[start : start + _TOGETHER]
        drawn = [_from_first_bar(build(example(quantise(m.score()), "", "", ()), kept)) for m in rows]
        found += [nats / m.bars for m, (nats, _) in zip(rows, _summed(composer, drawn, 4096), strict=True)]
    return np.array(found)


def _from_first_bar(sequence: TrainingSequence) -> TrainingSequence:
    return sequence._replace(start=int(np.flatnonzero(sequence.tokens == vocab.BAR)[0]))


def _sums(
    composer: AutoregressiveComposer, rows: Sequence[Example], context: int
) -> Iterator[tuple[float, int]]:
    yield from _summed(composer, [build(e, e.prefix >= 0) for e in rows], context)


def _summed(
    composer: AutoregressiveComposer, drawn: Sequence[TrainingSequence], context: int
) -> Iterator[tuple[float, int]]:
    """Nats and number of the tokens that count, for each sequence."""
    tokens = [t[: context + 1] for t, _, _ in drawn]
    time = max(len(t) for t in tokens) - 1
    stream = composer.engine.start(len(drawn), time)
    nats = np.zeros(len(drawn))
    for at in range(time):
        fed = np.array([[t[min(at, len(t) - 1)]] for t in tokens], dtype=np.int64)
        places = np.array([[f[min(at, len(f) - 1)]] for _, f, _ in drawn], dtype=np.int64)
        logits = stream.step(fed, places)
        top = logits.max(axis=1)
        whole = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        for row, (t, (_, _, first)) in enumerate(zip(tokens, drawn, strict=True)):
            if first <= at < len(t) - 1:
                nats[row] += whole[row] - logits[row, t[at + 1]]
    for row, (t, (_, _, first)) in enumerate(zip(tokens, drawn, strict=True)):
        yield float(nats[row]), max(0, len(t) - 1 - first)
