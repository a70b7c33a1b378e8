"""One space for the content of all pieces: what their notes are like, and what they sound like.

A piece with notes has the first part, a recording the second, a piece whose notes were also played and
measured (`troubadour features`) both; what is not known of a piece is NaN, and models take it as neutral.
Tempo and mode are known of recordings too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.describe import STATISTICS, VERSION
from troubadour.catalogue.sounds import matrix
from troubadour.catalogue.store import Store
from troubadour.music.features import FEATURES

_REFERENCE: Final = (
    # Start of the names, centre and spread over recordings and rendered pieces; the first that fits counts.
    ("mfcc_0_mean", -280.0, 100.0), ("mfcc_1_mean", 100.0, 50.0), ("mfcc_0_deviation", 75.0, 28.0),
    ("mfcc_0_change", 9.0, 4.0), ("contrast_*_mean", 21.0, 5.0), ("contrast_*_deviation", 6.0, 2.0),
    ("mfcc_*_mean", -3.0, 12.0), ("mfcc_*_deviation", 13.0, 5.0), ("mfcc_*_change", 1.6, 0.7),
    ("brightness_octaves_mean", 0.4, 0.75), ("brightness_octaves_deviation", 0.6, 0.3),
    ("onset_mean", 1.4, 0.5), ("onset_deviation", 1.9, 0.8), ("onsets_a_second", 3.3, 1.5),
    ("tempo_octaves", 0.1, 0.3),
)  # fmt: skip
_WEIGHT: Final = 0.13
"""Spread of an entry of sound: the mean spread of an entry of notes over the built-in collections."""

Vectors = NDArray[np.float32]


def item_vectors(store: Store) -> Vectors:
    """Content of every piece in row order, shape (n_pieces, len(FEATURES) + len(STATISTICS)); NaN = unknown."""
    pieces, notes = store.pieces(), store.vectors()
    if notes.shape[1] != len(FEATURES):  # no piece has notes
        notes = np.full((len(pieces), len(FEATURES)), np.nan, dtype=np.float32)
    for i, piece in enumerate(pieces):
        if piece.medium == "audio":
            notes[i] = _recording_features(piece.attributes)
    sound = matrix(store.sounds.all(VERSION), [p.id for p in pieces], "statistics")
    if sound.shape[1] != len(STATISTICS):  # nothing was measured
        sound = np.full((len(pieces), len(STATISTICS)), np.nan, dtype=np.float32)
    return np.concatenate([notes, (sound - _CENTRE) * (_WEIGHT / _SPREAD)], axis=1)


def _recording_features(attributes: dict[str, float | str]) -> Vectors:
    """What a recording tells of the entries of notes, shape (len(FEATURES),)."""
    out = np.full(len(FEATURES), np.nan, dtype=np.float32)
    if "tempo_bpm" in attributes:
        out[FEATURES.index("tempo_bpm")] = np.clip((float(attributes["tempo_bpm"]) - 120) / 60, -3, 3)
    if mode := attributes.get("mode"):
        for i, name in enumerate(FEATURES):
            if name.startswith("mode_"):
                out[i] = float(name == f"mode_{mode}")
    return out


def _reference(name: str) -> tuple[float, float]:
    for pattern, centre, spread in _REFERENCE:
        first, _, last = pattern.partition("*")
        if name == pattern or (last and name.startswith(first) and name.endswith(last)):
            return centre, spread
    raise KeyError(name)


_CENTRE: Final = np.array([_reference(name)[0] for name in STATISTICS], dtype=np.float32)
_SPREAD: Final = np.array([_reference(name)[1] for name in STATISTICS], dtype=np.float32)
