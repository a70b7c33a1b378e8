"""Copy features: the token that followed the longest earlier match of the sequence so far.

Two views of a sequence are searched: the tokens as they are, and with each pitch as an interval from the
voice's last pitch, which finds transposed repeats. Each predicts one token. A network with `Spec.copies`
reads both predictions and the lengths of the matches, and learns a bias for the logits of both tokens
(`docs/benchmarks/composer.md`: .6157 to .6053 nats a token on held-out works).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.position import COLUMN, RESTING, VOICES

Integers = NDArray[np.int64]

VIEWS: Final = 2
_LENGTHS: Final = np.array([1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64])
LEVELS: Final = len(_LENGTHS) + 1
"""Levels of the length of a match: 0 = none, 1 = one token, 11 = 64 tokens or more."""
SIZES: Final = (vocab.N_TOKENS, LEVELS) * VIEWS
"""Number of values of each column: predicted token (0 = none) and level, for each view."""
_LEVEL: Final = np.searchsorted(_LENGTHS, np.arange(_LENGTHS[-1] + 1), side="right")
_VIEWS: Final = np.arange(VIEWS)[:, None]
_STEP: Final = 2 * vocab.N_TOKENS
"""An interval of 0 semitones, in the view of intervals."""


class CopyFeatures:
    """Copy features of a batch of sequences under generation; a token costs O(tokens so far) a sequence.

    Args:
        batch: sequences.
        length: most tokens of each.
    """

    def __init__(self, batch: int, length: int) -> None:
        self._views = np.zeros((VIEWS, batch, length), dtype=np.int64)
        self._runs = np.zeros((VIEWS, batch, length), dtype=np.int64)
        """Length of the match that ends 1, 2, 3 ... tokens back."""
        self._rows = np.arange(batch)
        self._pitch = np.full(batch, -1, dtype=np.int64)
        self._written = 0

    def add(self, tokens: Integers, features: Integers) -> Integers:
        """Take a token of each sequence; the features of the next one.

        Args:
            tokens: (batch,).
            features: where the next token stands, (batch, N_FEATURES), as `Automaton.features` has it.

        Returns:
            (batch, 4): columns as in `SIZES`.
        """
        now = self._written
        pitched = (tokens >= vocab.PITCH) & (tokens < vocab.PITCH + 128) & (self._pitch >= 0)
        read = np.stack([tokens, np.where(pitched, tokens - self._pitch + (_STEP - vocab.PITCH), tokens)])
        self._pitch = _last_pitch(features)
        self._views[:, :, now] = read
        self._written += 1
        if not now:
            return np.zeros((len(tokens), 2 * VIEWS), dtype=np.int64)
        runs = self._runs[:, :, :now]
        runs += 1
        runs *= self._views[:, :, now - 1 :: -1] == read[:, :, None]
        back = runs.argmax(axis=2)
        length = runs[_VIEWS, self._rows, back]
        predicted = self._views[_VIEWS, self._rows, now - back]
        predicted[1] = self._sounding(predicted[1])
        found = (length > 0) & (predicted > 0)
        found_columns = np.stack([predicted * found, _LEVEL[np.minimum(length, _LENGTHS[-1])] * found])
        return found_columns.transpose(2, 1, 0).reshape(len(tokens), -1)

    def _sounding(self, read: Integers) -> Integers:
        """Intervals as pitches, from the last pitch of the voice; 0 where that is no pitch."""
        pitches = np.where(self._pitch >= 0, read - _STEP + self._pitch, -1)
        fits = (pitches >= 0) & (pitches < 128)
        return np.where(read < vocab.N_TOKENS, read, np.where(fits, vocab.PITCH + pitches, 0))


def columns(tokens: Integers, features: Integers) -> Integers:
    """Copy features after each token of whole sequences.

    Args:
        tokens: (batch, time).
        features: (batch, time, N_FEATURES).

    Returns:
        (batch, time, 4).
    """
    batch, time = tokens.shape
    copies = CopyFeatures(batch, time)
    out = np.empty((batch, time, 2 * VIEWS), dtype=np.int64)
    for i in range(time):
        out[:, i] = copies.add(tokens[:, i], features[:, i])
    return out


def _last_pitch(features: Integers) -> Integers:
    """Last pitch of the voice that is written next, (batch,); -1 = none, a rest, or a voice past the fourth."""
    voice = features[:, COLUMN.voice]
    pitch = features[np.arange(len(voice)), COLUMN.pitch_1 + np.clip(voice - 1, 0, VOICES - 1)]
    return np.where((voice >= 1) & (voice <= VOICES) & (pitch < RESTING), pitch, -1)
