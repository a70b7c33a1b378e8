"""One cut in time for everybody: what comes after is the future, and nothing may learn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troubadour.errors import InputError
from troubadour.listening.interactions import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A log cut at one moment; both parts have the vocabularies of the whole."""

    train: Interactions
    """Everything before `time`."""
    test: Interactions
    """Everything at `time` or later."""
    time: int
    """The cut, unix seconds."""


def split_at(interactions: Interactions, time: int) -> Split:
    """Cut a log at a moment (unix seconds)."""
    return Split(interactions.before(time), interactions.since(time), time)


def split_by_share(interactions: Interactions, test_share: float) -> Split:
    """Cut a log so that about the last `test_share` (above 0, below 1) of its events are test.

    Events of one second are never parted.

    Raises:
        InputError: `test_share` is out of range.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share}; allowed: above 0, below 1")
    if not len(interactions):
        return split_at(interactions, 0)
    first = min(len(interactions) - 1, int(np.ceil(len(interactions) * (1 - test_share))))
    return split_at(interactions, int(interactions.time[first]))
