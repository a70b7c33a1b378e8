"""Lists that start from a piece, and lists of unfamiliar pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.app.surfaces.listed import ListedItem, listed
from troubadour.interactions.events import History
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.recommenders.slate.recommendation import Recommendation

_HEAD_SHARE: Final = 0.5
"""The most played pieces that together have this share of all listeners form the head."""
_ANCHORS: Final = 3


def of_piece(ranker: Ranker, piece: str) -> History:
    """History of a listener who played one piece completely and nothing else.

    Raises:
        NotFoundError: there is no such piece.
    """
    return History(np.array([ranker.items.row(piece)]), np.ones(1))


def more_like(ranker: Ranker, piece: str, n: int, *, exclude: Iterable[str] = ()) -> list[ListedItem]:
    """Pieces that go with a piece by collaborative filtering and content, independent of a listener.

    Args:
        ranker: the recommender.
        piece: id of the piece.
        n: length of the list.
        exclude: ids to leave out.

    Raises:
        NotFoundError: there is no such piece.
        InputError: n is out of range.
    """
    return [listed(r) for r in ranker.recommend(of_piece(ranker, piece), n, exclude=exclude)]


def because(
    ranker: Ranker, history: History, n: int, *, piece: str | None = None, exclude: Iterable[str] = ()
) -> list[tuple[str, list[ListedItem]]]:
    """Lists for a listener, each based on one piece: (id of the piece, its list); no entry occurs twice.

    Args:
        ranker: the recommender.
        history: the listener's events.
        n: length of each list.
        piece: id of the piece to start from. Default: the latest liked pieces, three at most.
        exclude: ids to leave out.

    Raises:
        NotFoundError: there is no such piece.
        InputError: n is out of range.
    """
    liked = history.items[history.weights > 0]
    anchors = (
        [piece] if piece is not None else [ranker.items.id(row) for row in liked[::-1][:_ANCHORS].tolist()]
    )
    taken = {*exclude, *(ranker.items.id(row) for row in history.items.tolist())}
    lists: list[tuple[str, list[ListedItem]]] = []
    for anchor in anchors:
        found = more_like(ranker, anchor, n, exclude=taken)
        taken |= {one.id for one in found}
        lists.append((anchor, found))
    return lists


def discover(ranker: Ranker, history: History, n: int, *, exclude: Iterable[str] = ()) -> list[ListedItem]:
    """Discovery list: no artist of the listener's history, and no piece of the popularity head.

    Pieces without an artist are filtered by popularity only.

    Args:
        ranker: the recommender.
        history: the listener's events.
        n: length of the list.
        exclude: ids to leave out.

    Raises:
        InputError: n is out of range.
    """
    artists = [info.artist.casefold() for info in ranker.infos]
    met = {artists[row] for row in history.items.tolist()} - {""}
    barred = {ranker.items.id(row) for row, artist in enumerate(artists) if artist in met}
    barred |= {ranker.items.id(row) for row in head_of(ranker.blend.popular.counts).tolist()}
    found = ranker.recommend(history, n, exclude={*exclude, *barred})
    return [_discovered(ranker, one, bool(met)) for one in found]


def _discovered(ranker: Ranker, one: Recommendation, met: bool) -> ListedItem:
    """Entry of a discovery list; its first reason is its low popularity, unless another reason states it."""
    row = ranker.items.row(one.id)
    counts = ranker.blend.popular.counts
    heard = int(counts[row]) if row < len(counts) else 0
    known = (
        f"only {heard} of {ranker.blend.popular.n_listeners} listeners know it"
        if heard
        else "no listeners yet"
    )
    artist = ranker.infos[row].artist
    new = f"{known}, and you have not met {artist}" if artist and met else known
    stated = any(reason.model == "popularity" for reason in one.reasons)
    return listed(one) if stated and new == known else listed(one, new)


def head_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the most played items that together have half of all listener counts; empty without plays."""
    order = np.argsort(-counts, kind="stable")
    total = int(counts.sum())
    before = np.cumsum(counts[order]) - counts[order]
    return np.asarray(order[(before < _HEAD_SHARE * total) & (counts[order] > 0)], dtype=np.int64)
