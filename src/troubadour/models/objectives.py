"""Training objectives without labels: the next token, and completion of a piece from a visible context.

`next` has no visible context. The others have one (`tokens/visible.py`) and differ in its choice: `after`
has the bars from some place on (infilling of all or some voices before it), `voices` has whole voices
(harmonising, accompanying, finding a melody), `spans` has some bar spans, and `cells` any bars of any
voices (masked reconstruction in any order).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.tokens.visible import Event, ParsedTokens

OBJECTIVES: Final = ("next", "after", "voices", "spans", "cells")
ONLY_NEXT: Final[Mapping[str, float]] = {"next": 1.0}

Cells = NDArray[np.bool_]
"""Visible bars of each voice, (voices, bars)."""


def check(shares: Mapping[str, float]) -> None:
    """Validate the shares of objectives.

    Raises:
        InputError: an unknown objective, a negative share, or shares that add up to 0.
    """
    for name, share in shares.items():
        if name not in OBJECTIVES or share < 0:
            raise InputError(f"objectives.{name} is {share}; allowed: 0 or more for {', '.join(OBJECTIVES)}")
    if not sum(shares.values()):
        raise InputError(f"objectives add up to 0; give at least one of {', '.join(OBJECTIVES)} a share")


def choose(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    """Draw an objective by the shares."""
    names = [name for name in OBJECTIVES if shares.get(name, 0)]
    if len(names) == 1:
        return names[0]
    weights = np.array([shares[name] for name in names])
    return str(rng.choice(names, p=weights / weights.sum()))


def part(objective: str, reading: ParsedTokens, rng: np.random.Generator) -> list[list[Event]]:
    """The visible events of each voice under an objective; none if the piece is too short for it."""
    cells = _CHOICES[objective](len(reading.voices), len(reading.bars), rng)
    return [
        [event for event in lane if cells[voice, reading.bar_of(event[0])]]
        for voice, lane in enumerate(reading.voices)
    ]


def _after(voices: int, bars: int, rng: np.random.Generator) -> Cells:
    """All from a bar on; half the time, with several voices, also some voices of the bars before it."""
    cells = np.zeros((voices, bars), dtype=bool)
    if bars < 2:
        return cells
    first = int(rng.integers(1, bars))
    cells[:, first:] = True
    if voices > 1 and rng.random() < 0.5:
        cells[_some(voices, rng), max(0, first - int(rng.integers(1, 9))) :] = True
    return cells


def _voices(voices: int, bars: int, rng: np.random.Generator) -> Cells:
    if voices == 1:
        return _after(voices, bars, rng)
    cells = np.zeros((voices, bars), dtype=bool)
    # The highest voice is what people bring to be harmonised.
    cells[[0] if rng.random() < 0.4 else _some(voices, rng)] = True
    return cells


def _spans(voices: int, bars: int, rng: np.random.Generator) -> Cells:
    cells = np.zeros((voices, bars), dtype=bool)
    for _ in range(int(rng.integers(1, 4))):
        first = int(rng.integers(0, bars))
        cells[:, first : first + int(rng.integers(1, 9))] = True
    return cells


def _cells(voices: int, bars: int, rng: np.random.Generator) -> Cells:
    return np.asarray(rng.random((voices, bars)) < rng.random())


def _some(voices: int, rng: np.random.Generator) -> list[int]:
    """Some of the voices, not all and not none."""
    count = int(rng.integers(1, voices))
    return sorted(rng.choice(voices, count, replace=False).tolist())


_CHOICES: Final = {"after": _after, "voices": _voices, "spans": _spans, "cells": _cells}
