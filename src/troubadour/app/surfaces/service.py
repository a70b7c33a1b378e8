"""Recommendation surfaces for all interfaces: because, more like this, discover, radio, charts, trends.

Blocked pieces are excluded from all of a listener's lists. Each list of a listener is stored as shown,
under the name of its surface, with the probability of each place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from troubadour.app.loaded_release import LoadedRelease
from troubadour.app.studio import Studio
from troubadour.app.surfaces import charts, lists, radio, trends
from troubadour.app.surfaces.listed import ListedItem, recommended_json
from troubadour.app.surfaces.radio import RadioSpec, Session
from troubadour.core.errors import InputError
from troubadour.core.threads import one_thread
from troubadour.interactions.events import History


@dataclass(frozen=True, slots=True)
class RadioRequest:
    """Radio request, with the session so far."""

    piece: str | None = None
    """Id of the piece to start from; not together with `style`."""
    style: str | None = None
    listener: str | None = None
    """Id of the listener: blocked pieces are not played. Without piece and style the history is the seed."""
    played: Sequence[str] = ()
    """Ids of played pieces, in order; skipped ones may be omitted."""
    skipped: Sequence[str] = ()
    spec: RadioSpec = field(default_factory=RadioSpec)


def because(studio: Studio, listener: str, n: int = 5, *, piece: str | None = None) -> dict[str, Any]:
    """Lists based on the latest liked pieces of a listener, or on one given piece.

    Raises:
        NotFoundError: there is no such listener or piece.
        InputError: n is out of range.
    """
    _check_n(n)
    loaded, history, blocked = _listener(studio, listener)
    if piece is not None:
        studio.store.piece(piece)
    with one_thread():
        found = lists.because(loaded.ranker, history, n, piece=piece, exclude=blocked)
    shown = [one for _, entries in found for one in entries]
    studio.shown(listener, shown, loaded.release.id, slot="because")
    met = {loaded.ranker.items.id(row) for row in history.items.tolist()}
    return {
        "context": "because",
        "listener": listener,
        "release": loaded.release.id,
        "lists": [
            {
                "because": {
                    "id": anchor,
                    "title": loaded.ranker.infos[loaded.ranker.items.row(anchor)].title,
                    "played": anchor in met,
                },
                "items": _items(studio, entries),
            }
            for anchor, entries in found
        ],
    }


def more_like(studio: Studio, piece: str, n: int = 10) -> dict[str, Any]:
    """Pieces that go with a piece, by collaborative filtering and by content.

    Raises:
        NotFoundError: there is no such piece.
        InputError: n is out of range.
    """
    found = studio.store.piece(piece)
    loaded = studio.models()
    with one_thread():
        entries = lists.more_like(loaded.ranker, piece, n)
    return _answer(studio, "more-like", entries, loaded, piece=piece, title=found.title)


def discover(studio: Studio, listener: str, n: int = 10) -> dict[str, Any]:
    """Discovery list of a listener: unfamiliar artists, no piece of the popularity head.

    Raises:
        NotFoundError: there is no such listener.
        InputError: n is out of range.
    """
    loaded, history, blocked = _listener(studio, listener)
    with one_thread():
        found = lists.discover(loaded.ranker, history, n, exclude=blocked)
    studio.shown(listener, found, loaded.release.id, slot="discover")
    return _answer(studio, "discover", found, loaded, listener=listener)


def play_radio(studio: Studio, request: RadioRequest, n: int = 10, *, seed: int = 0) -> dict[str, Any]:
    """Next n pieces of a radio session; fewer if the catalogue is exhausted.

    Raises:
        NotFoundError: there is no such piece or listener.
        InputError: no seed or two seeds, an unknown style, or n out of range.
    """
    _check_n(n)
    loaded = studio.models()
    found = list(islice(_stream(loaded, _session(studio, loaded, request), seed, request.spec), n))
    if request.listener:
        studio.shown(request.listener, found, loaded.release.id, slot="radio")
    start = {
        name: getattr(request, name) for name in ("piece", "style", "listener") if getattr(request, name)
    }
    return _answer(studio, "radio", found, loaded, **start)


def radio_stream(studio: Studio, request: RadioRequest, *, seed: int = 0) -> Iterator[ListedItem]:
    """Radio until the catalogue is exhausted; the pieces are not stored as shown.

    Raises:
        NotFoundError: there is no such piece or listener.
        InputError: no seed or two seeds, or an unknown style.
    """
    loaded = studio.models()
    return _stream(loaded, _session(studio, loaded, request), seed, request.spec)


def _stream(loaded: LoadedRelease, session: Session, seed: int, spec: RadioSpec) -> Iterator[ListedItem]:
    while True:
        with one_thread():  # not around the yield: a generator may never be resumed
            found = radio.next_piece(loaded.ranker, session, seed, spec)
        if found is None:
            return
        session = session.after(found.id)
        yield found


def _session(studio: Studio, loaded: LoadedRelease, request: RadioRequest) -> Session:
    if request.piece and request.style:
        raise InputError(
            f"both a piece ({request.piece}) and a style ({request.style}) are given; start from one of them"
        )
    blocked: set[str] = set()
    if request.listener:
        studio.store.listener(request.listener)
        blocked = studio.store.blocks.pieces(request.listener)
    if request.piece:
        studio.store.piece(request.piece)
        seed = lists.of_piece(loaded.ranker, request.piece)
    elif request.style:
        seed = radio.from_style(loaded.ranker, request.style)
    elif request.listener:
        seed = studio.history(request.listener, loaded)
    else:
        raise InputError("nothing to start a radio from; give a piece, a style or a listener")
    session = Session(seed, request.style or "", exclude=frozenset(blocked))
    skipped = set(request.skipped)
    for one in dict.fromkeys((*request.played, *request.skipped)):
        session = session.after(one, skipped=one in skipped)
    return session


def chart(
    studio: Studio, period: str = "week", n: int = 20, *, style: str = "", end: int | None = None
) -> dict[str, Any]:
    """Most played pieces; see `charts.chart`."""
    found = charts.chart(studio.store, period, n, style=style, end=end)
    return {"context": "chart", **found.to_dict(), "items": _items(studio, found.items)}


def trend(studio: Studio, by: str = "style", n: int = 20, *, weeks_ahead: int = 4) -> dict[str, Any]:
    """Rising and falling plays; see `trends.trends`."""
    return {"context": "trends", **trends.trends(studio.store, by, n, weeks_ahead).to_dict()}


def _listener(studio: Studio, listener: str) -> tuple[LoadedRelease, History, set[str]]:
    """Release, history and unwanted pieces of a listener."""
    studio.store.listener(listener)
    loaded = studio.models()
    return loaded, studio.history(listener, loaded), studio.unwanted(listener)


def _answer(
    studio: Studio, context: str, entries: Sequence[ListedItem], loaded: LoadedRelease, **about: Any
) -> dict[str, Any]:
    return {"context": context, **about, "release": loaded.release.id, "items": _items(studio, entries)}


def _items(studio: Studio, entries: Sequence[ListedItem]) -> list[dict[str, Any]]:
    rows = studio.store.pieces_by_id(one.id for one in entries)
    return [recommended_json(one, rows[one.id]) for one in entries]


def _check_n(n: int) -> None:
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
