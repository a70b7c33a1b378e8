"""What is learnt from and what is tested on: one cut in time for everybody, wherever there are times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A log in two parts, which both have the vocabularies of the whole."""

    train: Interactions
    """All that may be learnt from."""
    test: Interactions
    """What came at `time` or later; without times a part of each listener's pieces."""
    time: int | None
    """The cut, unix seconds; `None`: the log has no times, and the parts were drawn."""

    @property
    def how(self) -> str:
        """How it was split, for people."""
        if self.time is not None:
            return f"cut in time at {self.time} (unix seconds), for everybody"
        return "no times: a part of each listener's pieces, drawn at random, is held out"


def split_at(interactions: Interactions, time: int) -> Split:
    """Cut a log at a moment (unix seconds)."""
    return Split(interactions.before(time), interactions.since(time), time)


def split_by_share(interactions: Interactions, test_share: float) -> Split:
    """Cut a log so that about the last `test_share` (above 0, below 1) of its events are test.

    Events of one second are never parted.

    Raises:
        InputError: `test_share` is out of range.
    """
    _check_share(test_share)
    if not len(interactions):
        return split_at(interactions, 0)
    first = min(len(interactions) - 1, int(np.ceil(len(interactions) * (1 - test_share))))
    return split_at(interactions, int(interactions.time[first]))


def split_at_random(interactions: Interactions, test_share: float, rng: np.random.Generator) -> Split:
    """Hold out about `test_share` of each listener's pieces, with all events of the pair.

    For logs without times only: it cannot tell what could have been known when.

    Raises:
        InputError: `test_share` is out of range.
    """
    _check_share(test_share)
    pair = interactions.listener.astype(np.int64) * max(1, len(interactions.items)) + interactions.item
    cells, index = np.unique(pair, return_inverse=True)
    owner = cells // max(1, len(interactions.items))
    order = np.lexsort((rng.random(len(cells)), owner))
    counts = np.bincount(owner, minlength=len(interactions.listeners))
    place = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = np.zeros(len(cells), dtype=bool)
    held[order] = place < np.floor(counts[owner[order]] * test_share + 0.5)
    return Split(interactions.where(~held[index]), interactions.where(held[index]), None)


def has_times(interactions: Interactions) -> bool:
    """Whether a cut in time can be made: most events have a time, and not all the same one."""
    known = interactions.time > 0
    return bool(known.mean() > 0.5 and len(np.unique(interactions.time[known])) > 1) if len(known) else False


def split_fairly(interactions: Interactions, test_share: float, rng: np.random.Generator) -> Split:
    """By time where the log has times, at random otherwise; `Split.how` says which.

    Raises:
        InputError: `test_share` is out of range.
    """
    if has_times(interactions):
        return split_by_share(interactions, test_share)
    return split_at_random(interactions, test_share, rng)


def _check_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share}; allowed: above 0, below 1")
