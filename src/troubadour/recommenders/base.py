"""What every recommender can do. A further capability is a further protocol."""

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
"""What of a spec is worth choosing by validation: field to (low, high, whether by its logarithm)."""
Items = NDArray[np.int32]
Scores = NDArray[np.float64]
State = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""What to write as JSON, and arrays by name to write beside it."""

STRANGER: Final = (
    "no listener with this history was among those it was fitted on; give their whole history as it "
    "was then, or fit again"
)


@dataclass(frozen=True, slots=True, eq=False)
class FitOptions:
    """Everything but the interactions that a recommender may learn from."""

    weights: Weights = field(default_factory=Weights)
    """How the events of a listener with a piece become one number."""
    item_vectors: NDArray[np.float32] | None = None
    """One vector an item of the catalogue, shape (n_items, d); a row with NaN = no vector."""


class Recommender(Protocol):
    """Scores items for histories. Choosing, filtering and re-ranking are shared code elsewhere."""

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """A fitted recommender; this one is not changed."""
        ...

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """How much each item suits each history, shape (n_histories, n_items), NaN = unknown.

        Not a listener id but a history: a new listener, or a new play, needs no retraining.

        Args:
            items: item rows, also such as came after fitting (then NaN where the model cannot
                know them); default: the whole catalogue as it was at fitting.
        """
        ...


@runtime_checkable
class Persistent(Protocol):
    """Learned state as JSON and arrays, never as code."""

    def state(self) -> State:
        """(spec for JSON, arrays by name); `from_state` of it scores exactly the same."""
        ...

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore what `state` returned.

        Raises:
            ModelError: a part is missing or does not fit the others.
        """
        ...


@runtime_checkable
class Additive(Protocol):
    """A recommender whose score is a sum over the history, and can therefore be explained."""

    def contributions(self, history: History, item: int) -> NDArray[np.float64]:
        """What each item of the history adds to the score of `item`, shape (len(history),).

        They sum to `score([history], [item])`, up to rounding.
        """
        ...


@runtime_checkable
class Forgetful(Protocol):
    """A recommender from which a listener can be removed exactly, without the log.

    Afterwards it scores as one that was never fitted on that listener: to the bit where counts are
    kept, within 1e-8 where a matrix was inverted. Whoever lacks this protocol has to be fitted again.
    """

    def forget(self, history: History) -> Self:
        """This recommender without one listener; this one is not changed.

        Args:
            history: the listener's whole history as it was at fitting, by the same `Weights`.

        Raises:
            InputError: no listener with this history can have been among those it was fitted on.
        """
        ...


def time_decay(history: History, half_life: float) -> History:
    """A history whose weights halve every `half_life` items, counted back from its latest; 0 = never.

    What a listener met last says most about what comes next.

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
    """Histories as a sparse matrix, shape (n_histories, n_items); later items are left out."""
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


def pick(scores: Scores, items: Items | None) -> Scores:
    """The columns of `items`, NaN where an item came after fitting.

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
    """Slices of 0 .. n that take at most `allowed_bytes` each, at least one row a slice."""
    step = max(1, allowed_bytes // max(1, row_bytes))
    return [slice(at, min(at + step, n)) for at in range(0, n, step)]


def check_memory(model: str, size: str, needed: float, allowed: int, instead: str) -> None:
    """Refuse a fit that would take too much memory.

    Raises:
        InputError: `needed` bytes are more than `allowed`; the message says what to use instead.
    """
    if needed > allowed:
        raise InputError(
            f"{model} over {size} needs about {needed / 2**30:.2g} GiB; memory_bytes allows "
            f"{allowed / 2**30:.2g} GiB: raise it, or {instead}"
        )


def check_range(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """Check a field of a spec.

    Args:
        above: whether `low` itself is refused too.

    Raises:
        InputError: it is outside.
    """
    if not low <= value <= high or (above and value == low):
        span = f"above {low:g}, up to {high:g}" if above else f"{low:g} to {high:g}"
        raise InputError(f"{name} is {value}; allowed: {span}")


def check_fitted(learned: T | None, name: str) -> T:
    """The learned state.

    Raises:
        ModelError: there is none yet.
    """
    if learned is None:
        raise ModelError(f"{name} is not fitted; call fit first")
    return learned


def require(part: dict[str, Any], name: str, model: str) -> Any:
    """One named part of a stored state.

    Raises:
        ModelError: it is missing.
    """
    if name not in part:
        raise ModelError(f"stored {model} lacks {name!r}; it holds {sorted(part)}")
    return part[name]
