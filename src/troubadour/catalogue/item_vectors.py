"""Content vectors of pieces: symbolic features and audio statistics in one space.

Scores have the first part, recordings the second, and scores measured by `troubadour features` both.
Missing entries are NaN, which models treat as neutral. Recordings also have tempo and mode.
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
    # Name pattern, centre and spread over recordings and rendered pieces; the first match applies.
    ("mfcc_0_mean", -280.0, 100.0), ("mfcc_1_mean", 100.0, 50.0), ("mfcc_0_deviation", 75.0, 28.0),
    ("mfcc_0_change", 9.0, 4.0), ("contrast_*_mean", 21.0, 5.0), ("contrast_*_deviation", 6.0, 2.0),
    ("mfcc_*_mean", -3.0, 12.0), ("mfcc_*_deviation", 13.0, 5.0), ("mfcc_*_change", 1.6, 0.7),
    ("brightness_octaves_mean", 0.4, 0.75), ("brightness_octaves_deviation", 0.6, 0.3),
    ("onset_mean", 1.4, 0.5), ("onset_deviation", 1.9, 0.8), ("onsets_a_second", 3.3, 1.5),
    ("tempo_octaves", 0.1, 0.3),
)  # fmt: skip
_WEIGHT: Final = 0.13
"""Target spread of audio entries: mean spread of symbolic entries over the built-in collections."""

Vectors = NDArray[np.float32]


def item_vectors(store: Store) -> Vectors:
    """Builds the content vectors of all pieces in row order.

    Returns:
        float32, shape (n_pieces, len(FEATURES) + len(STATISTICS)); NaN = unknown.
    """
    pieces, notes = store.pieces(), store.vectors()
    if notes.shape[1] != len(FEATURES):  # no scores in the catalogue
        notes = np.full((len(pieces), len(FEATURES)), np.nan, dtype=np.float32)
    for i, piece in enumerate(pieces):
        if piece.medium == "audio":
            notes[i] = _recording_features(piece.attributes)
    sound = matrix(store.sounds.all(VERSION), [p.id for p in pieces], "statistics")
    if sound.shape[1] != len(STATISTICS):  # no measured sound
        sound = np.full((len(pieces), len(STATISTICS)), np.nan, dtype=np.float32)
    return np.concatenate([notes, (sound - _CENTRE) * (_WEIGHT / _SPREAD)], axis=1)


def _recording_features(attributes: dict[str, float | str]) -> Vectors:
    """Returns the symbolic entries known for a recording (tempo, mode), shape (len(FEATURES),).

    NaN = unknown.
    """
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
