"""From a history to a list: candidates, filters, re-ranking, a place for the new, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.errors import InputError, ModelError
from troubadour.listening.interactions import History, Interactions, Weights
from troubadour.listening.vocabulary import Vocabulary
from troubadour.recommenders.base import FitOptions, Items, Scores, State, require
from troubadour.recommenders.blend import Basis, BlendRecommender, BlendSpec, Parts
from troubadour.recommenders.choose import Choice, Effort, Tell, choose
from troubadour.recommenders.diversity import Candidates, diversify, one_per_work
from troubadour.recommenders.explain import Reason, fallback, reasons
from troubadour.recommenders.exploration import RARE, Draw, doubt, explore
from troubadour.recommenders.exposure import prices
from troubadour.recommenders.filters import Filters
from troubadour.recommenders.info import ItemInfo, phrase, shared
from troubadour.recommenders.metrics import style_matrix, style_shares

_BATCH: Final = 64
_PRICED: Final = 20
"""Length of the lists that prices are learnt for."""
_SAMPLE: Final = 1000
"""Most listeners that prices are learnt from."""
_RARE_POOL: Final = 50
"""Candidates for each place that is kept for the new."""


@dataclass(frozen=True, slots=True)
class RankSpec:
    """What may be chosen about lists."""

    diversity: float = 0.15
    """0 (by score alone) to 1 (unlike each other at any cost)."""
    calibration: float = 0.05
    """How much the styles of a list are drawn to those of the history, 0 (not) to 10."""
    group_share: float = 0.5
    """Most of a list that one book or artist may fill, above 0 to 1, while there is another."""
    new_share: float = 0.1
    """Share of a list, rounded down, kept for pieces that hardly anybody has heard, 0 to 1: without it
    they would hardly ever be shown, and so never heard."""
    curiosity: float = 1.0
    """How unsure the score of a piece is that nobody heard, as a standard deviation in the unit of
    scores, 0 to 100; decides how evenly the kept places go round."""
    exposure: float = 1.0
    """How much of the price of being shown too often is taken off, 0 (none) to 1 (all)."""
    pool: int = 100
    """Candidates that are looked at for diversity, at least as many as are asked for."""

    def __post_init__(self) -> None:
        high = {"pool": 10_000, "calibration": 10, "curiosity": 100}
        for field in fields(self):
            value, most = getattr(self, field.name), high.get(field.name, 1)
            if not 0 <= value <= most or (field.name in ("group_share", "pool") and not value):
                raise InputError(f"{field.name} is {value}; allowed: up to {most}")


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


class _Scored(NamedTuple):
    """What a list is made from: one history's scores over the whole catalogue."""

    history: History
    parts: Parts
    at: int
    """The history's row in `parts`."""
    total: NDArray[np.float64]
    """Sum of the parts, shape (n_items,)."""
    priced: NDArray[np.float64]
    """The same less prices."""


