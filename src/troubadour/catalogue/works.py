"""Assignment of pieces to works and of works to splits.

Two pieces belong to one work if at least 33% of the melodic n-grams of the smaller one occur in the other.
The split is a function of the work's id, so all variants of a work are in the same split.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_SHARED: Final = 0.33
_MIN_SHARED_GRAMS: Final = 6
_MAX_PIECES_PER_GRAM: Final = 80
"""n-grams in more pieces than this carry no information (scales, repeated notes)."""
_HELD_OUT: Final = {8: "valid", 9: "test"}

KnownPiece = tuple[str, str, str, str, NDArray[np.uint32]]
"""Piece of the catalogue: (id, work, split, fingerprint, grams)."""


@dataclass(frozen=True, slots=True)
class WorkAssignment:
    """Work and split of a new piece."""

    work: str
    split: str
    nearest: str
    """Id of the most similar piece; "" = none."""
    shared: float
    """Share of the smaller piece's n-grams that both have in common, 0 to 1."""


def assign_works(
    new: Sequence[tuple[str, NDArray[np.uint32]]], known: Sequence[KnownPiece]
) -> list[WorkAssignment]:
    """Assigns works and splits to new pieces; the result is independent of their order.

    A piece that connects works of several splits joins a held-out one, to prevent leakage into training.
    Pieces of the catalogue keep their work and split.

    Args:
        new: (id, grams) of new pieces; grams are hashes, uint32.
        known: pieces of the catalogue.

    Returns:
        One assignment per new piece.
    """
    ids = [k[0] for k in known] + [n[0] for n in new]
    grams = [k[4] for k in known] + [n[1] for n in new]
    holders: dict[int, list[int]] = defaultdict(list)
    for i, own in enumerate(grams):
        for gram in own.tolist():
            holders[gram].append(i)
    parent = list(range(len(ids)))
    best: dict[int, tuple[float, int]] = {}
    for i in range(len(known), len(ids)):
        counts = Counter(
            j
            for g in grams[i].tolist()
            if len(holders[g]) <= _MAX_PIECES_PER_GRAM
            for j in holders[g]
            if j != i
        )
        for j, n in counts.items():
            shared = n / min(len(grams[i]), len(grams[j]))
            if n >= _MIN_SHARED_GRAMS and shared >= MIN_SHARED:
                _join(parent, i, j)
                if (shared, ids[j]) > (best.get(i, (0.0, 0))[0], ids[best[i][1]] if i in best else ""):
                    best[i] = (shared, j)
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(ids)):
        members[_root(parent, i)].append(i)
    assigned: dict[int, WorkAssignment] = {}
    for group in members.values():
        existing = [known[i] for i in group if i < len(known)]
        if existing:
            work, split = min(((k[1], k[2]) for k in existing), key=lambda w: (w[1] == "train", w[0]))
        else:
            work = min(ids[i] for i in group)
            split = split_of(work)
        for i in group:
            if i >= len(known):
                shared, nearest = best.get(i, (0.0, -1))
                assigned[i] = WorkAssignment(work, split, ids[nearest] if nearest >= 0 else "", shared)
    return [assigned[i] for i in range(len(known), len(ids))]


def split_of(work: str) -> str:
    """Returns the split of a work: 80% train, 10% valid, 10% test, by a hash of the id."""
    number = int(hashlib.sha256(work.encode()).hexdigest()[:8], 16) % 10
    return _HELD_OUT.get(number, "train")


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _join(parent: list[int], a: int, b: int) -> None:
    a, b = _root(parent, a), _root(parent, b)
    parent[max(a, b)] = min(a, b)
