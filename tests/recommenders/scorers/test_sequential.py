from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.interactions.events import History, Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.scorers.sequential.recommender import SequentialRecommender
from troubadour.recommenders.scorers.sequential.runtime import SequentialRuntime
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec

pytestmark = pytest.mark.torch
SMALL = SequentialSpec(width=16, heads=2, layers=2, context=8, dropout=0.1, epochs=30, batch=16, rate=5e-3)


def cycles(n_listeners: int = 40, n_items: int = 10) -> Interactions:
    """All listeners follow the same cycle of items from different starts."""
    who = np.repeat(np.arange(n_listeners), 6)
    step = np.tile(np.arange(6), n_listeners)
    n = len(who)
    return Interactions(
        who.astype(np.int32), ((who + step) % n_items).astype(np.int32), np.full(n, Kind.LIKE, np.uint8),
        np.full(n, np.nan, np.float32), step + 1, IdMap(f"l{i}" for i in range(n_listeners)),
        IdMap(f"i{i}" for i in range(n_items)),
    )  # fmt: skip


@pytest.mark.parametrize("full_items", [20_000, 0], ids=["all items", "a sample"])
def test_it_learns_what_comes_next(full_items: int) -> None:

    spec = replace(SMALL, full_items=full_items, sample=64)
    model = SequentialRecommender(spec).fit(cycles())
    for last in range(10):
        history = History(np.array([(last - 1) % 10, last]), np.ones(2))
        assert int(np.argmax(model.score([history])[0])) == (last + 1) % 10


def test_order_is_what_counts() -> None:
    model = SequentialRecommender(SMALL).fit(cycles())
    up, down = History(np.array([3, 4]), np.ones(2)), History(np.array([4, 3]), np.ones(2))
    assert np.argmax(model.score([up])[0]) == 5
    assert not np.allclose(model.score([up]), model.score([down]))


def test_serving_computes_what_training_did() -> None:
    import torch

    from troubadour.recommenders.scorers.sequential.network import SequentialNetwork

    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = SequentialNetwork(
        SMALL, 12, torch.from_numpy(rng.normal(size=(12, 3)).astype(np.float32))
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        table = network.table()
        weights = {k: v.numpy() for k, v in network.state_dict().items() if k not in ("items", "sound")}
        engine = SequentialRuntime(SMALL, {**weights, "items": table.numpy()})
        for length in (0, 1, 5, 7):
            items = rng.integers(0, 12, length)
            tokens = torch.tensor([[12, *items.tolist()]])
            expected = (network(tokens, table)[0, -1] @ table[:-1].T + network.bias).numpy()
            # Beside a longer one, so that the end of the row is padding.
            found = engine.score([items, rng.integers(0, 12, 7)])[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_only_the_latest_items_count() -> None:
    model = SequentialRecommender(SMALL).fit(cycles())
    long = History(np.array([9, 8, 0, 1, 2, 3, 4, 5, 6]), np.ones(9))
    latest = History(long.items[-7:], np.ones(7))
    np.testing.assert_allclose(model.score([long]), model.score([latest]), rtol=1e-5)


def test_the_number_of_passes_is_found_by_validation() -> None:
    from troubadour.recommenders.scorers.sequential.training import choose_epochs

    sequences = [np.arange(start, start + 6) % 10 for start in range(10)] * 3
    spec, epochs = choose_epochs(sequences, 10, np.zeros((10, 0), np.float32), SMALL, patience=3)
    assert spec.epochs == max(epochs, key=lambda e: e.ndcg).epoch
    assert epochs[-1].loss < epochs[0].loss
    with pytest.raises(InputError, match="two items"):
        choose_epochs([np.array([1])], 10, np.zeros((10, 0), np.float32), SMALL)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="multiple of heads"):
        SequentialSpec(width=9, heads=2)