class Ranker:
    """Everything that is needed to recommend: fitted models, the catalogue's vectors and titles.

    Immutable: `with_items` returns a new one, so that one request sees one state throughout.
    """

    def __init__(
        self,
        blend: BlendRecommender,
        items: Vocabulary,
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
        self.heard = np.zeros(len(items), dtype=np.int64) if heard is None else heard
        """How many listeners met each item, shape (n_items,)."""
        self.price = np.zeros(len(items)) if price is None else price
        """What each item's score is lowered by because it is shown too often, shape (n_items,)."""
        self.choice = choice
        """How the blend was chosen; `None` after loading, or where it was given."""
        self._styles = style_matrix([str(info.attributes.get("style", "")) for info in self.infos])

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
        effort: Effort | None = None,
        tell: Tell | None = None,
    ) -> Self:
        """Learn from a log.

        Args:
            interactions: the log; its item vocabulary is the catalogue.
            item_vectors: shape (n_items, d), NaN rows where a piece has no vector; may be missing.
            infos: one an item.
            rng: for the choice of the blend, and for the sample that prices are learnt from.
            blend: use this instead of choosing by validation.
            effort: how much may be tried to choose.
            tell: progress.

        Raises:
            InputError: vectors or infos do not fit the catalogue.
        """
        if len(infos) != len(interactions.items):
            raise InputError(f"{len(infos)} infos for {len(interactions.items)} items; need as many")
        weights = weights or Weights()
        options = FitOptions(weights, item_vectors)
        choice = None
        if blend is None:
            choice = choose(interactions, options, rng, effort, tell)
            blend = choice.spec
        model = BlendRecommender(blend).fit(interactions, options)
        pairs = np.unique(np.stack([interactions.listener, interactions.item]).astype(np.int64), axis=1)
        heard = np.bincount(pairs[1], minlength=len(infos)).astype(np.int64)
        plain = cls(model, interactions.items, infos, weights, spec, heard, None, choice)
        price = plain._learn_prices(interactions, rng)
        return cls(model, interactions.items, infos, weights, spec, heard, price, choice)

    def _learn_prices(self, interactions: Interactions, rng: np.random.Generator) -> NDArray[np.float64]:
        """Prices that keep lists of 20 for the log's own listeners from being always the same."""
        histories = [h for h in interactions.histories(weights=self.weights) if (h.weights > 0).any()]
        if len(histories) > _SAMPLE:
            histories = [histories[i] for i in rng.choice(len(histories), _SAMPLE, replace=False).tolist()]
        width = min(10 * _PRICED, len(self.items))
        rows, scores = [np.zeros((0, width), np.int64)], [np.zeros((0, width))]
        for at in range(0, len(histories), _BATCH):
            batch = histories[at : at + _BATCH]
            total = self.blend.parts(batch).total()
            for row, history in zip(total, batch, strict=True):
                row[history.items] = -np.inf
            best = np.argpartition(-total, width - 1, axis=1)[:, :width]
            value = np.take_along_axis(total, best, axis=1)
            rows.append(np.where(np.isneginf(value), -1, best))
            scores.append(value)
        return prices(np.concatenate(rows), np.concatenate(scores), self.heard, _PRICED)

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

    def history(self, item_ids: Sequence[str], kind: ArrayLike, value: ArrayLike, time: ArrayLike) -> History:
        """What one listener did, from their events (see `Interactions` for the columns).

        Raises:
            NotFoundError: an item is not in this ranker's catalogue.
            InputError: a column is out of range.
        """
        one = ["listener"] * len(item_ids)
        log = Interactions.from_ids(one, item_ids, kind, value, time, items=self.items)
        return log.history(0, self.weights) if len(log) else History.empty()

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
        scored = self._scored([history])[0]
        drawn = self._list(scored, n, allowed, filters.heard, rng)
        return [self._explained(scored, one) for one in drawn]

    def lists(self, histories: Sequence[History], n: int) -> NDArray[np.int64]:
        """The rows of the lists of many histories, shape (len(histories), n), -1 where one is shorter.

        As `recommend` without chance, filters but for what was heard, or reasons; for evaluation.
        """
        out = np.full((len(histories), n), -1, dtype=np.int64)
        for at in range(0, len(histories), _BATCH):
            for i, scored in enumerate(self._scored(histories[at : at + _BATCH]), start=at):
                allowed = Filters().allowed(self.items, self.infos, scored.history)
                rows = [one.row for one in self._list(scored, n, allowed, False, None)]
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
        rows = np.flatnonzero(others)
        cosines = content.similar(item, rows.astype(np.int32))
        order = rows[np.argsort(-cosines, kind="stable")]
        found = one_per_work(order, self.infos, {self.infos[item].work} - {""}, n)
        mine = self.infos[item].attributes
        return [
            SimilarItem(
                self.items.id(row),
                self.infos[row].title,
                float(content.units[row] @ content.units[item]),
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

    # From scores to a list --------------------------------------------------------------------

    def _scored(self, histories: Sequence[History]) -> list[_Scored]:
        parts = self.blend.parts(histories)
        total = parts.total()
        # A stranger is shown what is popular, and that is the reason given: no price on it.
        price = np.where(parts.basis == Basis.POPULARITY, 0.0, self.spec.exposure * self.price)
        return [_Scored(h, parts, i, total[i], total[i] - price[i]) for i, h in enumerate(histories)]

    def _list(
        self,
        scored: _Scored,
        n: int,
        allowed: NDArray[np.bool_],
        heard: bool,
        rng: np.random.Generator | None,
    ) -> list[Draw]:
        order = np.argsort(-scored.priced, kind="stable")
        order = order[allowed[order]]
        works = set() if heard else {self.infos[row].work for row in scored.history.items.tolist()} - {""}
        pool = one_per_work(order, self.infos, works, max(n, self.spec.pool))
        units = self.blend.content.units[pool] if self.blend.content else np.zeros((len(pool), 1))
        candidates = Candidates(
            pool,
            scored.priced[pool],
            np.asarray(units @ units.T, dtype=np.float64),
            [self.infos[row].group for row in pool],
            self._styles[pool],
            style_shares(scored.history, self._styles),
        )
        chosen = diversify(
            candidates,
            n,
            diversity=self.spec.diversity,
            calibration=self.spec.calibration,
            most_of_group=max(1, int(np.ceil(self.spec.group_share * n))),
        )
        return self._with_new(chosen, order, works, scored, n, rng)

    def _with_new(
        self,
        chosen: list[int],
        order: NDArray[np.int64],
        works: set[str],
        scored: _Scored,
        n: int,
        rng: np.random.Generator | None,
    ) -> list[Draw]:
        """The list with its last places given to hardly known pieces, where it has too few of them."""
        certain = [Draw(row, 1.0) for row in chosen]
        new = (self.heard <= RARE) & (scored.parts.basis[scored.at] != Basis.POPULARITY)
        missing = int(self.spec.new_share * n) - int(new[chosen].sum())
        if missing <= 0:
            return certain
        taken = works | {self.infos[row].work for row in chosen} - {""}
        fresh = order[new[order] & ~np.isin(order, chosen)]
        rows = np.array(one_per_work(fresh, self.infos, taken, missing * _RARE_POOL), dtype=np.int64)
        unsure = doubt(self.heard[rows], self.spec.curiosity)
        drawn = explore(rows, scored.priced[rows], unsure, missing, rng)
        return certain[: n - len(drawn)] + drawn

    def _explained(self, scored: _Scored, one: Draw) -> Recommendation:
        info = self.infos[one.row]
        return Recommendation(
            id=self.items.id(one.row),
            title=info.title,
            score=float(scored.total[one.row]),
            reasons=reasons(self.blend, scored.parts, scored.at, scored.history, one.row, self.infos),
            fallback=fallback(scored.parts, scored.at, one.row),
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
        items = Vocabulary(require(spec, "items", "ranker"))
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
