"""Likelihood of token sequences under an autoregressive runtime, in nats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.generation.protocols import Melody
from troubadour.music.quantise import quantise
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.prefix import FIELDS, prefix_of
from troubadour.tokens.tokenizer import encode, features

if TYPE_CHECKING:
    from troubadour.generation.autoregressive import Runtime

Sequenced = tuple[NDArray[np.int64], NDArray[np.int64], int]
"""Tokens, musical positions (time, features), and the place from which targets count."""
TOGETHER: Final = 64
"""Sequences scored side by side."""
_LONGEST: Final = 4096
_GIVEN: Final = np.isin(FIELDS, ("bars", "numerator", "denominator"))


def sequence_nats(runtime: Runtime, sequences: Sequence[Sequenced], context: int) -> list[tuple[float, int]]:
    """Nats and number of the targets of each sequence; costs what composing as much music costs.

    Args:
        context: longer sequences are cut to as many tokens.
    """
    tokens = [t[: context + 1] for t, _, _ in sequences]
    time = max(len(t) for t in tokens) - 1
    stream = runtime.start(len(sequences), time)
    nats = np.zeros(len(sequences))
    for at in range(time):
        fed = np.array([[t[min(at, len(t) - 1)]] for t in tokens], dtype=np.int64)
        places = np.array([[f[min(at, len(f) - 1)]] for _, f, _ in sequences], dtype=np.int64)
        logits = stream.step(fed, places)
        top = logits.max(axis=1)
        whole = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        for row, (t, (_, _, first)) in enumerate(zip(tokens, sequences, strict=True)):
            if first <= at < len(t) - 1:
                nats[row] += whole[row] - logits[row, t[at + 1]]
    return [
        (float(nats[row]), max(0, len(t) - 1 - first))
        for row, (t, (_, _, first)) in enumerate(zip(tokens, sequences, strict=True))
    ]


def melody_nats(runtime: Runtime, melodies: Sequence[Melody]) -> NDArray[np.float64]:
    """Nats a bar of each melody from its first barline, shape (n,); key, tempo, metre and length are given."""
    found: list[float] = []
    for start in range(0, len(melodies), TOGETHER):
        some = melodies[start : start + TOGETHER]
        sequences = [_from_first_bar(quantise(m.score())) for m in some]
        nats = sequence_nats(runtime, sequences, _LONGEST)
        found += [total / m.bars for m, (total, _) in zip(some, nats, strict=True)]
    return np.array(found)


def _from_first_bar(score: Score) -> Sequenced:
    tokens: NDArray[np.int32] = encode(score)
    fields = prefix_of(score, "", ()).astype(np.int64)
    if fields[FIELDS.index("bars")] < 0:
        raise InputError(f"a melody has {score.n_bars} bars; allowed: 1 to {vocab.MAX_BARS}")
    prefix = fields[_GIVEN & (fields >= 0)]
    # The number of bars stands in the prefix, and the positions count down from it.
    counted = np.insert(tokens, 1, int(fields[FIELDS.index("bars")]))
    places = np.delete(features(counted), 1, axis=0).astype(np.int64)
    whole = np.concatenate([tokens[:1], prefix, tokens[1:]]).astype(np.int64)
    places = np.concatenate([np.repeat(places[:1], len(prefix) + 1, axis=0), places[1:]])
    return whole, places, int(np.flatnonzero(whole == vocab.BAR)[0])
