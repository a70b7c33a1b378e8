"""Timbre similarity of recordings: distances between Gaussians over MFCCs, and hubness reduction.

Each recording is one Gaussian with full covariance (Mandel & Ellis, 2005). Distances are the
symmetric Kullback-Leibler divergence, or the Jensen-Shannon-like divergence of Musly (Schnitzer
et al., 2011), whose square root is nearly a metric. In such spaces hubs occur: recordings that are
among the nearest neighbours of almost all others. Mutual proximity (Schnitzer et al., 2012) replaces
a distance by the probability that both recordings are nearer to each other than to a random one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

MEASURES: Final = ("kl", "js")
_RIDGE: Final = 1e-2
_SAMPLE: Final = 1_000
"""Sample size for the distance statistics of a recording; results are stable from some hundreds on."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Timbre models of many recordings; 7 kB each."""

    mean: Floats
    """Shape (n, k)."""
    covariance: Floats
    """Shape (n, k, k)."""
    precision: Floats
    """Inverse of each covariance, shape (n, k, k)."""
    log_determinant: Floats
    """Log determinant of each covariance, shape (n,)."""

    @classmethod
    def of(cls, means: Sequence[NDArray[np.float32]], covariances: Sequence[NDArray[np.float32]]) -> Self:
        """Build from the mean, shape (k,), and the covariance, shape (k, k), of each recording's MFCCs.

        A small ridge keeps the covariance of a pure tone invertible.

        Raises:
            InputError: shapes do not fit, or a number is not finite.
        """
        mean = np.asarray(means, dtype=np.float64)
        covariance = np.asarray(covariances, dtype=np.float64)
        if mean.ndim != 2 or covariance.shape != (*mean.shape, mean.shape[1]):
            raise InputError(f"means {mean.shape}, covariances {covariance.shape}; need (n, k) and (n, k, k)")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise InputError("timbres hold NaN or infinity; allowed: numbers")
        covariance = covariance + _RIDGE * np.eye(mean.shape[1])
        _, logs = np.linalg.slogdet(covariance)
        return cls(mean, covariance, np.asarray(np.linalg.inv(covariance), np.float64), logs)

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, i: int) -> Self:
        """Model of recording `i`, as `Gaussians` of length 1."""
        part = slice(i, i + 1)
        return type(self)(
            self.mean[part], self.covariance[part], self.precision[part], self.log_determinant[part]
        )

    def distances(self, i: int, measure: str = "js") -> Floats:
        """Distances from recording `i` to all, shape (n,), 0 to itself. 1 ms for 1,000 with `kl`, 8 ms with `js`.

        Raises:
            InputError: `measure` is unknown.
        """
        return self.distances_from(self[i], measure)

    def distances_from(self, one: Self, measure: str = "js") -> Floats:
        """Distances from a recording outside this set to all, shape (n,); see `distances`."""
        if measure not in MEASURES:
            raise InputError(f"measure is '{measure}'; allowed: {', '.join(MEASURES)}")
        difference = self.mean - one.mean[0]
        if measure == "kl":
            k = self.mean.shape[1]
            spread = np.einsum("nij,ji->n", self.covariance, one.precision[0])
            spread += np.einsum("nij,ji->n", self.precision, one.covariance[0])
            apart = np.einsum("ni,nij,nj->n", difference, self.precision + one.precision[0], difference)
            return np.asarray(np.maximum(0.25 * (spread + apart) - 0.5 * k, 0.0))
        # The merged Gaussian has the mean of both means and covers both covariances.
        middle = 0.5 * (self.covariance + one.covariance[0])
        middle += 0.25 * difference[:, :, None] * difference[:, None, :]
        _, logs = np.linalg.slogdet(middle)
        found = 0.5 * logs - 0.25 * (self.log_determinant + one.log_determinant[0])
        return np.asarray(np.sqrt(np.maximum(found, 0.0)))


def distance_matrix(timbres: Gaussians, measure: str = "js") -> Floats:
    """All distances, shape (n, n), symmetric. Costs n calls of `Gaussians.distances`."""
    table = np.stack([timbres.distances(i, measure) for i in range(len(timbres))])
    return 0.5 * (table + table.T)


def mutual_proximity(distances: Floats) -> Floats:
    """Mutual proximity of a distance matrix, shape (n, n), 0 to 1 (Schnitzer et al., 2012).

    The value is the probability that a random recording is nearer to either of the two. The distances
    of each recording are taken as normal, and the two distributions as independent.
    """
    from scipy.special import ndtr

    n = len(distances)
    others = ~np.eye(n, dtype=bool)
    mean = np.array([distances[i][others[i]].mean() for i in range(n)]) if n > 1 else np.zeros(n)
    spread = np.array([distances[i][others[i]].std() for i in range(n)]) if n > 1 else np.ones(n)
    farther = 1 - ndtr((distances - mean[:, None]) / np.maximum(spread, 1e-9)[:, None])
    table = 1 - farther * farther.T
    np.fill_diagonal(table, 0.0)
    return np.asarray(table)


def reference_statistics(timbres: Gaussians, rng: np.random.Generator, measure: str = "js") -> Floats:
    """Mean and standard deviation of each recording's distances to others, shape (n, 2).

    Estimated from a random sample of 1,000 recordings if there are more.
    """
    n = len(timbres)
    chosen = np.sort(rng.permutation(n)[:_SAMPLE])
    table = np.stack([timbres.distances(i, measure) for i in chosen.tolist()], axis=1)  # (n, sample)
    table[chosen, np.arange(len(chosen))] = np.nan  # exclude the distance to itself
    if n < 2:
        return np.tile([0.0, 1.0], (n, 1))
    return np.stack([np.nanmean(table, axis=1), np.maximum(np.nanstd(table, axis=1), 1e-9)], axis=1)


def mutual(distances: Floats, own: Floats, statistics: Floats) -> Floats:
    """Mutual proximity of one recording with all, shape (n,); see `mutual_proximity`.

    Args:
        distances: from the recording to all, shape (n,).
        own: mean and standard deviation of its distances, shape (2,).
        statistics: mean and standard deviation for every recording, shape (n, 2).
    """
    from scipy.special import ndtr

    from_here = 1 - ndtr((distances - own[0]) / own[1])
    from_there = 1 - ndtr((distances - statistics[:, 0]) / statistics[:, 1])
    return np.asarray(1 - from_here * from_there)


def hubness(distances: Floats, k: int = 10) -> tuple[float, float, float]:
    """Hubness of a distance matrix: skewness of the k-occurrence, its maximum / k, share of orphans.

    Skewness above 1 indicates hubs (Radovanović et al., 2010). Orphans are in no list of k neighbours.
    """
    n = len(distances)
    k = min(k, n - 1)
    masked = distances + np.where(np.eye(n, dtype=bool), np.inf, 0)
    near = np.argpartition(masked, k - 1, axis=1)[:, :k]
    counts = np.bincount(near.ravel(), minlength=n).astype(np.float64)
    spread = counts.std()
    skew = float((((counts - counts.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
    return skew, float(counts.max() / k), float((counts == 0).mean())
