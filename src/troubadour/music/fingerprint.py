"""Fingerprints of scores, for exact and near duplicates in any key and tempo."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.melody import NEAR, Steps, lead_track, skyline, stored_ngram_hashes
from troubadour.music.score import Score

Grams = NDArray[np.uint32]

_LENGTH: Final = 6


def melody(score: Score) -> Steps:
    """Steps of the skyline of the first pitched track with two notes or more, shape (n - 1,)."""
    track = lead_track(score, notes=2)
    return np.zeros(0, dtype=np.int64) if track is None else NEAR.along(score, skyline(score, track))


def fingerprint(score: Score) -> str:
    """A hash of the notes, 32 hex digits: equal for scores that differ only in key, tempo, instrument or loudness.

    Onsets and durations are rounded down to 24ths of a quarter; pitches count from that of the first note.
    """
    rows = score.notes()[:, [0, 1, 2, 4]].astype(np.int64)
    if len(rows):
        rows = rows.copy()
        rows[:, 2] -= rows[0, 2]
        rows[:, :2] = rows[:, :2] * 24 // score.ticks_per_quarter
    return hashlib.sha256(rows.tobytes()).hexdigest()[:32]


def grams(score: Score) -> Grams:
    """Hashes of all runs of six steps of the melody, sorted and distinct, shape (k,)."""
    return np.unique(stored_ngram_hashes(melody(score), _LENGTH))
