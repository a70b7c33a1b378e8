from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.core.topn import Tiles, best

SCORES = st.lists(st.sampled_from([np.nan, -np.inf, np.inf, -1.0, 0.0, 0.5, 2.0]), max_size=40)


@given(SCORES, st.integers(0, 45))
def test_the_best_are_those_that_sorting_finds(scores: list[float], n: int) -> None:
    array = np.array(scores, dtype=np.float64)
    usable = [i for i, s in enumerate(scores) if s > -np.inf]
    expected = sorted(usable, key=lambda i: (-scores[i], i))[:n]
    assert best(array, n).tolist() == expected


@pytest.mark.parametrize(
    ("rows", "width", "n"), [(0, 2, 3), (1, 1, 1), (50_000, 16, 10), (9_000, 256, 100), (5, 3, 9)]
)
def test_products_in_tiles_are_those_at_once(rows: int, width: int, n: int) -> None:
    rng = np.random.default_rng(rows)
    vectors = rng.integers(-3, 4, (rows, width)).astype(
        np.float32
    )  # small integers: exact products, many ties
    query = rng.integers(-3, 4, width).astype(np.float32)
    tiles = Tiles.of(vectors)
    found, products = tiles.best(query, n)
    everything = vectors @ query
    np.testing.assert_array_equal(found, best(everything, n))
    np.testing.assert_array_equal(products, everything[found])
    np.testing.assert_array_equal(tiles.best(query, n, threads=3)[0], found)


def test_vectors_that_are_no_numbers_are_never_found() -> None:
    vectors = np.array([[1.0], [np.nan], [2.0]], dtype=np.float32)
    assert Tiles.of(vectors).best(np.ones(1, np.float32), 3)[0].tolist() == [2, 0]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(m, d\)"):
        Tiles.of(np.ones(2, np.float32))
    with pytest.raises(InputError, match=r"\(3,\)"):
        Tiles.of(np.ones((2, 3), np.float32)).best(np.ones(2, np.float32), 1)
