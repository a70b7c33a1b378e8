"""From a history to a list: candidates, filters, re-ranking, a place for the new, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
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
from troubadour.recommenders.explain.reasons import Reason, fallback, reasons
from troubadour.recommenders.slate.exploration import Draw
from troubadour.recommenders.slate.exposure import learn_prices
from troubadour.recommenders.slate.filters import Filters
from troubadour.recommenders.slate.item_info import ItemInfo, phrase, shared
from troubadour.recommenders.slate.rerank import CatalogueView, RankSpec, Scored, first_works, rerank

_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One piece of a list, with all that speaks for it."""

    id: str
    title: str
    score: float
    """Sum of the parts of all models, in standard deviations above an average piece; the order of a
    list also heeds diversity, styles, exposure and the new."""
    reasons: tuple[Reason, ...]
    """The strongest first; at least one."""
    fallback: str
    """Empty, or what the choice had to rest on instead of the whole blend."""
    generated: bool
    propensity: float = 1.0
    """Probability with which this piece was chosen for its place; 1 where nothing was left to chance."""


@dataclass(frozen=True, slots=True)
class SimilarItem:
    """A piece that sounds like another."""

    id: str
    title: str
    similarity: float
    """Cosine of the standardised vectors, -1 to 1."""
    shared: str
    """What both have in common, in words; may be empty."""
    generated: bool


