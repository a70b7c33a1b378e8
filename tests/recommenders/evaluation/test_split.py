from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions
from troubadour.recommenders.evaluation.split import split_at_random, split_by_share, split_fairly


def test_one_global_cut_in_time(tribes: Interactions) -> None:
    split = split_fairly(tribes, 0.2, np.random.default_rng(0))
    assert split.time is not None
    assert "cut in time" in split.how
    assert split.train.time.max() < split.time <= split.test.time.min()
    assert len(split.test) == pytest.approx(0.2 * len(tribes), abs=3)


def test_logs_without_times_are_split_at_random(make_plays, tribes: Interactions) -> None:
    rows = [(int(a), int(b), 0) for a, b in zip(tribes.listener, tribes.item, strict=True)]
    log = make_plays(rows, 80, 60)
    split = split_fairly(log, 0.2, np.random.default_rng(0))
    assert split.time is None
    assert "without times" in split.how
    train, test = (
        {*zip(p.listener.tolist(), p.item.tolist(), strict=True)} for p in (split.train, split.test)
    )
    assert not train & test
    assert len(split.train) + len(split.test) == len(log)
    for listener in range(80):
        mine = sum(a == listener for a, _ in train | test)
        assert sum(a == listener for a, _ in test) == int(mine * 0.2 + 0.5)
    again = split_fairly(log, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(again.test.item, split.test.item)


def test_an_empty_log_is_split_into_nothing() -> None:
    split = split_fairly(Interactions.empty(), 0.2, np.random.default_rng(0))
    assert len(split.train) == len(split.test) == 0


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_shares_out_of_range_are_refused(tribes: Interactions, share: float) -> None:
    with pytest.raises(InputError, match="test_share"):
        split_by_share(tribes, share)
    with pytest.raises(InputError, match="test_share"):
        split_at_random(tribes, share, np.random.default_rng(0))
