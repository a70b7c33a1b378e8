from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError
from troubadour.similarity.ivf import IvfIndex, quickest
from troubadour.similarity.vectors import VectorIndex

pytest.importorskip("faiss", reason="faiss is an extra: pip install 'troubadour[faiss]'")


def points(n: int = 3000, d: int = 16) -> VectorIndex:
    """Clusters of fifty vectors, similar to music."""
    rng = np.random.default_rng(3)
    vectors = np.repeat(rng.normal(size=(n // 50, d)), 50, axis=0) + 0.4 * rng.normal(size=(n, d))
    facts = [{"style": ("jig", "reel")[i % 2], "rare": i % 40 == 0} for i in range(n)]
    return VectorIndex.of([f"p{i}" for i in range(n)], vectors, facts)


@pytest.fixture(scope="module")
def exact() -> VectorIndex:
    return points()


@pytest.fixture(scope="module")
def listed(exact: VectorIndex) -> IvfIndex:
    return IvfIndex.of(exact)


def recall(listed: IvfIndex, exact: VectorIndex, **filters: object) -> float:
    kept = 0
    for row in range(0, 3000, 30):
        query = points().units[row] + 0.05
        truth = {n.id for n in exact.nearest(query, 10, **filters)}  # type: ignore[arg-type]
        kept += len(truth & {n.id for n in listed.nearest(query, 10, **filters)})  # type: ignore[arg-type]
    return kept / 1000


def test_nearly_all_neighbours_are_found_and_not_all_lists_are_read(
    listed: IvfIndex, exact: VectorIndex
) -> None:
    assert listed.read < len(listed.centroids) / 2
    assert recall(listed, exact) >= 0.95
    assert recall(listed, exact, where={"style": "jig"}) >= 0.95
    best = listed.nearest(exact.units[7], 1)[0]
    assert best.id == "p7"
    assert best.similarity == pytest.approx(1.0, abs=1e-6)  # full precision, not eight bits


def test_a_selective_filter_is_answered_exactly(listed: IvfIndex, exact: VectorIndex) -> None:
    assert recall(listed, exact, where={"rare": True}) == pytest.approx(1.0)
    found = listed.nearest(exact.units[7], 75, where={"rare": True})
    assert len(found) == 75


def test_what_comes_is_found_and_what_goes_is_not(listed: IvfIndex, exact: VectorIndex) -> None:
    there = exact.vector("p7")
    moved = listed.updated(["p7", "new"], [-there, there], [{"style": "jig"}, {"style": "jig"}])
    assert moved.nearest(there, 1)[0].id == "new"
    assert moved.nearest(-there, 1)[0].id == "p7"
    assert "p7" not in {n.id for n in moved.nearest(there, 30)}
    less = moved.without(["new"])
    assert "new" not in {n.id for n in less.nearest(there, 30)}
    assert listed.nearest(there, 1)[0].id == "p7"
    many = listed.without([f"p{i}" for i in range(500)])  # a sixth: rebuilt
    assert len(many.row_of) == 2500


def test_what_was_saved_answers_alike_and_damage_is_told(
    listed: IvfIndex, exact: VectorIndex, tmp_path: Path
) -> None:
    there = exact.vector("p7")
    changed = listed.updated(["p7"], [-there], [{"style": "jig"}]).without(["p8"])
    changed.save(tmp_path)
    loaded = IvfIndex.load(tmp_path)
    for row in (5, 9, 1000):
        assert loaded.nearest(exact.units[row], 9) == changed.nearest(exact.units[row], 9)
    assert not list(tmp_path.glob("*.faiss"))
    (tmp_path / "lists.json").write_text(json.dumps({"version": 99, "read": 1}))
    with pytest.raises(ModelError, match="version"):
        IvfIndex.load(tmp_path)


def test_small_catalogues_stay_exact_and_bad_requests_are_told(listed: IvfIndex, exact: VectorIndex) -> None:
    assert quickest(exact) is exact
    with pytest.raises(InputError, match="1,000"):
        IvfIndex.of(VectorIndex.of(["a"], [[1.0]]))
    with pytest.raises(InputError, match="vector"):
        listed.nearest([1.0, 2.0])
    with pytest.raises(InputError, match="mood"):
        listed.nearest(exact.units[0], where={"mood": "sad"})
    with pytest.raises(InputError, match="1 to"):
        listed.nearest(exact.units[0], 0)
    assert listed.nearest(np.zeros(16)) == []
