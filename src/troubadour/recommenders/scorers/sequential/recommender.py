"""Sequential recommender: next-item prediction by a causal Transformer over listening histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import MissingExtraError, ModelError
from troubadour.interactions.events import History, Interactions
from troubadour.recommenders.base import (
    FitOptions,
    Items,
    Scores,
    State,
    batches,
    check_fitted,
    check_memory,
    require,
    take_items,
)
from troubadour.recommenders.scorers.sequential.runtime import SequentialRuntime
from troubadour.recommenders.scorers.sequential.spec import SequentialSpec


class SequentialRecommender:
    """Sequential model (SASRec): score_j = logit of item j after the sequence of liked items.

    Each item occurs once, at its last event (see `History`); items without a positive weight are left out.
    Fitting requires torch (`pip install 'troubadour[train]'`). Scoring runs in ONNX Runtime, float32, one
    thread.

    Cost of the fit: see `training.train`. Memory: 16 bytes per parameter (about width * items), and 12 bytes
    for each batch position and candidate item.

    Source: Kang & McAuley, "Self-attentive sequential recommendation", ICDM 2018, with the loss of
    Klenitskiy & Vasilev, "Turning dross into gold loss", RecSys 2023.
    """

    def __init__(
        self,
        spec: SequentialSpec | None = None,
        weights: dict[str, NDArray[Any]] | None = None,
        known: NDArray[np.bool_] | None = None,
    ) -> None:
        self.spec = spec or SequentialSpec()
        self._weights = weights
        self._known = known
        self._engine = None if weights is None else SequentialRuntime(self.spec, weights)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fits the network; see `Recommender.fit`. `options.item_vectors` is optional.

        Raises:
            InputError: the fit exceeds `memory_bytes`.
            MissingExtraError: torch is not installed.
        """
        options = options or FitOptions()
        n_items = len(interactions.items)
        compared = n_items if n_items <= self.spec.full_items else self.spec.sample
        needed = (
            16.0 * self.spec.width * (n_items + 1) + 12.0 * self.spec.batch * self.spec.context * compared
        )
        instead = "take a smaller batch or sample, or use als or rp3beta, which learn without gradients"
        check_memory("the sequential model", f"{n_items} items", needed, self.spec.memory_bytes, instead)
        try:
            from troubadour.recommenders.scorers.sequential.training import train
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"fitting the sequential recommender needs {error.name}: pip install 'troubadour[train]'"
            ) from error
        sequences = liked_sequences(interactions.histories(weights=options.weights), n_items)
        weights, _ = train(sequences, n_items, features(self.spec, options.item_vectors, n_items), self.spec)
        known = np.zeros(n_items, dtype=bool)
        for sequence in sequences:
            known[sequence] = True
        return type(self)(self.spec, weights, known)

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Scores items; see `Recommender.score`. NaN for items without a positive weight in training."""
        engine, known = check_fitted(self._engine, "sequential"), check_fitted(self._known, "sequential")
        sequences = liked_sequences(histories, len(known))
        scores = np.empty((len(sequences), len(known)))
        for some in batches(len(sequences), 64 * self.spec.context * self.spec.width):
            scores[some] = engine.score(sequences[some])
        scores[:, ~known] = np.nan
        return take_items(scores, items)

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        known = check_fitted(self._known, "sequential")
        return asdict(self.spec), {"known": known, **check_fitted(self._weights, "sequential")}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        known = require(arrays, "known", "sequential").astype(bool)
        weights = {name: array for name, array in arrays.items() if name != "known"}
        if known.shape != require(weights, "bias", "sequential").shape:
            raise ModelError(
                f"stored sequential model has a mask of {known.shape} items, which does not match its weights"
            )
        try:
            return cls(SequentialSpec(**spec), weights, known)
        except TypeError as error:
            raise ModelError(f"stored sequential spec {spec}: {error}") from error


def liked_sequences(histories: Sequence[History], n_items: int) -> list[NDArray[np.int64]]:
    """Selects the liked items of each history, oldest first; rows >= `n_items` are left out."""
    return [h.items[(h.weights > 0) & (h.items < n_items)].astype(np.int64) for h in histories]


def features(spec: SequentialSpec, vectors: NDArray[np.float32] | None, n_items: int) -> NDArray[np.float32]:
    """Centres item vectors and scales them to length 1, shape (n_items, d); zeros for missing vectors."""
    if vectors is None or not spec.sound or not n_items:
        return np.zeros((n_items, 0), dtype=np.float32)
    there = np.asarray(~np.isnan(vectors).any(axis=1))
    if not there.any():
        return np.zeros((n_items, 0), dtype=np.float32)
    centred = np.where(there[:, None], vectors - vectors[there].mean(axis=0), 0.0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-9), dtype=np.float32)
