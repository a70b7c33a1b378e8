"""Which of several demands contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from troubadour.core.errors import InputError
from troubadour.tokens.grammar import Mask

Named = tuple[str, Mask]


def intersect(sets: Sequence[Named], what: str) -> Mask:
    """The pitches that all demands leave, shape (128,).

    Raises:
        InputError: none is left; the message names the fewest demands that contradict each other.
    """
    kept: Mask = np.ones(128, dtype=bool)
    for _, mask in sets:
        kept = kept & mask
    if kept.any():
        return kept
    guilty = list(sets)
    for candidate in list(sets):
        rest = [s for s in guilty if s is not candidate]
        if rest and not np.logical_and.reduce([m for _, m in rest]).any():
            guilty = rest
    names = " and ".join(name for name, _ in guilty)
    raise InputError(f"{names} {'clash' if len(guilty) > 1 else 'cannot hold'}: no pitch is left for {what}")
