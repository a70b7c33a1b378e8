"""Intersection of pitch requirements, and the smallest set of them that is contradictory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from troubadour.core.errors import InputError
from troubadour.tokens.grammar import Mask

Named = tuple[str, Mask]
"""Name of a control with its value, and the pitches that it allows, shape (128,)."""


def intersect(sets: Sequence[Named], what: str) -> Mask:
    """Pitches that all requirements allow, shape (128,).

    Args:
        sets: named requirements.
        what: the note or voice that needs the pitch, for the message.

    Raises:
        InputError: no pitch remains; the message names a smallest contradictory set of requirements.
    """
    kept: Mask = np.ones(128, dtype=bool)
    for _, mask in sets:
        kept = kept & mask
    if kept.any():
        return kept
    conflicting = list(sets)
    for candidate in list(sets):
        rest = [s for s in conflicting if s is not candidate]
        if rest and not np.logical_and.reduce([m for _, m in rest]).any():
            conflicting = rest
    names = " and ".join(name for name, _ in conflicting)
    raise InputError(
        f"{names} {'clash' if len(conflicting) > 1 else 'cannot hold'}: no pitch is left for {what}"
    )