class Ranker:
    """Everything that is needed to recommend: fitted models, the catalogue's vectors and titles.

    Immutable: `with_items` and `forget` return a new one, so that one request sees one state throughout.
    """

    def __init__(
        self,
        blend: BlendRecommender,
        items: IdMap,
        infos: Sequence[ItemInfo],
        weights: Weights | None = None,
        spec: RankSpec | None = None,
        heard: NDArray[np.int64] | None = None,
        price: NDArray[np.float64] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.blend = blend
        self.items = items
        self.infos = tuple(infos)
        self.weights = weights or Weights()
        self.spec = spec or RankSpec()
        heard = np.zeros(len(items), dtype=np.int64) if heard is None else heard
        self.price = np.zeros(len(items)) if price is None else price
        """What each item's score is lowered by because it is shown too often, shape (n_items,)."""
        self.choice = choice
        """How the blend was chosen; `None` after loading, or where it was given."""
        styles = style_matrix([str(info.attributes.get("style", "")) for info in self.infos])
        self.view = CatalogueView(self.infos, styles, heard, blend.content.units if blend.content else None)

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
        effort: TuningBudget | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from a log.

        Args:
            interactions: the log; its item vocabulary is the catalogue.
            item_vectors: shape (n_items, d), NaN rows where a piece has no vector; may be missing.
            infos: one an item.
            rng: for the choice of the blend, and for the sample that prices are learnt from.
            blend: use this instead of choosing by validation.
            effort: how much may be tried to choose.
            progress: receives the stages of the choice.

        Raises:
            InputError: vectors or infos do not fit the catalogue.
        """
        weights = weights or Weights()
        options = FitOptions(weights, item_vectors)
        choice = None
        if blend is None:
            choice = choose(interactions, options, rng, effort, progress)
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
        """Around a blend that was fitted on a log: what else is learnt from it."""
        if len(infos) != len(log.items):
            raise InputError(f"{len(infos)} infos for {len(log.items)} items; need as many")
        heard = log.audience()
        price = learn_prices(
            lambda some: blend.parts(some).total(), log.histories(weights=weights), heard, rng
        )
        return cls(blend, log.items, infos, weights, spec, heard, price, choice)

    @property
    def heard(self) -> NDArray[np.int64]:
        """How many listeners met each item, shape (n_items,)."""
        return self.view.heard

    def forget(
        self,
        history: History,
        rest: Interactions,
        item_vectors: NDArray[np.float32] | None,
        rng: np.random.Generator,
    ) -> Self:
        """As if one listener had never been: as `fit` on `rest` with the same blend and `rng`, within 1e-8.

        Parts that can subtract a listener do so; the others are fitted again, see `BlendRecommender.forget`. How
        often pieces were heard and what is shown too often is counted anew.

        Args:
            history: the listener's whole history as it was at fitting.
            rest: the log that it was fitted on, without the listener.
            item_vectors: as at fitting.

        Raises:
            InputError: no listener with this history can have been in the log, or `rest` has another
                catalogue.
        """
        if rest.items.ids != self.items.ids:
            raise InputError(
                f"the rest of the log is over {len(rest.items)} pieces, this ranker over {len(self.items)}; "
                "give the log over the same catalogue"
            )
        blend = self.blend.forget(history, rest, FitOptions(self.weights, item_vectors))
        return type(self)._of(blend, rest, self.infos, self.weights, self.spec, self.choice, rng)

    def with_items(self, ids: Sequence[str], vectors: NDArray[np.float32], infos: Sequence[ItemInfo]) -> Self:
        """With new pieces, recommendable at once and by content until they are heard.

        Raises:
            InputError: an id is known already, or the numbers of ids, vectors and infos differ.
        """
        known = [i for i in ids if i in self.items]
        if known or len({len(ids), len(vectors), len(infos)}) != 1:
            raise InputError(
                f"{len(ids)} ids, {len(vectors)} vectors and {len(infos)} infos, of which "
                f"{known[:3]} are known already; need as many of each, all new"
            )
        none = np.zeros(len(ids))
        return type(self)(
            self.blend.extended(vectors) if len(ids) else self.blend,
            self.items.extended(ids),
            (*self.infos, *infos),
            self.weights,
            self.spec,
            np.concatenate([self.heard, none.astype(np.int64)]),
            np.concatenate([self.price, none]),
            self.choice,
        )

    def with_spec(self, spec: RankSpec) -> Self:
        """With other wishes about lists; the models and prices stay."""
        return type(self)(
            self.blend, self.items, self.infos, self.weights, spec, self.heard, self.price, self.choice
        )

    def history(self, events: ListenerEvents) -> History:
        """The history of one listener over this ranker's catalogue; events with other items are left out.

        Raises:
            InputError: a column is out of range.
        """
        rows = self.items.find(events.ids)[events.item]
        known = rows >= 0
        return History.from_events(
            rows[known], events.kind[known], events.value[known], events.time[known], self.weights
        )

    def score(self, histories: Sequence[History], items: Items | None = None) -> Scores:
        """See `Recommender.score`: the blend, before filters and re-ranking."""
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
        """The list for a history; shorter than n only if the catalogue has no more.

        Neither pieces of the history, nor variants of their works, nor two variants of one work.

        Args:
            n: 1 to 1000.
            exclude: ids never to recommend; unknown ones are ignored.
            filters: what else must not be in the list.
            rng: leaves the places kept for new pieces to chance, with known propensities (see
                `explore`); without it they go to those of the highest score.

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
        drawn = rerank(self.view, self.spec, scored, n, allowed, heard=filters.heard, rng=rng)
        total = parts.total()[0]
        return [self._explained(history, parts, float(total[one.row]), one) for one in drawn]

    def lists(self, histories: Sequence[History], n: int) -> NDArray[np.int64]:
        """The rows of the lists of many histories, shape (len(histories), n), -1 where one is shorter.

        As `recommend` without chance, filters but for what was heard, or reasons; for evaluation.
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
        """The pieces that sound most like one; neither itself nor its variants, one per work.

        Raises:
            NotFoundError: no such item.
            InputError: n is out of range, or there are no item vectors.
        """
        self._check(History.empty(), n)
        item = self.items.row(item_id)
        content = self.blend.content
        if content is None or not content.known[item]:
            raise InputError(f"{item_id!r} has no vector; similar pieces cannot be found")
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
                f"history holds item row {history.items.max()}; this catalogue has {len(self.items)} rows"
            )

    def _scored(self, histories: Sequence[History], parts: Parts) -> list[Scored]:
        personal = parts.basis != FallbackLevel.POPULARITY
        # A stranger is shown what is popular, and that is the reason given: no price on it.
        total = parts.total() - np.where(personal, self.spec.exposure * self.price, 0.0)
        return [Scored(h, total[i], personal[i]) for i, h in enumerate(histories)]

    def _explained(self, history: History, parts: Parts, score: float, one: Draw) -> Recommendation:
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
        """See `Persistent.state`."""
        blend, arrays = self.blend.state()
        spec: dict[str, Any] = {
            "items": list(self.items),
            "infos": [info.to_dict() for info in self.infos],
            "weights": asdict(self.weights),
            "rank": asdict(self.spec),
            "blend": blend,
        }
        return spec, {**arrays, "rank.heard": self.heard, "rank.price": self.price}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        items = IdMap(require(spec, "items", "ranker"))
        infos = [ItemInfo.from_dict(values) for values in require(spec, "infos", "ranker")]
        blend = BlendRecommender.from_state(require(spec, "blend", "ranker"), arrays)
        heard, price = (require(arrays, f"rank.{name}", "ranker") for name in ("heard", "price"))
        if not len(items) == len(infos) == blend.n_items == len(heard) == len(price):
            raise ModelError(
                f"stored ranker has {len(items)} ids, {len(infos)} infos, {blend.n_items} rows, "
                f"{len(heard)} counts and {len(price)} prices"
            )
        try:
            weights = Weights(**require(spec, "weights", "ranker"))
            rank = RankSpec(**require(spec, "rank", "ranker"))
        except TypeError as error:
            raise ModelError(f"stored ranker spec: {error}") from error
        return cls(blend, items, infos, weights, rank, heard.astype(np.int64), price.astype(np.float64))
