"""Protocols and shared helpers of recommenders. Each further capability is a further protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.interactions.events import History, Interactions, Weights
from troubadour.interactions.sparse import Csr, csr

T = TypeVar("T")
Search = Mapping[str, tuple[float, float, bool]]
"""Search ranges of a spec: field name to (low, high, whether the scale is logarithmic)."""
Items = NDArray[np.int32]
Scores = NDArray[np.float64]
State = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""Learned state: values to store as JSON, and named arrays to store beside it."""

NOT_FITTED_ON: Final = (
    "this history belongs to no listener of the training log; give the listener's complete history at "
    "fitting, or fit again"
)


@dataclass(frozen=True, slots=True, eq=False)
class FitOptions:
    """Inputs of `Recommender.fit` other than the interactions."""

    weights: Weights = field(default_factory=Weights)
    """Weights of the events of one listener with one item."""
    item_vectors: NDArray[np.float32] | None = None
    """Content vectors, shape (n_items, d), one row per item; NaN rows mark items without a vector."""


class Recommender(Protocol):
    """Scores items for histories. Candidate selection, filtering and re-ranking are shared code."""

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the model and returns it; the receiver is not modified.

        Args:
            interactions: training log; its item map is the catalogue.
            options: event weights and item vectors; None = defaults, no vectors.

        Returns:
            A fitted recommender.
        """
        ...

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items for listening histories.

        The input is a history and not a listener id, so new listeners and new plays need no refit.

        Args:
            histories: one per listener; the order of items is oldest first.
            items: item rows, int32, shape (n,), each >= 0; None = the whole catalogue at fitting. Rows that
                were added after fitting are allowed.

        Returns:
            Scores, float64, shape (n_histories, n). NaN = the model has no estimate for the item.

        Raises:
            ModelError: the model is not fitted.
        """
        ...


@runtime_checkable
class Persistent(Protocol):
    """Recommender whose learned state can be stored as JSON and arrays."""

    def state(self) -> State:
        """Returns the spec for JSON and the learned arrays by name.

        `from_state` of the result gives identical scores.

        Raises:
            ModelError: the model is not fitted.
        """
        ...

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores a recommender from the result of `state`.

        Args:
            spec: JSON part.
            arrays: learned arrays by name.

        Raises:
            ModelError: a part is missing or does not match the others.
        """
        ...


@runtime_checkable
class Additive(Protocol):
    """Recommender whose score is a sum over the history; the terms explain the score."""

    def contributions(self, history: History, item: int) -> NDArray[np.float64]:
        """Computes the term of each history item in the score of `item`.

        Args:
            history: history of one listener.
            item: row of the scored item.

        Returns:
            Terms, float64, shape (len(history),). Their sum equals `score([history], [item])` up to rounding.
            All NaN if the score is NaN.
        """
        ...


@runtime_checkable
class Unlearning(Protocol):
    """Recommender that supports exact removal of one listener without the log (machine unlearning).

    The result scores like a recommender that was never fitted on that listener: bit-exact for models
    of counts, within 1e-8 for models with an inverted matrix. Other recommenders need a refit.
    """

    def forget(self, history: History) -> Self:
        """Removes one listener from the learned state; the receiver is not modified.

        Args:
            history: complete history of the listener at fitting, built with the same `Weights`.

        Raises:
            InputError: the history cannot belong to a listener of the training log.
        """
        ...


def time_decay(history: History, half_life: float) -> History:
    """Applies exponential time decay to a history: weights halve every `half_life` items.

    Args:
        history: items oldest first; the newest item keeps its weight.
        half_life: number of items, 0 or more; 0 = no decay.

    Raises:
        InputError: `half_life` is below 0.
    """
    if half_life < 0:
        raise InputError(f"half_life is {half_life}; allowed: 0 (never) and above")
    if half_life == 0:
        return history
    age = np.arange(len(history))[::-1]
    return History(history.items, history.weights * 0.5 ** (age / half_life))


def history_matrix(histories: Sequence[History], n_items: int) -> Csr:
    """Stacks histories into a sparse matrix, float64, shape (n_histories, n_items).

    Item rows >= `n_items` are dropped.
    """
    kept = [history.items < n_items for history in histories]
    starts = np.concatenate([[0], np.cumsum([int(k.sum()) for k in kept])])
    columns = [h.items[k] for h, k in zip(histories, kept, strict=True)]
    values = [h.weights[k] for h, k in zip(histories, kept, strict=True)]
    empty = np.empty(0)
    return csr(
        np.concatenate([empty, *values]),
        np.concatenate([empty, *columns]),
        starts,
        (len(histories), n_items),
    )


def take_items(scores: Scores, items: Items | None) -> Scores:
    """Selects the columns of `items`; NaN for items that were added after fitting.

    Args:
        scores: shape (n_histories, n_fitted).
        items: item rows, shape (n,); None = all columns.

    Returns:
        Scores, float64, shape (n_histories, n).

    Raises:
        InputError: an item row is negative.
    """
    if items is None:
        return scores
    rows = np.asarray(items, dtype=np.int64)
    if len(rows) and rows.min() < 0:
        raise InputError(f"item row is {rows.min()}; allowed: 0 and above")
    known = rows < scores.shape[1]
    picked = np.full((scores.shape[0], len(rows)), np.nan)
    picked[:, known] = scores[:, rows[known]]
    return picked


def batches(n: int, row_bytes: int, allowed_bytes: int = 2**26) -> list[slice]:
    """Splits rows 0 .. n-1 into slices of at most `allowed_bytes` each, with at least one row per slice."""
    step = max(1, allowed_bytes // max(1, row_bytes))
    return [slice(at, min(at + step, n)) for at in range(0, n, step)]


def check_memory(model: str, size: str, needed: float, allowed: int, instead: str) -> None:
    """Checks the memory estimate of a fit.

    Args:
        model: name, for the message.
        size: size of the problem, for the message.
        needed: estimate, bytes.
        allowed: limit, bytes.
        instead: alternative that the message recommends.

    Raises:
        InputError: `needed` exceeds `allowed`.
    """
    if needed > allowed:
        raise InputError(
            f"{model} over {size} needs about {needed / 2**30:.2g} GiB; memory_bytes allows "
            f"{allowed / 2**30:.2g} GiB: raise it, or {instead}"
        )


def check_range(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """Checks that the value of a spec's field lies in [low, high].

    Args:
        above: whether `low` itself is excluded.

    Raises:
        InputError: the value is out of range.
    """
    if not low <= value <= high or (above and value == low):
        span = f"above {low:g}, up to {high:g}" if above else f"{low:g} to {high:g}"
        raise InputError(f"{name} is {value}; allowed: {span}")


def check_fitted(learned: T | None, name: str) -> T:
    """Returns the learned state.

    Raises:
        ModelError: the model is not fitted.
    """
    if learned is None:
        raise ModelError(f"{name} is not fitted; call fit first")
    return learned


def require(part: dict[str, Any], name: str, model: str) -> Any:
    """Returns one named part of a stored state.

    Raises:
        ModelError: the part is missing.
    """
    if name not in part:
        raise ModelError(f"stored {model} lacks {name!r}; it holds {sorted(part)}")
    return part[name]
