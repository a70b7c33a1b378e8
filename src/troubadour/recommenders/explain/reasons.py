"""Explanations: contributions of history items to a score, and counterfactual scores without them.

A contribution is one term of an additive score. It differs from the effect of removing the item: ALS
solves the listener's vector again, which changes all terms. `Reason.without` is the score after removal.
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
    "sequential": "the sequential model",
}


class Contribution(NamedTuple):
    """Contribution of one history item to a score."""

    item: int
    """Row of the item."""
    title: str
    amount: float
    """Term of the model's score; negative terms count against the recommendation."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Reason of one model, or of several additive models together."""

    model: str
    """Name of the recommender; names of several are joined by +."""
    text: str
    """Text for people, one clause."""
    score: float
    """Raw score of one model in its own unit; sum of several models in the unit of the blend."""
    part: float
    """Contribution to the blended score: scale * score + baseline."""
    contributions: tuple[Contribution, ...] = ()
    """Non-zero contributions of history items, the largest absolute value first; their sum is `score`."""
    scale: float = 1.0
    """Derivative of the blended score with respect to `score`."""
    baseline: float = 0.0
    """Offset of standardisation: minus the contribution of an average item."""
    without: float | None = None
    """`score` after removal of the largest positive contribution from the history, with models and `scale`
    unchanged. None if there is no positive contribution, or only one item contributes."""


class AdditivePart(NamedTuple):
    """An additive recommender with its scale and contribution in a blend."""

    name: str
    model: Additive
    scale: float
    part: float


def reasons(
    blend: BlendRecommender, parts: Parts, at: int, history: History, item: int, infos: Sequence[ItemInfo]
) -> tuple[Reason, ...]:
    """Explains a recommendation.

    Args:
        blend: fitted blend.
        parts: components of the scores over the whole catalogue.
        at: row of the history in `parts`.
        history: history of the listener.
        item: row of the recommended item.
        infos: metadata, one per item.

    Returns:
        Reasons, the largest contribution first; at least one.
    """
    found: list[Reason] = []
    additive: list[AdditivePart] = []
    for name, amounts, scales in zip(parts.names, parts.amounts, parts.scales, strict=True):
        amount, scale = float(amounts[at, item]), float(scales[at, item])
        model = blend.models[name]
        if not scale:
            continue
        if isinstance(model, ContentRecommender):
            if amount > 0:
                found.append(by_sound(model, history, item, infos, scale, amount))
        elif isinstance(model, Additive):
            additive.append(AdditivePart(name, model, scale, amount))
        elif amount > 0:
            place, of = 1 + int((amounts[at] > amount).sum()), amounts.shape[1]
            found.append(by_rank(name, place, of, amount, item, history, infos, blend.content))
    if sum(one.part for one in additive) > 0:
        found.append(by_plays(additive, history, item, infos))
    found.sort(key=lambda reason: -reason.part)
    popularity = float(parts.popularity[at, item])
    if not found or popularity > 0:
        found.append(by_popularity(blend.popular, item, popularity))
    return tuple(found)


def fallback(parts: Parts, at: int, item: int) -> str:
    """Describes the fallback of a score for people; "" if the score is based on the whole blend."""
    fallback_level = FallbackLevel(int(parts.fallback_level[at, item]))
    if fallback_level == FallbackLevel.BLEND:
        return ""
    if (parts.fallback_level[at] == FallbackLevel.POPULARITY).all():
        return "no usable history yet: chosen by popularity"
    if fallback_level == FallbackLevel.POPULARITY:
        return "no data on this piece: chosen by popularity"
    there = [name for name, scale in zip(parts.names, parts.scales, strict=True) if scale[at, item]]
    if there == ["content"]:
        return "no common listeners with the history yet: chosen by sound alone"
    return f"not known to all models: chosen by {' and '.join(there)}"


def by_plays(
    models: Sequence[AdditivePart], history: History, item: int, infos: Sequence[ItemInfo]
) -> Reason:
    """Explains by collaborative evidence: contributions of history items in additive models.

    Contributions of one model are in its own unit; those of several models are in the unit of the blend.
    Cost:
    the terms of the score, computed with and without the strongest item.
    """
    alone = len(models) == 1
    amounts = sum(
        ((1.0 if alone else one.scale) * one.model.contributions(history, item) for one in models),
        np.zeros(len(history)),
    )
    contributions = _contributions_of(amounts, history, infos)
    score = sum(b.amount for b in contributions)
    positive = [b for b in contributions if b.amount > 0]
    without = None
    if positive and contributions[1:]:
        without = _score(models, history.without(positive[0].item), item)
    scale = models[0].scale if alone else 1.0
    part = sum(one.part for one in models)
    return Reason(
        "+".join(one.name for one in models),
        _plays_text(contributions, score, without, item, infos),
        score,
        part,
        contributions,
        scale,
        part - scale * score,
        without,
    )


