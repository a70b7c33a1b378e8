"""Prefix of a token sequence: the description of a piece before its notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import encode

FIELDS: Final = ("style", "bars", "voices", "numerator", "denominator", "key", "density")
"""Prefix tokens of a piece, in order; -1 where it has none."""
DENSITY_EDGES: Final = (0.4, 0.7, 1.0, 1.3, 1.6, 1.9, 2.3)
"""Borders between density levels, in notes a voice and quarter."""


def prefix_of(score: Score, style: str, styles: Sequence[str]) -> NDArray[np.int16]:
    """The tokens that describe a quantised score, shape (len(FIELDS),); -1 = the vocabulary has no token for it."""
    prefix = np.full(len(FIELDS), -1, dtype=np.int16)
    voices = _voices(score)
    if style in styles:
        prefix[0] = vocab.STYLE + list(styles).index(style)
    if 1 <= score.n_bars <= vocab.MAX_BARS:
        prefix[1] = vocab.BARS + score.n_bars - 1
    if 1 <= voices <= vocab.MAX_VOICES:
        prefix[2] = vocab.VOICES + voices - 1
    metre, key = score.metres[0], score.keys[0]
    prefix[3] = vocab.NUMERATOR + metre.numerator - 1
    prefix[4] = vocab.DENOMINATOR + vocab.DENOMINATORS.index(metre.denominator)
    prefix[5] = vocab.key_token(key.fifths, key.mode)
    prefix[6] = vocab.DENSITY + density_level(score, voices)
    return prefix


def density_level(score: Score, voices: int) -> int:
    """Level 0 to 7 of the notes that a voice has in a quarter on average."""
    quarters = max(score.end_ticks / score.ticks_per_quarter, 1.0)
    return int(np.searchsorted(DENSITY_EDGES, len(score) / quarters / max(voices, 1)))


def _voices(score: Score) -> int:
    return int((encode(score) == vocab.VOICE).sum())
