from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import time_decay
from troubadour.recommenders.scorers.als import AlsRecommender, AlsSpec
from troubadour.recommenders.scorers.bpr import BprRecommender, BprSpec
from troubadour.recommenders.scorers.personal import PersonalRecommender, PersonalSpec


def groups(listeners: int = 60, items: int = 40, kinds: int = 4) -> Interactions:
    """Each listener likes two thirds of the items of one kind."""
    rng = np.random.default_rng(0)
    cells = [
        (who, what)
        for who in range(listeners)
        for what in range(items)
        if what % kinds == who % kinds and rng.random() < 0.67
    ]
    who, what = np.array(cells, dtype=np.int32).T
    n = len(cells)
    return Interactions(
        who, what, np.full(n, Kind.LIKE, np.uint8), np.full(n, np.nan, np.float32), np.arange(n) + 1,
        IdMap(f"l{i}" for i in range(listeners)), IdMap(f"i{i}" for i in range(items)),
    )  # fmt: skip


def test_folding_in_agrees_with_the_library() -> None:
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    log = groups()
    spec = AlsSpec(factors=8)
    model = AlsRecommender(spec).fit(log)
    cells = log.to_matrix()
    library = AlternatingLeastSquares(8, regularization=spec.regularisation, num_threads=1)
    library.item_factors = model.item_factors.vectors
    confidence = csr_matrix(
        (1 + spec.confidence * cells.data, cells.indices, cells.indptr), cells.shape, np.float32
    )
    theirs = library.recalculate_user(np.arange(60), confidence)
    np.testing.assert_allclose(model.fold_in(cells), theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", [AlsRecommender(AlsSpec(factors=8)), BprRecommender(BprSpec(factors=8))])
def test_a_new_listener_gets_their_kind_first(model: AlsRecommender | BprRecommender) -> None:
    fitted = model.fit(groups())
    for kind in range(4):
        history = History(np.array([kind, kind + 4]), np.ones(2))
        scores = fitted.score([history])[0]
        scores[history.items] = -np.inf
        assert (np.argsort(-scores)[:8] % 4 == kind).all()


def test_another_seed_is_another_start() -> None:
    history = [History(np.array([0]), np.ones(1))]
    one, other = (
        BprRecommender(BprSpec(8, seed=s, iterations=3)).fit(groups()).score(history) for s in (0, 1)
    )
    assert not np.array_equal(one, other)


def test_weights_fade_by_age() -> None:
    history = History(np.array([5, 3, 8]), np.array([4.0, 4.0, 4.0]))
    assert time_decay(history, 1.0).weights.tolist() == [1.0, 2.0, 4.0]
    assert time_decay(history, 0.0) is history
    with pytest.raises(InputError, match="half_life"):
        time_decay(history, -1.0)


def test_the_next_play_is_the_most_played_then_the_most_popular() -> None:
    model = PersonalRecommender(PersonalSpec(half_life=1.0)).fit(groups())
    row = model.score([History(np.array([7, 2, 9]), np.array([3.0, -1.0, 1.0]))])[0]
    popular = model.score([History.empty()])[0]
    others = np.setdiff1d(np.arange(40), [7, 2, 9])
    assert row[9] > row[7] > row[others].max(), "7 has faded to .75"
    assert row[2] == row.min() < 0
    np.testing.assert_array_equal(np.argsort(row[others]), np.argsort(popular[others]))


@pytest.mark.parametrize(
    ("make", "field", "value"), [(AlsSpec, "factors", 0), (BprSpec, "rate", 0.0), (AlsSpec, "seed", -1)]
)
def test_specs_refuse_values_out_of_range(make: type, field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        make(**{field: value})
