from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.scorers.ease import EaseRecommender, EaseSpec
from troubadour.recommenders.scorers.itemknn import ItemKnnRecommender
from troubadour.recommenders.scorers.rp3beta import Rp3BetaRecommender


def plays(listeners: int, items: int, seed: int) -> Interactions:
    """Repeated plays, so that weights are not integers; some items have a single listener."""
    rng = np.random.default_rng(seed)
    n = listeners * 12
    return Interactions(
        rng.integers(0, listeners, n).astype(np.int32), (items * rng.random(n) ** 2).astype(np.int32),
        np.where(rng.random(n) < 0.2, Kind.SKIP, Kind.PLAY).astype(np.uint8), rng.random(n).astype(np.float32),
        np.arange(n) + 1, IdMap(f"l{i}" for i in range(listeners)), IdMap(f"i{i}" for i in range(items)),
    )  # fmt: skip


@pytest.mark.parametrize(("listeners", "items"), [(60, 25), (20, 70)], ids=["item space", "listener space"])
def test_ease_removes_a_listener_within_rounding(listeners: int, items: int) -> None:
    log = plays(listeners, items, 1)
    model = EaseRecommender(EaseSpec(regularisation=5.0)).fit(log)
    for gone in (0, 7, 13):
        log_without = log.where(log.listener != gone)
        model = model.forget(log.history(gone))
        log = log_without
        fitted = EaseRecommender(EaseSpec(regularisation=5.0)).fit(log)
        histories = [h for h in plays(listeners, items, 1).histories() if len(h)]
        np.testing.assert_allclose(model.score(histories), fitted.score(histories), rtol=0, atol=1e-8)


@given(st.integers(0, 50), st.integers(0, 19))
def test_counts_remove_a_listener_bit_exactly(seed: int, gone: int) -> None:
    log = plays(20, 30, seed)
    for model in (ItemKnnRecommender(), Rp3BetaRecommender()):
        forgot = model.fit(log).forget(log.history(gone))
        fitted = model.fit(log.where(log.listener != gone))
        for name, array in fitted.state()[1].items():
            np.testing.assert_array_equal(array, forgot.state()[1][name], err_msg=name)
        np.testing.assert_array_equal(forgot.score(log.histories()), fitted.score(log.histories()))


def test_a_listener_space_model_knows_its_listeners() -> None:
    log = plays(20, 70, 2)
    model = EaseRecommender().fit(log)
    mine = log.history(3)
    with pytest.raises(InputError, match="belongs to no listener"):
        model.forget(History(mine.items, mine.weights * 1.01))
    again = model.forget(mine)
    with pytest.raises(InputError, match="belongs to no listener"):
        again.forget(mine)
