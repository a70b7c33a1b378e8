"""Vector space for the comparison of pieces: choice of features and scaling."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.features import FEATURES

_SET_BY_STYLE: Final = ("tempo_bpm", "notes_per_second")
"""Features that readers set by the style if a file gives no tempo; they would leak the label."""
CONTENT: Final = tuple(
    i for i, name in enumerate(FEATURES) if not name.startswith("style_") and name not in _SET_BY_STYLE
)
"""Indices of the entries of `features.feature_vector` that describe the notes only, without labels."""
_FLOOR: Final = 0.5


def standardised(table: NDArray[Any]) -> NDArray[np.float64]:
    """Columns standardised to mean 0 and spread 1, shape (n, d); nearly constant columns stay small."""
    rows = np.asarray(table, dtype=np.float64)
    spread = rows.std(axis=0)
    scaled: NDArray[np.float64] = (rows - rows.mean(axis=0)) / np.maximum(
        spread, _FLOOR * spread.mean() + 1e-9
    )
    return scaled
