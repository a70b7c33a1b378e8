"""What came after the longest earlier passage like the one that was just written: music repeats itself.

Two readings of a sequence look back: the tokens as they are, and with each pitch as a step from the
voice's last pitch, which finds a passage again in another place of the scale. Each foretells one
token. A network with `Spec.copies` is told both, and how long the passages are, as it reads, and may
lift both before it decides. It learns what to make of them; on held-out tunes that is worth more than
a good part of what attention finds for itself in a few million tokens.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music import lexicon as lx

Integers = NDArray[np.int64]

READINGS: Final = 2
_LENGTHS: Final = np.array([1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64])
LEVELS: Final = len(_LENGTHS) + 1
"""Levels of the length of a passage: 0 = there is none, 1 = one token, 11 = 64 tokens or more."""
SIZES: Final = (lx.N_TOKENS, LEVELS) * READINGS
"""Number of values of each column: the token foretold (0 = none) and the level, for each reading."""
_LANE, _FIRST_PITCH, _VOICES = 1, 4, 4
_STEP: Final = 2 * lx.N_TOKENS
"""A step of 0 semitones, where pitches are read as steps."""


class Copies:
    """Looks back in sequences that grow together; a token costs O(tokens so far) a sequence.

    Args:
        batch: sequences.
        length: most tokens of each.
    """

    def __init__(self, batch: int, length: int) -> None:
        # The newest token stands last, so that what is compared is one stretch of memory.
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
        now, out = self._written, np.zeros((len(tokens), 2 * READINGS), dtype=np.int64)
        pitched = (tokens >= lx.PITCH) & (tokens < lx.PITCH + 128) & (self._heard >= 0)
        steps = np.where(pitched, tokens - lx.PITCH - self._heard + _STEP, tokens)
        self._heard = _last_pitch(features)
        for reading, read in enumerate((tokens, steps)):
            past, runs = self._read[reading], self._runs[reading, :, :now]
            if now:
                runs += 1
                runs *= past[:, now - 1 :: -1] == read[:, None]
                back = runs.argmax(axis=1)
                length = runs[self._rows, back]
                found = length > 0
            past[:, now] = read
            if now and found.any():
                foretold = past[self._rows, now - back]
                if reading:
                    foretold = self._sounding(foretold)
                    found &= foretold > 0
                out[:, 2 * reading] = np.where(found, foretold, 0)
                level = np.searchsorted(_LENGTHS, length, side="right")
                out[:, 2 * reading + 1] = np.where(found, level, 0)
        self._written += 1
        return out

    def _sounding(self, read: Integers) -> Integers:
        """Steps as pitches, from what the voice to be filled sounded last; 0 where that is no pitch."""
        pitches = np.where(self._heard >= 0, read - _STEP + self._heard, -1)
        fits = (pitches >= 0) & (pitches < 128)
        return np.where(read < lx.N_TOKENS, read, np.where(fits, lx.PITCH + pitches, 0))


def columns(tokens: Integers, features: Integers) -> Integers:
    """What `Copies` tells after each token of whole sequences.

    Args:
        tokens: (batch, time).
        features: (batch, time, N_FEATURES).

    Returns:
        (batch, time, 4).
    """
    batch, time = tokens.shape
    copies = Copies(batch, time)
    out = np.empty((batch, time, 2 * READINGS), dtype=np.int64)
    for i in range(time):
        out[:, i] = copies.add(tokens[:, i], features[:, i])
    return out


def _last_pitch(features: Integers) -> Integers:
    """What the voice to be filled sounded last, (batch,); -1 = nothing, a rest, or a voice past the fourth."""
    lane = features[:, _LANE]
    pitch = features[np.arange(len(lane)), _FIRST_PITCH + np.clip(lane - 1, 0, _VOICES - 1)]
    return np.where((lane >= 1) & (lane <= _VOICES) & (pitch < 128), pitch, -1)
