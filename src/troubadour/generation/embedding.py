"""Embeddings of scores from the hidden states of an autoregressive network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.score import Score, Tempo
from troubadour.tokens.tokenizer import encode, features

if TYPE_CHECKING:
    from troubadour.generation.autoregressive import Runtime

_TOKENS: Final = 256
"""Number of tokens of a score that are read."""
_BATCH: Final = 16


def embed_scores(
    runtime: Runtime, scores: Sequence[Score], width: int, n_features: int
) -> NDArray[np.float32]:
    """Mean last hidden state of each score's first 256 tokens, scaled to unit length.

    Scores are transposed to the tonic C and set to one tempo first. Costs about 10 ms a piece.

    Args:
        runtime: inference of the network.
        scores: n quantised scores.
        width: width of the hidden states.
        n_features: number of position features.

    Returns:
        Shape (n, width), float32.
    """
    rows = [_normalised(score) for score in scores]
    out = np.zeros((len(rows), width), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    for start in range(0, len(order), _BATCH):
        chunk = order[start : start + _BATCH]
        time = max(len(rows[i][0]) for i in chunk)
        tokens = np.zeros((len(chunk), time), dtype=np.int64)
        places = np.zeros((len(chunk), time, n_features), dtype=np.int64)
        for row, i in enumerate(chunk):
            tokens[row, : len(rows[i][0])] = rows[i][0]
            places[row, : len(rows[i][0])] = rows[i][1]
        hidden = runtime.embed(tokens, places)
        for row, i in enumerate(chunk):
            # START and BODY carry no music.
            out[i] = hidden[row, 2 : len(rows[i][0])].mean(axis=0)
    unit: NDArray[np.float32] = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    return unit


def _normalised(score: Score) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Tokens and position features of a score, transposed to the tonic C and set to one tempo.

    The embedding is then independent of key and tempo; many sources have no tempo, so readers insert one.
    """
    score = score.replace(tempos=(Tempo(0, 120.0),))
    tonic = (score.keys[0].fifths * 7) % 12
    shift = -tonic if tonic <= 6 else 12 - tonic
    pitched = score.pitch[~np.array([t.is_drum for t in score.tracks], dtype=bool)[score.track]]
    if len(pitched) and pitched.min() + shift >= 0 and pitched.max() + shift <= 127:
        score = score.transpose(shift)
    tokens = encode(score)
    cut = tokens[:_TOKENS]
    return cut, features(cut)
