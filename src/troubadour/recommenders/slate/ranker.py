"""Ranking service: scores, filters, re-ranking, exploration and explanations for one history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError
from troubadour.core.progress import Progress
from troubadour.interactions.events import History, Interactions, ListenerEvents, Weights
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.base import FitOptions, Items, Scores, State, require
from troubadour.recommenders.blend.choose import Choice, TuningBudget, choose
from troubadour.recommenders.blend.combine import FallbackLevel, Parts
from troubadour.recommenders.blend.recommender import BlendRecommender, BlendSpec
from troubadour.recommenders.evaluation.metrics import style_matrix
from troubadour.recommenders.explain.reasons import fallback, reasons
from troubadour.recommenders.slate.exploration import SlateItem
from troubadour.recommenders.slate.exposure import learn_prices
from troubadour.recommenders.slate.filters import Filters
from troubadour.recommenders.slate.item_info import ItemInfo, phrase, shared
from troubadour.recommenders.slate.recommendation import Recommendation, SimilarItem
from troubadour.recommenders.slate.rerank import CatalogueView, RankSpec, Scored, first_works, rerank

_BATCH: Final = 64


class Ranker:
    """Recommender of a release: fitted blend, catalogue metadata and exposure prices.

    Immutable: `with_items` and `forget` return a new ranker, so a request always sees one state.

    Args:
        blend: fitted blend.
        items: ids of the catalogue in row order.
        infos: metadata, one per item.
        weights: event weights of histories; None = defaults.
        spec: options of re-ranking; None = defaults.
        listener_count: number of listeners of each item, int64, shape (n_items,); None = zeros.
        price: exposure price of each item, unit of scores, shape (n_items,); None = zeros.
        choice: result of the model selection.
    """

    def __init__(
        self,
        blend: BlendRecommender,
        items: IdMap,
        infos: Sequence[ItemInfo],
        weights: Weights | None = None,
        spec: RankSpec | None = None,
        listener_count: NDArray[np.int64] | None = None,
        price: NDArray[np.float64] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.blend = blend
        self.items = items
        self.infos = tuple(infos)
        self.weights = weights or Weights()
        self.spec = spec or RankSpec()
        listener_count = np.zeros(len(items), dtype=np.int64) if listener_count is None else listener_count
        self.price = np.zeros(len(items)) if price is None else price
        """Exposure price of each item, 0 or more, unit of scores, shape (n_items,)."""
        self.choice = choice
        """Result of the model selection; None after loading, or if the blend was given."""
        styles = style_matrix([str(info.attributes.get("style", "")) for info in self.infos])
        self.view = CatalogueView(
            self.infos, styles, listener_count, blend.content.units if blend.content else None
        )

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        item_vectors: NDArray[np.float32] | None,
        infos: Sequence[ItemInfo],
        rng: np.random.Generator,
        *,
        weights: Weights | None = None,
        spec: RankSpec | None = None,
        blend: BlendSpec | None = None,
        budget: TuningBudget | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Selects, fits and assembles the recommender.

        Args:
            interactions: training log; its item map is the catalogue.
            item_vectors: content vectors, float32, shape (n_items, d); NaN rows = no vector; None = no
                content.
            infos: metadata, one per item.
            rng: source of randomness of the selection and of the price sample.
            weights: event weights; None = defaults.
            spec: options of re-ranking; None = defaults with the selected strength of prices.
            blend: fixed blend; None = select one on validation data.
            budget: limits of the selection.
            progress: receives the stages of the selection.

        Raises:
            InputError: the number of vectors or infos differs from the catalogue.
        """
        weights = weights or Weights()
        options = FitOptions(weights, item_vectors)
        choice = None
        if blend is None:
            choice = choose(interactions, options, rng, budget, progress)
            blend = choice.spec
            spec = spec or RankSpec(exposure=choice.exposure)
        model = BlendRecommender(blend).fit(interactions, options)
        return cls._of(model, interactions, infos, weights, spec, choice, rng)

    @classmethod
    def _of(
        cls,
        blend: BlendRecommender,
        log: Interactions,
        infos: Sequence[ItemInfo],
        weights: Weights,
        spec: RankSpec | None,
        choice: Choice | None,
        rng: np.random.Generator,
    ) -> Self:
        """Builds a ranker from a fitted blend: counts listeners per item and learns exposure prices."""
        if len(infos) != len(log.items):
            raise InputError(f"{len(infos)} infos for {len(log.items)} items; need one per item")
        listener_count = log.audience()
        price = learn_prices(
            lambda some: blend.parts(some).total(), log.histories(weights=weights), listener_count, rng
        )
        return cls(blend, log.items, infos, weights, spec, listener_count, price, choice)

    @property
    def listener_count(self) -> NDArray[np.int64]:
        """Number of listeners of each item, int64, shape (n_items,)."""
        return self.view.listener_count

    def forget(
        self,
        history: History,
        rest: Interactions,
        item_vectors: NDArray[np.float32] | None,
        rng: np.random.Generator,
    ) -> Self:
        """Removes one listener; equals `fit` on `rest` with the same blend and `rng` within 1e-8.

        Parts that support removal are updated, the others are fitted again; see `BlendRecommender.forget`.
        Listener counts and exposure prices are computed again from `rest`.

        Args:
            history: complete history of the listener at fitting.
            rest: training log without the listener.
            item_vectors: vectors of the original fit.
            rng: source of the price sample.

        Raises:
            InputError: the history cannot belong to a listener of the training log, or `rest` has another
                catalogue.
        """
        if rest.items.ids != self.items.ids:
            raise InputError(
                f"the rest of the log has {len(rest.items)} pieces, this ranker {len(self.items)}; "
                "give a log over the same catalogue"
            )
        blend = self.blend.forget(history, rest, FitOptions(self.weights, item_vectors))
        return type(self)._of(blend, rest, self.infos, self.weights, self.spec, self.choice, rng)

    def with_items(self, ids: Sequence[str], vectors: NDArray[np.float32], infos: Sequence[ItemInfo]) -> Self:
        """Appends items to the catalogue; they are scored by content.

        Args:
            ids: new ids.
            vectors: content vectors, float32, shape (len(ids), d).
            infos: metadata, one per id.

        Raises:
            InputError: an id is known already, or the numbers of ids, vectors and infos differ.
        """
        known = [i for i in ids if i in self.items]
        if known or len({len(ids), len(vectors), len(infos)}) != 1:
            raise InputError(
                f"{len(ids)} ids, {len(vectors)} vectors and {len(infos)} infos, of which "
                f"{known[:3]} are known already; need equal numbers, and new ids only"
            )
        none = np.zeros(len(ids))
        return type(self)(
            self.blend.extended(vectors) if len(ids) else self.blend,
            self.items.extended(ids),
            (*self.infos, *infos),
            self.weights,
            self.spec,
            np.concatenate([self.listener_count, none.astype(np.int64)]),
            np.concatenate([self.price, none]),
            self.choice,
        )

    def with_spec(self, spec: RankSpec) -> Self:
        """Replaces the options of re-ranking; models and prices stay the same."""
        return type(self)(
            self.blend,
            self.items,
            self.infos,
            self.weights,
            spec,
            self.listener_count,
            self.price,
            self.choice,
        )

    def history(self, events: ListenerEvents) -> History:
        """Builds the history of one listener over this catalogue; events with other items are left out.

        Raises:
            InputError: a column is out of range.
        """
        rows = self.items.find(events.ids)[events.item]
        known = rows >= 0
        return History.from_events(
            rows[known], events.kind[known], events.value[known], events.time[known], self.weights
        )

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """Returns the scores of the blend before filters and re-ranking; see `Recommender.score`."""
        return self.blend.score(histories, items)

    def recommend(
        self,
        history: History,
        n: int = 10,
        *,
        exclude: Iterable[str] = (),
        filters: Filters | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[Recommendation]:
        """Recommends a list for a history.

        The list contains neither items of the history, nor variants of their works, nor two variants of one
        work. It is shorter than n only if no more items are allowed.

        Args:
            history: history of one listener over this catalogue.
            n: length of the list, 1 to 1000.
            exclude: excluded ids; unknown ids are ignored.
            filters: further constraints.
            rng: source of exploration, see `explore`; None = no randomness.

        Raises:
            InputError: n is out of range, or the history has rows outside the catalogue.
        """
        self._check(history, n)
        filters = filters or Filters()
        allowed = filters.allowed(self.items, self.infos, history)
        blocked = self.items.find(exclude)
        allowed[blocked[blocked >= 0]] = False
        parts = self.blend.parts([history])
        (scored,) = self._scored([history], parts)
        slate = rerank(self.view, self.spec, scored, n, allowed, allow_known=filters.allow_known, rng=rng)
        total = parts.total()[0]
        return [self._explained(history, parts, float(total[one.row]), one) for one in slate]

    def lists(self, histories: Sequence[History], n: int) -> NDArray[np.int64]:
        """Recommends lists for many histories, for evaluation.

        As `recommend` without exploration, explanations and further filters.

        Returns:
            Item rows, int64, shape (len(histories), n); -1 = padding.
        """
        out = np.full((len(histories), n), -1, dtype=np.int64)
        for at in range(0, len(histories), _BATCH):
            batch = histories[at : at + _BATCH]
            for i, scored in enumerate(self._scored(batch, self.blend.parts(batch)), start=at):
                allowed = Filters().allowed(self.items, self.infos, scored.history)
                rows = [one.row for one in rerank(self.view, self.spec, scored, n, allowed)]
                out[i, : len(rows)] = rows
        return out

    def similar(self, item_id: str, n: int = 10, *, exclude: Iterable[str] = ()) -> list[SimilarItem]:
        """Finds the pieces with the most similar content, one per work, without variants of the piece itself.

        Args:
            item_id: id of the reference piece.
            n: largest number of results, 1 to 1000.
            exclude: excluded ids; unknown ids are ignored.

        Raises:
            NotFoundError: the item does not exist.
            InputError: n is out of range, or the item has no vector.
        """
        self._check(History.empty(), n)
        item = self.items.row(item_id)
        content = self.blend.content
        if content is None or not content.known[item]:
            raise InputError(
                f"{item_id!r} has no content vector; choose a piece with notes or measured sound"
            )
        blocked = self.items.find(exclude)
        others = content.known.copy()
        others[[item, *blocked[blocked >= 0].tolist()]] = False
        cosines = np.asarray(content.units @ content.units[item], dtype=np.float64)
        found = first_works(cosines, others, self.infos, {self.infos[item].work} - {""}, n)
        mine = self.infos[item].attributes
        return [
            SimilarItem(
                self.items.id(row),
                self.infos[row].title,
                float(cosines[row]),
                phrase(shared(self.infos[row].attributes, mine)),
                self.infos[row].generated,
            )
            for row in found
        ]

    def _check(self, history: History, n: int) -> None:
        if not 1 <= n <= 1000:
            raise InputError(f"n is {n}; allowed: 1 to 1000")
        if len(history) and history.items.max() >= len(self.items):
            raise InputError(
                f"history contains item row {history.items.max()}; this catalogue has {len(self.items)} rows"
            )

    def _scored(self, histories: Sequence[History], parts: Parts) -> list[Scored]:
        personal = parts.fallback_level != FallbackLevel.POPULARITY
        # Without a history the list is ranked by popularity, and prices would contradict that reason.
        total = parts.total() - np.where(personal, self.spec.exposure * self.price, 0.0)
        return [Scored(h, total[i], personal[i]) for i, h in enumerate(histories)]

    def _explained(self, history: History, parts: Parts, score: float, one: SlateItem) -> Recommendation:
        info = self.infos[one.row]
        return Recommendation(
            id=self.items.id(one.row),
            title=info.title,
            score=score,
            reasons=reasons(self.blend, parts, 0, history, one.row, self.infos),
            fallback=fallback(parts, 0, one.row),
            generated=info.generated,
            propensity=one.propensity,
        )

    # Storing ----------------------------------------------------------------------------------

    def state(self) -> State:
        """Returns the learned state; see `Persistent.state`."""
        blend, arrays = self.blend.state()
        spec: dict[str, Any] = {
            "items": list(self.items),
            "infos": [info.to_dict() for info in self.infos],
            "weights": asdict(self.weights),
            "rank": asdict(self.spec),
            "blend": blend,
        }
        return spec, {**arrays, "rank.heard": self.listener_count, "rank.price": self.price}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Restores the learned state; see `Persistent.from_state`."""
        items = IdMap(require(spec, "items", "ranker"))
        infos = [ItemInfo.from_dict(values) for values in require(spec, "infos", "ranker")]
        blend = BlendRecommender.from_state(require(spec, "blend", "ranker"), arrays)
        listener_count, price = (require(arrays, f"rank.{name}", "ranker") for name in ("heard", "price"))
        if not len(items) == len(infos) == blend.n_items == len(listener_count) == len(price):
            raise ModelError(
                f"stored ranker has {len(items)} ids, {len(infos)} infos, {blend.n_items} rows, "
                f"{len(listener_count)} counts and {len(price)} prices"
            )
        try:
            weights = Weights(**require(spec, "weights", "ranker"))
            rank = RankSpec(**require(spec, "rank", "ranker"))
        except TypeError as error:
            raise ModelError(f"stored ranker spec: {error}") from error
        return cls(
            blend, items, infos, weights, rank, listener_count.astype(np.int64), price.astype(np.float64)
        )
