"""Reasons for a recommendation: shares of the plays where a score is a sum over plays, and what removing one does.

A play's amount is its term of the sum. Removing the play need not lower the score by that amount: ALS places
the listener anew, so that all terms change. `Reason.without` is the score after a real removal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.interactions.events import History
from troubadour.recommenders.base import Additive
from troubadour.recommenders.blend.combine import FallbackLevel, Parts
from troubadour.recommenders.blend.recommender import BlendRecommender
from troubadour.recommenders.scorers.content import ContentRecommender
from troubadour.recommenders.scorers.popular import PopularRecommender
from troubadour.recommenders.slate.item_info import ItemInfo, phrase, shared

_NAMES: Final = {
    "bpr": "a factor model (BPR)",
    "sequential": "the model of what follows what",
}


class Because(NamedTuple):
    """One piece of the history and what it adds."""

    item: int
    """Row of the piece."""
    title: str
    amount: float
    """Its term of the model's score; below 0 where it speaks against the recommendation."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What one model, or several that count plays together, say for a piece."""

    model: str
    """Name of the recommender; of several joined by +."""
    text: str
    """One clause for people."""
    score: float
    """The model's own score, in its own unit; of several their sum, in that of the blend."""
    part: float
    """What it adds to the score of the recommendation: scale * score + baseline."""
    because: tuple[Because, ...] = ()
    """All of the history that counts, the strongest first; the amounts sum to `score`."""
    scale: float = 1.0
    """What one unit of `score` adds to the score of the recommendation."""
    baseline: float = 0.0
    """What is taken off because an average piece would get as much."""
    without: float | None = None
    """`score` if the strongest piece for it were not in the history, by scoring again without it; `None`
    where no piece is named or it is the only one. The models and `scale` stay as they are."""


class Counted(NamedTuple):
    """A recommender whose score is a sum over plays, and what came of it in a blend."""

    name: str
    model: Additive
    scale: float
    part: float


def reasons(
    blend: BlendRecommender, parts: Parts, at: int, history: History, item: int, infos: Sequence[ItemInfo]
) -> tuple[Reason, ...]:
    """What speaks for an item, the strongest first, at least one.

    Args:
        parts: of the whole catalogue.
        at: the history's row in `parts`.
    """
    found: list[Reason] = []
    counted: list[Counted] = []
    for name, amounts, scales in zip(parts.names, parts.amounts, parts.scales, strict=True):
        amount, scale = float(amounts[at, item]), float(scales[at, item])
        model = blend.models[name]
        if not scale:
            continue
        if isinstance(model, ContentRecommender):
            if amount > 0:
                found.append(by_sound(model, history, item, infos, scale, amount))
        elif isinstance(model, Additive):
            counted.append(Counted(name, model, scale, amount))
        elif amount > 0:
            place, of = 1 + int((amounts[at] > amount).sum()), amounts.shape[1]
            found.append(by_rank(name, place, of, amount, item, history, infos, blend.content))
    if sum(one.part for one in counted) > 0:
        found.append(by_plays(counted, history, item, infos))
    found.sort(key=lambda reason: -reason.part)
    popularity = float(parts.popularity[at, item])
    if not found or popularity > 0:
        found.append(by_popularity(blend.popular, item, popularity))
    return tuple(found)


def fallback(parts: Parts, at: int, item: int) -> str:
    """What a score had to rest on instead of the whole blend; empty = it did not have to."""
    basis = FallbackLevel(int(parts.basis[at, item]))
    if basis == FallbackLevel.BLEND:
        return ""
    if (parts.basis[at] == FallbackLevel.POPULARITY).all():
        return "nothing is known to go by yet: chosen by popularity"
    if basis == FallbackLevel.POPULARITY:
        return "nothing to compare it with: chosen by popularity"
    there = [name for name, scale in zip(parts.names, parts.scales, strict=True) if scale[at, item]]
    if there == ["content"]:
        return "no listener links it to what they play yet: chosen by its sound alone"
    return f"not known to every model: chosen by {' and '.join(there)}"


def by_plays(models: Sequence[Counted], history: History, item: int, infos: Sequence[ItemInfo]) -> Reason:
    """The collaborative reason: who hears these pieces hears this one too.

    Amounts of one model stay in its own unit; those of several are put into the blend's and added. Costs
    the terms of the item's score twice: with the strongest piece and without it.
    """
    alone = len(models) == 1
    amounts = sum(
        ((1.0 if alone else one.scale) * one.model.contributions(history, item) for one in models),
        np.zeros(len(history)),
    )
    because = _because(amounts, history, infos)
    score = sum(b.amount for b in because)
    positive = [b for b in because if b.amount > 0]
    without = None
    if positive and because[1:]:
        without = _score(models, history.without(positive[0].item), item)
    scale = models[0].scale if alone else 1.0
    part = sum(one.part for one in models)
    return Reason(
        "+".join(one.name for one in models),
        _plays_text(because, score, without, item, infos),
        score,
        part,
        because,
        scale,
        part - scale * score,
        without,
    )


