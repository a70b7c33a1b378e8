from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError, ModelError, NotFoundError
from troubadour.similarity.vectors import VectorIndex


def points(n: int = 300, d: int = 8, seed: int = 1) -> VectorIndex:
    rng = np.random.default_rng(seed)
    facts = [{"style": ("jig", "reel", "air")[i % 3], "generated": i % 10 == 0} for i in range(n)]
    return VectorIndex.of([f"p{i}" for i in range(n)], rng.normal(size=(n, d)), facts)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 1000))
def test_neighbours_are_those_of_a_full_sort(n: int, k: int, seed: int) -> None:
    index = points(n, 4, seed)
    query = np.random.default_rng(seed + 1).normal(size=4)
    found = index.nearest(query, k)
    cosine = index.units @ (query / np.linalg.norm(query))
    assert [f.id for f in found] == [f"p{i}" for i in np.argsort(-cosine, kind="stable")[:k]]
    assert [f.similarity for f in found] == pytest.approx(np.sort(cosine)[::-1][:k].tolist(), abs=1e-6)


def test_a_filter_comes_before_the_search_so_that_none_is_lost() -> None:
    index = points()
    query = index.vector("p1")
    found = index.nearest(query, 30, where={"generated": True})
    assert len(found) == 30
    assert all(int(f.id[1:]) % 10 == 0 for f in found)
    both = index.nearest(query, 300, where={"style": ["jig", "air"], "generated": False}, without=["p3"])
    assert len(both) == 200 - 20 - 1
    assert all(int(f.id[1:]) % 3 != 1 for f in both)
    with pytest.raises(InputError, match="generated, style"):
        index.nearest(query, 3, where={"mood": "happy"})


def test_items_can_be_added_moved_and_taken_away() -> None:
    index = points()
    there = index.vector("p7")
    moved = index.updated(["p7", "new"], [-there, there], [{"style": "polka"}, {"style": "polka"}])
    assert len(moved) == 301
    assert moved.nearest(there, 1)[0].id == "new"
    assert moved.nearest(-there, 1)[0].id == "p7"
    assert {n.id for n in moved.nearest(there, 5, where={"style": "polka"})} == {"p7", "new"}
    less = moved.without(["new", "nobody"])
    assert len(less) == 300
    with pytest.raises(NotFoundError):
        less.vector("new")
    assert index.nearest(there, 1)[0].id == "p7"  # the first index is unchanged


def test_what_was_saved_reads_back_and_damage_is_told(tmp_path: Path) -> None:
    index = points()
    index.save(tmp_path)
    loaded = VectorIndex.load(tmp_path)
    assert loaded.nearest(index.vector("p5"), 9, where={"style": "jig"}) == index.nearest(
        index.vector("p5"), 9, where={"style": "jig"}
    )
    document = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**document, "ids": document["ids"][1:]}))
    with pytest.raises(ModelError, match="do not fit"):
        VectorIndex.load(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ModelError):
        VectorIndex.load(tmp_path)


def test_a_zero_vector_is_near_to_nothing_and_nan_is_refused() -> None:
    index = VectorIndex.of(["a", "b"], [[0.0, 0.0], [1.0, 0.0]])
    assert [n.id for n in index.nearest([1.0, 0.0], 5)] == ["b"]
    assert index.nearest([0.0, 0.0]) == []
    assert VectorIndex.of([], np.zeros((0, 2))).nearest([1.0, 0.0]) == []
    for wrong in ([np.nan, 1.0], [1.0]):
        with pytest.raises(InputError, match="vector"):
            index.nearest(wrong)
    with pytest.raises(InputError, match="NaN"):
        VectorIndex.of(["a"], [[np.inf]])
    with pytest.raises(InputError, match="twice"):
        VectorIndex.of(["a", "a"], [[1.0], [2.0]])
    with pytest.raises(InputError, match="1 to"):
        index.nearest([1.0, 0.0], 0)
    with pytest.raises(InputError, match="width"):
        index.updated(["c"], [[1.0, 2.0, 3.0]])
