"""From a history to a list: candidates, filters, blend, diversity, a place for the new, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.errors import InputError, ModelError
from troubadour.listening.interactions import History, Interactions, Weights
from troubadour.listening.vocabulary import Vocabulary
from troubadour.recommenders.base import FitOptions, Items, Scores, State, require
from troubadour.recommenders.blend import Basis, BlendRecommender, BlendSpec, Parts
from troubadour.recommenders.choose import Trial, choose_blend
from troubadour.recommenders.diversity import diversify, one_per_work
from troubadour.recommenders.explain import Reason, by_plays, by_popularity, by_sound
from troubadour.recommenders.info import ItemInfo, phrase, shared

_FALLBACKS = {
    Basis.BLEND: "",
    Basis.CONTENT: "nobody with this taste has heard it yet: chosen by its sound alone",
    Basis.POPULARITY: "nothing to compare it with: chosen by popularity",
}


@dataclass(frozen=True, slots=True)
class RankSpec:
    """What may be chosen about lists."""

    diversity: float = 0.15
    """0 (by score alone) to 1 (unlike each other at any cost)."""
    group_share: float = 0.5
    """Most of a list that one book or artist may fill, above 0 to 1, while there is another."""
    new_share: float = 0.1
    """Share of a list, rounded down, kept for pieces that nobody has heard, 0 to 1: without it
    they would hardly ever be shown, and so never heard."""
    pool: int = 100
    """Candidates that are looked at for diversity, at least as many as are asked for."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            high = 10_000 if field.name == "pool" else 1
            if not 0 <= value <= high or (field.name in ("group_share", "pool") and not value):
                raise InputError(f"{field.name} is {value}; allowed: up to {high}")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One piece of a list, with all that speaks for it."""

    id: str
    title: str
    score: float
    """Sum of the parts of all models, in standard deviations above an average piece."""
    reasons: tuple[Reason, ...]
    """The strongest first; at least one."""
    fallback: str
    """Empty, or what the choice had to rest on instead of the whole blend."""
    generated: bool


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

    Immutable: `with_items` returns a new one, so that one request sees one state throughout.
    """

    def __init__(
        self,
        blend: BlendRecommender,
        items: Vocabulary,
        infos: Sequence[ItemInfo],
        weights: Weights | None = None,
        spec: RankSpec | None = None,
        trials: Sequence[Trial] = (),
    ) -> None:
        self.blend = blend
        self.items = items
        self.infos = tuple(infos)
        self.weights = weights or Weights()
        self.spec = spec or RankSpec()
        self.trials = tuple(trials)
        """What the choice of the blend tried; empty after loading."""

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        item_vectors: NDArray[np.float32],
        infos: Sequence[ItemInfo],
        rng: np.random.Generator,
        *,
        weights: Weights | None = None,
        spec: RankSpec | None = None,
        blend: BlendSpec | None = None,
    ) -> Self:
        """Learn from a log.

        Args:
            interactions: the log; its item vocabulary is the catalogue.
            item_vectors: shape (n_items, d), NaN rows where a piece has no vector.
            infos: one an item.
            rng: for the choice of the blend.
            blend: use this instead of choosing by validation.

        Raises:
            InputError: vectors or infos do not fit the catalogue.
        """
        if len(infos) != len(interactions.items):
            raise InputError(f"{len(infos)} infos for {len(interactions.items)} items; need as many")
        weights = weights or Weights()
        options = FitOptions(weights, item_vectors)
        trials: tuple[Trial, ...] = ()
        if blend is None:
            blend, trials = choose_blend(interactions, options, rng)
        model = BlendRecommender(blend).fit(interactions, options)
        return cls(model, interactions.items, infos, weights, spec, trials)

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
        blend = self.blend.extended(vectors) if len(ids) else self.blend
        items = self.items.extended(ids)
        return type(self)(blend, items, (*self.infos, *infos), self.weights, self.spec, self.trials)

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
        """See `Recommender.score`: the blend, before filters and diversity."""
        return self.blend.score(histories, items)

    def recommend(
        self, history: History, n: int = 10, *, exclude: Iterable[str] = ()
    ) -> list[Recommendation]:
        """The list for a history; shorter than n only if the catalogue has no more.

        Neither pieces of the history, nor variants of their works, nor two variants of one work.

        Args:
            n: 1 to 1000.
            exclude: ids never to recommend (blocked, explicit); unknown ones are ignored.

        Raises:
            InputError: n is out of range, or the history has rows outside the catalogue.
        """
        self._check(history, n)
        parts = self.blend.parts([history])
        total = parts.total()[0]
        allowed = np.ones(len(self.items), dtype=bool)
        allowed[history.items] = False
        blocked = self.items.find(exclude)
        allowed[blocked[blocked >= 0]] = False
        order = np.argsort(-total, kind="stable")
        order = order[allowed[order]]

        works = {self.infos[row].work for row in history.items.tolist()} - {""}
        pool = one_per_work(order, self.infos, works, max(n, self.spec.pool))
        chosen = self._diverse(pool, total, n)
        chosen = self._with_new(chosen, order, works, parts, n)
        return [self._explained(history, row, parts) for row in chosen]

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

    def _diverse(self, pool: Sequence[int], total: NDArray[np.float64], n: int) -> list[int]:
        units = self.blend.content.units[pool] if self.blend.content else np.zeros((len(pool), 1))
        return diversify(
            pool,
            total[pool],
            np.asarray(units @ units.T, dtype=np.float64),
            [self.infos[row].group for row in pool],
            n,
            diversity=self.spec.diversity,
            most_of_group=max(1, int(np.ceil(self.spec.group_share * n))),
        )

    def _with_new(
        self,
        chosen: list[int],
        order: NDArray[np.int64],
        works: set[str],
        parts: Parts,
        n: int,
    ) -> list[int]:
        """The list with its last places given to unheard pieces, where it has too few of them."""
        unheard = ~self.blend.ease.known(len(self.items)) & (parts.basis[0] == Basis.CONTENT)
        missing = int(self.spec.new_share * n) - int(unheard[chosen].sum())
        if missing <= 0:
            return chosen
        taken = works | {self.infos[row].work for row in chosen} - {""}
        fresh = order[unheard[order] & ~np.isin(order, chosen)]
        new = one_per_work(fresh, self.infos, taken, missing)
        return chosen[: n - len(new)] + new

    def _explained(self, history: History, row: int, parts: Parts) -> Recommendation:
        basis = Basis(int(parts.basis[0, row]))
        amounts = {name: float(getattr(parts, name)[0, row]) for name in ("ease", "content", "popularity")}
        reasons: list[Reason] = []
        if basis == Basis.BLEND and amounts["ease"] > 0:
            reasons.append(by_plays(self.blend.ease, history, row, self.infos, amounts["ease"]))
        if self.blend.content is not None and basis != Basis.POPULARITY and amounts["content"] > 0:
            part = amounts["content"]
            reasons.append(by_sound(self.blend.content, history, row, self.infos, part))
        reasons.sort(key=lambda reason: -reason.part)
        if not reasons or amounts["popularity"] > 0:
            reasons.append(by_popularity(self.blend.popular, row, amounts["popularity"]))
        info = self.infos[row]
        return Recommendation(
            id=self.items.id(row),
            title=info.title,
            score=sum(amounts.values()),
            reasons=tuple(reasons),
            fallback=_FALLBACKS[basis],
            generated=info.generated,
        )

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
        return spec, arrays

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """See `Persistent.from_state`."""
        items = Vocabulary(require(spec, "items", "ranker"))
        infos = [ItemInfo.from_dict(values) for values in require(spec, "infos", "ranker")]
        blend = BlendRecommender.from_state(require(spec, "blend", "ranker"), arrays)
        if not len(items) == len(infos) == blend.n_items:
            raise ModelError(
                f"stored ranker has {len(items)} ids, {len(infos)} infos and {blend.n_items} rows"
            )
        try:
            weights = Weights(**require(spec, "weights", "ranker"))
            return cls(blend, items, infos, weights, RankSpec(**require(spec, "rank", "ranker")))
        except TypeError as error:
            raise ModelError(f"stored ranker spec: {error}") from error
