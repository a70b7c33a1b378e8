from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.similarity.timbre import (
    MEASURES,
    Gaussians,
    distance_matrix,
    hubness,
    mutual,
    mutual_proximity,
    reference_statistics,
)


def made(n: int = 30, k: int = 5, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(n, k, 2 * k))
    return Gaussians.of(rng.normal(size=(n, k)), spread @ spread.transpose(0, 2, 1) / (2 * k))


def test_the_divergence_of_two_gaussians_in_one_dimension_is_known() -> None:
    # Half of KL(p|q) + KL(q|p), with variances 1 and 4 and means 0 and 2.
    found = Gaussians.of([[0.0], [2.0]], [[[1.0 - 0.01]], [[4.0 - 0.01]]]).distances(0, "kl")
    expected = 0.25 * (1 / 4 + 4 / 1 + 4 * (1 + 1 / 4)) - 0.5
    assert found[1] == pytest.approx(expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_distance_is_symmetric_and_nothing_to_itself(measure: str) -> None:
    timbres = made()
    table = np.stack([timbres.distances(i, measure) for i in range(len(timbres))])
    np.testing.assert_allclose(table, table.T, atol=1e-7)
    np.testing.assert_allclose(np.diag(table), 0, atol=1e-6)
    assert (table >= 0).all()


def test_mutual_proximity_of_one_row_equals_that_of_the_table() -> None:
    timbres = made()
    table = distance_matrix(timbres)
    whole = mutual_proximity(table)
    known = reference_statistics(timbres, np.random.default_rng(0))
    row = mutual(table[3], known[3], known)
    np.testing.assert_allclose(np.delete(row, 3), np.delete(whole[3], 3), atol=1e-6)


def test_mutual_proximity_takes_hubs_away() -> None:
    # In many dimensions, vectors near the centre are near to all others.
    points = np.random.default_rng(1).normal(size=(300, 40))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    before, after = hubness(distances)[0], hubness(mutual_proximity(distances))[0]
    assert before > 2
    assert after < 0.5 * before


def test_singular_covariances_are_taken_and_nan_is_refused() -> None:
    flat = Gaussians.of(np.zeros((2, 3)), np.zeros((2, 3, 3)))
    assert np.isfinite(distance_matrix(flat)).all()
    with pytest.raises(InputError, match="NaN"):
        Gaussians.of([[np.nan]], [[[1.0]]])
    with pytest.raises(InputError, match="allowed: kl, js"):
        flat.distances(0, "euclid")
