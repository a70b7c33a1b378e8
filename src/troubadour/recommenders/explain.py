"""Why a piece is recommended, exactly: the amounts told sum to the model's own score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troubadour.listening.interactions import History
from troubadour.recommenders.base import Additive
from troubadour.recommenders.content import ContentRecommender
from troubadour.recommenders.info import ItemInfo, phrase, shared
from troubadour.recommenders.popular import PopularRecommender


@dataclass(frozen=True, slots=True)
class Because:
    """One piece of the history and what it adds."""

    item: int
    """Row of the piece."""
    title: str
    amount: float
    """What it adds to the model's score; below 0 where it speaks against the recommendation."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What one model says for a piece."""

    model: str
    """`ease`, `content` or `popularity`."""
    text: str
    """One clause for people."""
    score: float
    """The model's own score, in its own unit."""
    part: float
    """What it adds to the score of the recommendation."""
    because: tuple[Because, ...] = ()
    """All of the history that counts, the strongest first; the amounts sum to `score`."""


def by_plays(model: Additive, history: History, item: int, infos: Sequence[ItemInfo], part: float) -> Reason:
    """The collaborative reason: who hears these pieces hears this one too."""
    because = _because(model.contributions(history, item), history, infos)
    score = sum(b.amount for b in because)
    positive = [b for b in because if b.amount > 0]
    total = sum(b.amount for b in positive)
    named = [f"{b.title} ({b.amount / total:.0%})" for b in positive[:3]]
    more = len(positive) - len(named)
    text = "listeners of " + _listed([*named, *([f"{more} more"] if more else [])])
    return Reason("ease", f"{text} also play it", score, part, because)


def by_sound(
    model: ContentRecommender,
    history: History,
    item: int,
    infos: Sequence[ItemInfo],
    part: float,
) -> Reason:
    """The content reason: the nearest pieces that the listener liked, and what they share."""
    because = _because(model.contributions(history, item), history, infos)
    score = sum(b.amount for b in because)
    liked = history.items[(history.weights > 0) & (history.items < len(model.known))]
    similar = model.similar(item, liked)
    nearest = liked[np.argsort(-similar, kind="stable")[:2]].tolist()
    words = shared(infos[item].attributes, infos[nearest[0]].attributes)
    named = [nearest[0]]
    for other in nearest[1:]:
        # Only what the named pieces all share may be said of them.
        if all(shared(infos[item].attributes, infos[other].attributes).get(n) for n in words):
            named.append(other)
    like = _listed([infos[row].title or f"piece {row}" for row in named])
    what = phrase(words)
    return Reason("content", f"{what}, like {like}" if what else f"sounds like {like}", score, part, because)


def by_popularity(model: PopularRecommender, item: int, part: float) -> Reason:
    """The popularity reason: how many listeners heard it."""
    count = int(model.counts[item]) if item < len(model.counts) else 0
    text = f"heard by {count} of {model.n_listeners} listeners"
    return Reason("popularity", text, float(count), part)


def _because(
    amounts: NDArray[np.float64], history: History, infos: Sequence[ItemInfo]
) -> tuple[Because, ...]:
    order = np.argsort(-np.abs(amounts), kind="stable")
    return tuple(
        Because(int(row), infos[row].title or f"piece {row}", float(amounts[i]))
        for i, row in zip(order.tolist(), history.items[order].tolist(), strict=True)
        if amounts[i] != 0 and not np.isnan(amounts[i])
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])
