"""Lists that start from a piece, or that leave out what is known already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.advise.listed import Listed, listed
from troubadour.errors import InputError
from troubadour.listening.interactions import History
from troubadour.recommenders.rank import Ranker

_HEAD_SHARE: Final = 0.5
"""The most heard pieces that together have this share of all listeners are the head, not the tail."""
_ANCHORS: Final = 3


def of_piece(ranker: Ranker, piece: str) -> History:
    """The history of somebody who heard one piece to the end and nothing else."""
    return History(np.array([ranker.items.row(piece)]), np.ones(1))


def more_like(ranker: Ranker, piece: str, n: int, *, exclude: Iterable[str] = ()) -> list[Listed]:
    """What goes with a piece: heard with it and sounding like it, whoever asks.

    Raises:
        NotFoundError: no such piece.
        InputError: n is out of range.
    """
    return [listed(r) for r in ranker.recommend(of_piece(ranker, piece), n, exclude=exclude)]


def because(
    ranker: Ranker, history: History, n: int, *, piece: str | None = None, exclude: Iterable[str] = ()
) -> list[tuple[str, list[Listed]]]:
    """Lists for a listener, each because of one piece: (id of the piece, its list), no entry twice.

    Args:
        piece: the one to start from; without it the latest pieces that they liked, three at most.

    Raises:
        NotFoundError: no such piece.
        InputError: n is out of range.
    """
    liked = history.items[history.weights > 0]
    anchors = (
        [piece] if piece is not None else [ranker.items.id(row) for row in liked[::-1][:_ANCHORS].tolist()]
    )
    taken = {*exclude, *(ranker.items.id(row) for row in history.items.tolist())}
    lists: list[tuple[str, list[Listed]]] = []
    for anchor in anchors:
        title = ranker.infos[ranker.items.row(anchor)].title
        found = ranker.recommend(of_piece(ranker, anchor), n, exclude=taken)
        taken |= {r.id for r in found}
        lists.append((anchor, [listed(r, f"because you played {title}") for r in found]))
    return lists


def discover(
    ranker: Ranker,
    history: History,
    n: int,
    artists: Mapping[str, str],
    *,
    exclude: Iterable[str] = (),
) -> list[Listed]:
    """Only what a listener has not met: no artist of their history, and nothing that everybody hears.

    Args:
        artists: piece to artist; pieces whose artist nobody knows are barred only by being popular.

    Raises:
        InputError: n is out of range.
    """
    met = {artists.get(ranker.items.id(row), "") for row in history.items.tolist()} - {""}
    barred = {i for i in ranker.items if artists.get(i, "") in met} if met else set[str]()
    counts = ranker.blend.popular.counts
    head = head_of(counts)
    barred |= {ranker.items.id(row) for row in head.tolist()}
    found = ranker.recommend(history, n, exclude={*exclude, *barred})
    total = ranker.blend.popular.n_listeners
    entries: list[Listed] = []
    for one in found:
        row = ranker.items.row(one.id)
        heard = int(counts[row]) if row < len(counts) else 0
        artist = artists.get(one.id, "")
        why = f"heard by {heard} of {total} listeners" if heard else "nobody has heard it yet"
        entries.append(listed(one, f"{why}, and you have not met {artist}" if artist and met else why))
    return entries


def head_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the most heard items that together have half of all hearings; none without any."""
    order = np.argsort(-counts, kind="stable")
    total = int(counts.sum())
    if not total:
        return np.empty(0, dtype=np.int64)
    before = np.cumsum(counts[order]) - counts[order]
    return np.asarray(order[(before < _HEAD_SHARE * total) & (counts[order] > 0)], dtype=np.int64)


def check_n(n: int) -> None:
    """Raises:
    InputError: a list cannot have that many entries.
    """
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
