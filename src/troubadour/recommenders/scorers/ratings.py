"""Rating prediction: listener and item biases with matrix factorisation of the residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions, Kind, Weights
from troubadour.interactions.sparse import Csr, csr_from_cells, only, owners, transpose, with_data
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    Search,
    State,
    check_fitted,
    check_memory,
    check_range,
    history_matrix,
    require,
    take_items,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RatingsSpec:
    """Hyperparameters of rating prediction."""

    factors: int = 16
    """Number of latent dimensions, 0 (biases only) to 512."""
    regularisation: float = 0.1
    """L2 penalty on factors per rating, above 0 to 1,000."""
    bias_regularisation: float = 3.0
    """Shrinkage of biases: number of virtual ratings at the mean per listener and item, 0 to 1,000."""
    iterations: int = 15
    """Alternations over listeners and items, 1 to 1,000."""
    seed: int = 0
    """Random seed of the initial factors, 0 to 2^32 - 1."""
    memory_bytes: int = 2 * 2**30
    """Memory limit of the fit, bytes; larger logs raise `InputError`."""

    def __post_init__(self) -> None:
        check_range("factors", self.factors, 0, 512)
        check_range("regularisation", self.regularisation, 0, 1000, above=True)
        check_range("bias_regularisation", self.bias_regularisation, 0, 1000)
        check_range("iterations", self.iterations, 1, 1000)
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("memory_bytes", self.memory_bytes, 1, float("inf"))


SEARCH: Final[Search] = {
    "factors": (4, 64, True),
    "regularisation": (0.01, 1.0, True),
    "bias_regularisation": (1.0, 30.0, True),
}


class Errors(NamedTuple):
    """Prediction errors in steps of the rating scale."""

    rmse: float
    mae: float


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    mean: float
    scale: float
    """Weight of a rating of 5, see `Weights.rating`."""
    bias: Floats
    """Item biases, shape (n_items,)."""
    vectors: Floats
    """Item factors, shape (n_items, factors)."""
    known: NDArray[np.bool_]
    """Mask of rated items, shape (n_items,)."""


class RatingsRecommender:
    """Rating prediction: score_j = mean + b + b_j + u .

    y_j, range 1 to 5; b and u are solved from the history.

    The model is fitted on ratings only and expects histories of ratings (`ratings_only(log).histories()`). A
    weight w means the rating 3 + 2 w / `Weights.rating`, clipped to 1 to 5; plays and likes would bias it.
    Alternating least squares with the penalty scaled by the number of ratings, float64, deterministic for a
    seed.

    Cost: iterations * (ratings * d^2 + (listeners + items) * d^3 / 3) for d factors; 16 d bytes per listener
    and item, and about 60 bytes per rating.

    Source: Zhou, Wilkinson, Schreiber & Pan, "Large-scale parallel collaborative filtering for the Netflix
    Prize", AAIM 2008; biases of Koren, Bell & Volinsky, IEEE Computer 2009.
    """

    def __init__(self, spec: RatingsSpec | None = None, learned: _Learned | None = None) -> None:
        self.spec = spec or RatingsSpec()
        self._learned = learned

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model; see `Recommender.fit`.

        Raises:
            InputError: the fit exceeds `memory_bytes`, or `Weights.rating` is 0.
        """
        scale = (options or FitOptions()).weights.rating
        if scale == 0:
            raise InputError("weights.rating is 0; the ratings model needs another value, such as 1")
        ratings = _matrix(ratings_only(interactions))
        listeners, items = ratings.shape
        d = self.spec.factors
        needed = 16.0 * (d + 1) * (listeners + items) + 60.0 * len(ratings.data)
        instead = "take fewer factors, or use popular"
        size = f"{items} items and {listeners} listeners"
        check_memory("the ratings model", size, needed, self.spec.memory_bytes, instead)
        by_item = transpose(ratings)
        mean = float(ratings.data.mean()) if len(ratings.data) else 3.0
        own, bias = np.zeros(listeners), np.zeros(items)
        for _ in range(10):
            bias = self._biases(by_item, mean + own)
            own = self._biases(ratings, mean + bias)
        rng = np.random.default_rng(self.spec.seed)
        theirs = rng.normal(0.0, 0.1, (items, d))
        rest = _less(ratings, mean + own, bias)
        back = transpose(rest)
        for _ in range(self.spec.iterations if d else 0):
            ours = self._factors(rest, theirs)
            theirs = self._factors(back, ours)
        known = np.diff(by_item.indptr) > 0
        theirs[~known] = 0.0
        return type(self)(self.spec, _Learned(mean, scale, bias, theirs, known))

    def _biases(self, rows: Csr, expected: Floats) -> Floats:
        """Computes the bias of each row: its shrunk mean residual over `expected` of the columns."""
        above = rows.data - expected[rows.indices]
        n = np.diff(rows.indptr)
        total = np.bincount(owners(rows), above, minlength=len(n))
        return np.asarray(total / np.maximum(n + self.spec.bias_regularisation, 1e-9))

    def _factors(self, rows: Csr, theirs: Floats) -> Floats:
        """Solves the factors of each row by ridge regression on the factors of its columns."""
        d = theirs.shape[1]
        ours = np.zeros((rows.shape[0], d))
        for i, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
            if end > start and d:
                near = theirs[rows.indices[start:end]]
                left = near.T @ near + self.spec.regularisation * (end - start) * np.eye(d)
                ours[i] = np.linalg.solve(left, near.T @ rows.data[start:end])
        return ours

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Predicts ratings; see `Recommender.score`. Range 1 to 5, NaN for items without ratings."""
        learned = check_fitted(self._learned, "ratings")
        rows = history_matrix(
            [History(h.items, np.clip(3.0 + 2.0 * h.weights / learned.scale, 1.0, 5.0)) for h in histories],
            len(learned.known),
        )
        rows = only(rows, learned.known[rows.indices])
        own = self._biases(rows, learned.mean + learned.bias)
        ours = self._factors(_less(rows, learned.mean + own, learned.bias), learned.vectors)
        scores = learned.mean + own[:, None] + learned.bias + ours @ learned.vectors.T
        scores = np.clip(scores, 1.0, 5.0)
        scores[:, ~learned.known] = np.nan
        return take_items(scores, items)

    def errors(self, train: Interactions, test: Interactions) -> Errors:
        """Computes RMSE and MAE of predictions for the ratings of `test` from the listeners' ratings in
        `train`.

        Items without ratings are predicted as the mean of the log.

        Raises:
            InputError: `test` contains no rating.
        """
        wanted = _matrix(ratings_only(test))
        if not len(wanted.data):
            raise InputError("test contains no ratings; give a log with ratings")
        learned = check_fitted(self._learned, "ratings")
        histories = ratings_only(train).histories(weights=Weights(rating=learned.scale))
        owner = owners(wanted)
        off = np.empty(len(wanted.data))
        for row in np.unique(owner).tolist():
            mine = owner == row
            known = self.score([histories[row]], wanted.indices[mine])[0]
            off[mine] = np.where(np.isnan(known), learned.mean, known) - wanted.data[mine]
        return Errors(float(np.sqrt((off**2).mean())), float(np.abs(off).mean()))

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        learned = check_fitted(self._learned, "ratings")
        spec = {**asdict(self.spec), "mean": learned.mean, "scale": learned.scale}
        return spec, {"bias": learned.bias, "vectors": learned.vectors, "known": learned.known}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        bias, vectors, known = (require(arrays, n, "ratings") for n in ("bias", "vectors", "known"))
        if vectors.ndim != 2 or not len(bias) == len(vectors) == len(known):
            raise ModelError(
                f"stored ratings arrays have shapes {bias.shape}, {vectors.shape}, {known.shape}"
            )
        mean, scale = (float(require(spec, name, "ratings")) for name in ("mean", "scale"))
        try:
            own = RatingsSpec(**{k: v for k, v in spec.items() if k not in ("mean", "scale")})
        except TypeError as error:
            raise ModelError(f"stored ratings spec {spec}: {error}") from error
        return cls(own, _Learned(mean, scale, bias, vectors, known.astype(bool)))


def ratings_only(log: Interactions) -> Interactions:
    """Selects the ratings of a log."""
    return log.where(np.asarray(log.kind == Kind.RATING))


def _matrix(log: Interactions) -> Csr:
    """Builds the matrix of latest ratings, shape (n_listeners, n_items)."""
    pair = log.listener.astype(np.int64) * max(1, len(log.items)) + log.item
    # The log is sorted by time, so in reverse order the first event of a pair is the latest.
    cells, at = np.unique(pair[::-1], return_index=True)
    rows, columns = np.divmod(cells, max(1, len(log.items)))
    return csr_from_cells(
        rows, columns, log.value[::-1][at].astype(np.float64), (len(log.listeners), len(log.items))
    )


def _less(rows: Csr, of_row: Floats, of_column: Floats) -> Csr:
    """Subtracts the expected value of row and column from each cell."""
    return with_data(rows, rows.data - of_row[owners(rows)] - of_column[rows.indices])
