"""What came after the longest earlier passage like the one that was just written: music repeats itself.

Two readings of a sequence look back: the tokens as they are, and with each pitch as a step from the
voice's last pitch, which finds a passage again in another place of the scale. Each foretells one
token. A network with `Spec.copies` is told both, and how long the passages are, as it reads, and may
lift both before it decides. It learns what to make of them (`docs/benchmarks/composer.md`: .6157 to
.6053 nats a token on held-out works).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.position import COLUMN, RESTING, VOICES

Integers = NDArray[np.int64]

READINGS: Final = 2
_LENGTHS: Final = np.array([1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64])
LEVELS: Final = len(_LENGTHS) + 1
"""Levels of the length of a passage: 0 = there is none, 1 = one token, 11 = 64 tokens or more."""
SIZES: Final = (vocab.N_TOKENS, LEVELS) * READINGS
"""Number of values of each column: the token foretold (0 = none) and the level, for each reading."""
_LEVEL: Final = np.searchsorted(_LENGTHS, np.arange(_LENGTHS[-1] + 1), side="right")
_READINGS: Final = np.arange(READINGS)[:, None]
_STEP: Final = 2 * vocab.N_TOKENS
"""A step of 0 semitones, where pitches are read as steps."""


class CopyFeatures:
    """Looks back in sequences that grow together; a token costs O(tokens so far) a sequence.

    Args:
        batch: sequences.
        length: most tokens of each.
    """

    def __init__(self, batch: int, length: int) -> None:
        self._read = np.zeros((READINGS, batch, length), dtype=np.int64)
        self._runs = np.zeros((READINGS, batch, length), dtype=np.int64)
        """How many tokens in a row equal those 1, 2, 3 ... tokens before them."""
        self._rows = np.arange(batch)
        self._heard = np.full(batch, -1, dtype=np.int64)
        self._written = 0

    def add(self, tokens: Integers, features: Integers) -> Integers:
        """Take a token of each sequence; what the next one would be, if a passage goes on.

        Args:
            tokens: (batch,).
            features: where the next token stands, (batch, N_FEATURES), as `Automaton.features` has it.

        Returns:
            (batch, 4): columns as in `SIZES`.
        """
        now = self._written
        pitched = (tokens >= vocab.PITCH) & (tokens < vocab.PITCH + 128) & (self._heard >= 0)
        read = np.stack([tokens, np.where(pitched, tokens - self._heard + (_STEP - vocab.PITCH), tokens)])
        self._heard = _last_pitch(features)
        self._read[:, :, now] = read
        self._written += 1
        if not now:
            return np.zeros((len(tokens), 2 * READINGS), dtype=np.int64)
        runs = self._runs[:, :, :now]
        runs += 1
        runs *= self._read[:, :, now - 1 :: -1] == read[:, :, None]
        back = runs.argmax(axis=2)
        length = runs[_READINGS, self._rows, back]
        foretold = self._read[_READINGS, self._rows, now - back]
        foretold[1] = self._sounding(foretold[1])
        found = (length > 0) & (foretold > 0)
        told = np.stack([foretold * found, _LEVEL[np.minimum(length, _LENGTHS[-1])] * found])
        return told.transpose(2, 1, 0).reshape(len(tokens), -1)

    def _sounding(self, read: Integers) -> Integers:
        """Steps as pitches, from what the voice to be filled sounded last; 0 where that is no pitch."""
        pitches = np.where(self._heard >= 0, read - _STEP + self._heard, -1)
        fits = (pitches >= 0) & (pitches < 128)
        return np.where(read < vocab.N_TOKENS, read, np.where(fits, vocab.PITCH + pitches, 0))


def columns(tokens: Integers, features: Integers) -> Integers:
    """What `Copies` tells after each token of whole sequences.

    Args:
        tokens: (batch, time).
        features: (batch, time, N_FEATURES).

    Returns:
        (batch, time, 4).
    """
    batch, time = tokens.shape
    copies = CopyFeatures(batch, time)
    out = np.empty((batch, time, 2 * READINGS), dtype=np.int64)
    for i in range(time):
        out[:, i] = copies.add(tokens[:, i], features[:, i])
    return out


def _last_pitch(features: Integers) -> Integers:
    """What the voice to be filled sounded last, (batch,); -1 = nothing, a rest, or a voice past the fourth."""
    voice = features[:, COLUMN.voice]
    pitch = features[np.arange(len(voice)), COLUMN.pitch_1 + np.clip(voice - 1, 0, VOICES - 1)]
    return np.where((voice >= 1) & (voice <= VOICES) & (pitch < RESTING), pitch, -1)
