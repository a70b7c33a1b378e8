"""Train-test splits of logs: one global cut in time, or at random per listener for logs without times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Training and test part of a log; both keep the id maps of the whole log."""

    train: Interactions
    """Training part."""
    test: Interactions
    """Test part: events at `time` or later, or held-out items of each listener."""
    time: int | None
    """Cut, Unix seconds; None = random split."""

    @property
    def how(self) -> str:
        """Description of the split for people."""
        if self.time is not None:
            return f"one cut in time at {self.time} (Unix seconds) for all listeners"
        return "log without times: random pieces of each listener are held out"


def split_at(interactions: Interactions, time: int) -> Split:
    """Splits a log at a point in time, Unix seconds; events at `time` belong to the test part."""
    return Split(interactions.before(time), interactions.since(time), time)


def split_by_share(interactions: Interactions, test_share: float) -> Split:
    """Splits a log in time so that about the last `test_share` of its events are the test part.

    Events of the same second stay together.

    Args:
        test_share: above 0 and below 1.

    Raises:
        InputError: `test_share` is out of range.
    """
    _check_share(test_share)
    if not len(interactions):
        return split_at(interactions, 0)
    first = min(len(interactions) - 1, int(np.ceil(len(interactions) * (1 - test_share))))
    return split_at(interactions, int(interactions.time[first]))


def split_at_random(interactions: Interactions, test_share: float, rng: np.random.Generator) -> Split:
    """Holds out about `test_share` of each listener's items, with all events of the pair.

    For logs without times only, because future events can leak into the training part.

    Args:
        test_share: above 0 and below 1.
        rng: source of the choice.

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
    """Whether a split in time is possible: most events have a time, and the times differ."""
    known = interactions.time > 0
    return bool(known.mean() > 0.5 and len(np.unique(interactions.time[known])) > 1) if len(known) else False


def split_fairly(interactions: Interactions, test_share: float, rng: np.random.Generator) -> Split:
    """Splits in time if the log has times, else at random; `Split.how` describes the split.

    Raises:
        InputError: `test_share` is out of range.
    """
    if has_times(interactions):
        return split_by_share(interactions, test_share)
    return split_at_random(interactions, test_share, rng)


def _check_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share}; allowed: above 0, below 1")