def _score(models: Sequence[Counted], history: History, item: int) -> float:
    """Sum of the models' terms for an item; of one model in its own unit, of several in the blend's."""
    alone = len(models) == 1
    terms = [(1.0 if alone else one.scale) * one.model.contributions(history, item) for one in models]
    return float(sum(np.nansum(each) for each in terms))


def _plays_text(
    because: Sequence[Because], score: float, without: float | None, item: int, infos: Sequence[ItemInfo]
) -> str:
    """`listeners of A (60% of what speaks for it) and B (40%) also play it; against it: C; without A ...`."""
    positive, against = ([b for b in because if (b.amount > 0) == sign] for sign in (True, False))
    if not positive:
        return "listeners with the same dislikes play it"
    total = sum(b.amount for b in positive)
    titles = [_called(b.item, item, infos) for b in positive[:3]]
    # Of one piece alone the share would be 100%, which says nothing.
    named = [
        f"{title} ({b.amount / total:.0%}{'' if i else ' of what speaks for it'})" if positive[1:] else title
        for i, (title, b) in enumerate(zip(titles, positive, strict=False))
    ]
    more = len(positive) - len(named)
    text = "listeners of " + _listed([*named, *([f"{more} more"] if more else [])]) + " also play it"
    if against:
        most = _called(against[0].item, item, infos)
        text += f"; against it: {most}" + (f" and {len(against) - 1} more" if against[1:] else "")
    if without is not None and score > 0:
        text += f"; without {titles[0]} it would score {_change(without / score - 1)}"
    return text


def _change(share: float) -> str:
    """`13% lower`, `2% higher`, or `much the same` below half a per cent."""
    if abs(share) < 0.005:
        return "much the same"
    return f"{abs(share):.0%} {'higher' if share > 0 else 'lower'}"


def by_sound(
    model: ContentRecommender,
    history: History,
    item: int,
    infos: Sequence[ItemInfo],
    scale: float,
    part: float,
) -> Reason:
    """The content reason: the nearest pieces that the listener liked, and what they share."""
    because = _because(model.contributions(history, item), history, infos)
    score = sum(b.amount for b in because)
    nearest = nearest_liked(model, history, item)[:2]
    if not nearest:
        text = "its sound fits what they play"
    else:
        words = shared(infos[item].attributes, infos[nearest[0]].attributes)
        named = [nearest[0]]
        for other in nearest[1:]:
            # Only what the named pieces all share may be said of them.
            if all(shared(infos[item].attributes, infos[other].attributes).get(n) for n in words):
                named.append(other)
        like = _listed([_called(row, item, infos) for row in named])
        what = phrase(words)
        text = f"{what}, like {like}" if what else f"sounds like {like}"
    return Reason("content", text, score, part, because, scale, part - scale * score)


def by_rank(
    name: str,
    place: int,
    of: int,
    part: float,
    item: int,
    history: History,
    infos: Sequence[ItemInfo],
    content: ContentRecommender | None,
) -> Reason:
    """For a model whose score is no sum over plays: where it places the piece, and what is near in sound.

    No play is said to be the cause, since none can be told.

    Args:
        place: 1 = the first of `of` pieces, by this model alone.
    """
    text = f"{_NAMES.get(name, name)} puts it {place:,} of {of:,} for what they play"
    nearest = nearest_liked(content, history, item)[:1] if content is not None else []
    if nearest:
        text += f"; nearest in sound: {infos[nearest[0]].title or f'piece {nearest[0]}'}"
    return Reason(name, text, float(place), part, scale=0.0, baseline=part)


def by_popularity(model: PopularRecommender, item: int, part: float) -> Reason:
    """The popularity reason: how many listeners heard it."""
    count = int(model.counts[item]) if item < len(model.counts) else 0
    text = f"heard by {count} of {model.n_listeners} listeners" if count else "nobody has heard it yet"
    return Reason("popularity", text, float(count), part, scale=0.0, baseline=part)


def _called(row: int, item: int, infos: Sequence[ItemInfo]) -> str:
    """A piece as the reason for another: the same title twice would read as if it were the same piece."""
    title = infos[row].title or f"piece {row}"
    return f"another {title}" if title == infos[item].title else title


def nearest_liked(model: ContentRecommender, history: History, item: int) -> list[int]:
    """What a history likes and has a vector, the nearest to an item first."""
    if item >= len(model.known) or not model.known[item]:
        return []
    liked = history.items[(history.weights > 0) & (history.items < len(model.known))]
    liked = liked[model.known[liked]]
    nearest: NDArray[np.int32] = liked[np.argsort(-model.similar(item, liked), kind="stable")]
    return [int(row) for row in nearest]


def _because(
    amounts: NDArray[np.float64], history: History, infos: Sequence[ItemInfo]
) -> tuple[Because, ...]:
    order = np.argsort(-np.abs(amounts), kind="stable")
    order = order[(amounts[order] != 0) & ~np.isnan(amounts[order])]
    rows = history.items[order].tolist()
    titles = [infos[row].title or f"piece {row}" for row in rows]
    return tuple(map(Because._make, zip(rows, titles, amounts[order].tolist(), strict=True)))


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])
