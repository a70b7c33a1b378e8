"""Vectors in which pieces are compared: what takes part, and in which units."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.features import FEATURES

_SET_BY_STYLE: Final = ("tempo_bpm", "notes_per_second")
"""Where a source gives no tempo, a reader sets it by the style: it would tell the label."""
CONTENT: Final = tuple(
    i for i, name in enumerate(FEATURES) if not name.startswith("style_") and name not in _SET_BY_STYLE
)
"""Entries of `features.feature_vector` that say what the notes are like, and nothing of a label."""
_FLOOR: Final = 0.5


def standardised(table: NDArray[Any]) -> NDArray[np.float64]:
    """Columns less their mean over their spread, shape (n, d); nearly constant ones stay small."""
    rows = np.asarray(table, dtype=np.float64)
    spread = rows.std(axis=0)
    scaled: NDArray[np.float64] = (rows - rows.mean(axis=0)) / np.maximum(
        spread, _FLOOR * spread.mean() + 1e-9
    )
    return scaled