def _score(models: Sequence[AdditivePart], history: History, item: int) -> float:
    """Sums the terms of the models; the unit is as in `by_plays`."""
    alone = len(models) == 1
    terms = [(1.0 if alone else one.scale) * one.model.contributions(history, item) for one in models]
    return float(sum(np.nansum(each) for each in terms))


def _plays_text(
    contributions: Sequence[Contribution],
    score: float,
    without: float | None,
    item: int,
    infos: Sequence[ItemInfo],
) -> str:
    """Formats contributions: `listeners of A (60% of what speaks for it) and B (40%) also play it; ...`."""
    positive, against = ([b for b in contributions if (b.amount > 0) == sign] for sign in (True, False))
    if not positive:
        return "listeners with the same dislikes play it"
    total = sum(b.amount for b in positive)
    titles = [_called(b.item, item, infos) for b in positive[:3]]
    # The share of a single piece would always be 100%.
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
    """Formats a relative change: `13% lower`, `2% higher`, or `about the same` below 0.5%."""
    if abs(share) < 0.005:
        return "about the same"
    return f"{abs(share):.0%} {'higher' if share > 0 else 'lower'}"


def by_sound(
    model: ContentRecommender,
    history: History,
    item: int,
    infos: Sequence[ItemInfo],
    scale: float,
    part: float,
) -> Reason:
    """Explains by content: the most similar liked pieces and the attributes they share."""
    contributions = _contributions_of(model.contributions(history, item), history, infos)
    score = sum(b.amount for b in contributions)
    nearest = nearest_liked(model, history, item)[:2]
    if not nearest:
        text = "it sounds like the pieces they play"
    else:
        words = shared(infos[item].attributes, infos[nearest[0]].attributes)
        named = [nearest[0]]
        for other in nearest[1:]:
            # Name only pieces that share all of the named attributes.
            if all(shared(infos[item].attributes, infos[other].attributes).get(n) for n in words):
                named.append(other)
        like = _listed([_called(row, item, infos) for row in named])
        what = phrase(words)
        text = f"{what}, like {like}" if what else f"sounds like {like}"
    return Reason("content", text, score, part, contributions, scale, part - scale * score)


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
    """Explains by rank, for models whose score is not a sum over the history.

    Adds the most similar liked piece.

    Args:
        place: rank of the item by this model alone, 1 = first.
        of: number of ranked items.
    """
    text = f"{_NAMES.get(name, name)} ranks it {place:,} of {of:,} for this history"
    nearest = nearest_liked(content, history, item)[:1] if content is not None else []
    if nearest:
        text += f"; nearest in sound: {infos[nearest[0]].title or f'piece {nearest[0]}'}"
    return Reason(name, text, float(place), part, scale=0.0, baseline=part)


def by_popularity(model: PopularRecommender, item: int, part: float) -> Reason:
    """Explains by popularity: the number of listeners."""
    count = int(model.counts[item]) if item < len(model.counts) else 0
    text = f"heard by {count} of {model.n_listeners} listeners" if count else "no listeners yet"
    return Reason("popularity", text, float(count), part, scale=0.0, baseline=part)


def _called(row: int, item: int, infos: Sequence[ItemInfo]) -> str:
    """Title of a piece in the explanation of another; equal titles are marked by `another`."""
    title = infos[row].title or f"piece {row}"
    return f"another {title}" if title == infos[item].title else title


def nearest_liked(model: ContentRecommender, history: History, item: int) -> list[int]:
    """Returns the liked items that have a vector, the most similar to `item` first."""
    if item >= len(model.known) or not model.known[item]:
        return []
    liked = history.items[(history.weights > 0) & (history.items < len(model.known))]
    liked = liked[model.known[liked]]
    nearest: NDArray[np.int32] = liked[np.argsort(-model.similar(item, liked), kind="stable")]
    return [int(row) for row in nearest]


def _contributions_of(
    amounts: NDArray[np.float64], history: History, infos: Sequence[ItemInfo]
) -> tuple[Contribution, ...]:
    order = np.argsort(-np.abs(amounts), kind="stable")
    order = order[(amounts[order] != 0) & ~np.isnan(amounts[order])]
    rows = history.items[order].tolist()
    titles = [infos[row].title or f"piece {row}" for row in rows]
    return tuple(map(Contribution._make, zip(rows, titles, amounts[order].tolist(), strict=True)))


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])
