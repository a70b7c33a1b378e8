"""The contexts of recommending, for every face: because, more like this, discover, radio, charts, trends.

What a listener blocked stays out of every list of theirs, and every list of theirs is stored as shown, in
the context's name, with the probability of each place.
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
    """What a radio is asked for, and the session so far."""

    piece: str | None = None
    """To start from; or a style."""
    style: str | None = None
    listener: str | None = None
    """For whom: what they blocked is not played. Without piece and style it starts from what they like."""
    played: Sequence[str] = ()
    """In order; those that were skipped may be left out."""
    skipped: Sequence[str] = ()
    spec: RadioSpec = field(default_factory=RadioSpec)


def because(studio: Studio, listener: str, n: int = 5, *, piece: str | None = None) -> dict[str, Any]:
    """Lists because of the latest pieces that a listener liked, or because of one that is named.

    Raises:
        NotFoundError: no such listener or piece.
        InputError: n is out of range.
    """
    _check_n(n)
    models, history, blocked = _listener(studio, listener)
    if piece is not None:
        studio.store.piece(piece)
    with one_thread():
        found = lists.because(models.ranker, history, n, piece=piece, exclude=blocked)
    everything = [one for _, entries in found for one in entries]
    studio.shown(listener, everything, models.release.id, slot="because")
    met = {models.ranker.items.id(row) for row in history.items.tolist()}
    return {
        "context": "because",
        "listener": listener,
        "release": models.release.id,
        "lists": [
            {
                "because": {
                    "id": anchor,
                    "title": models.ranker.infos[models.ranker.items.row(anchor)].title,
                    "played": anchor in met,
                },
                "items": _items(studio, entries),
            }
            for anchor, entries in found
        ],
    }


def more_like(studio: Studio, piece: str, n: int = 10) -> dict[str, Any]:
    """What goes with a piece, by who hears it and by sound.

    Raises:
        NotFoundError: no such piece.
        InputError: n is out of range.
    """
    found = studio.store.piece(piece)
    models = studio.models()
    with one_thread():
        entries = lists.more_like(models.ranker, piece, n)
    return _answer(studio, "more-like", entries, models, piece=piece, title=found.title)


def discover(studio: Studio, listener: str, n: int = 10) -> dict[str, Any]:
    """Only artists that a listener has not met, and nothing that everybody hears.

    Raises:
        NotFoundError: no such listener.
        InputError: n is out of range.
    """
    models, history, blocked = _listener(studio, listener)
    with one_thread():
        found = lists.discover(models.ranker, history, n, exclude=blocked)
    studio.shown(listener, found, models.release.id, slot="discover")
    return _answer(studio, "discover", found, models, listener=listener)


def play_radio(studio: Studio, asked: RadioRequest, n: int = 10, *, seed: int = 0) -> dict[str, Any]:
    """The next n pieces of a radio, after what the session played and skipped; fewer at the end.

    Raises:
        NotFoundError: no such piece or listener.
        InputError: nothing or two things to start from, no such style, or n is out of range.
    """
    _check_n(n)
    models = studio.models()
    found = list(islice(_stream(models, _session(studio, models, asked), seed, asked.spec), n))
    if asked.listener:
        studio.shown(asked.listener, found, models.release.id, slot="radio")
    told = {name: getattr(asked, name) for name in ("piece", "style", "listener") if getattr(asked, name)}
    return _answer(studio, "radio", found, models, **told)


def radio_stream(studio: Studio, asked: RadioRequest, *, seed: int = 0) -> Iterator[ListedItem]:
    """A radio that goes on until all has been played; nothing of it is stored as shown.

    Raises:
        NotFoundError: no such piece or listener.
        InputError: nothing or two things to start from, or no such style.
    """
    models = studio.models()
    return _stream(models, _session(studio, models, asked), seed, asked.spec)


def _stream(models: LoadedRelease, session: Session, seed: int, spec: RadioSpec) -> Iterator[ListedItem]:
    while True:
        with one_thread():  # not around the yield, which may never return
            found = radio.next_piece(models.ranker, session, seed, spec)
        if found is None:
            return
        session = session.after(found.id)
        yield found


def _session(studio: Studio, models: LoadedRelease, asked: RadioRequest) -> Session:
    if asked.piece and asked.style:
        raise InputError(
            f"both a piece ({asked.piece}) and a style ({asked.style}) are given; start from one"
        )
    blocked: set[str] = set()
    if asked.listener:
        studio.store.listener(asked.listener)
        blocked = studio.store.blocks.pieces(asked.listener)
    if asked.piece:
        studio.store.piece(asked.piece)
        seed = lists.of_piece(models.ranker, asked.piece)
    elif asked.style:
        seed = radio.from_style(models.ranker, asked.style)
    elif asked.listener:
        seed = studio.history(asked.listener, models)
    else:
        raise InputError("nothing to start a radio from; give a piece, a style or a listener")
    session = Session(seed, asked.style or "", exclude=frozenset(blocked))
    skipped = set(asked.skipped)
    for one in dict.fromkeys((*asked.played, *asked.skipped)):
        session = session.after(one, skipped=one in skipped)
    return session


def chart(
    studio: Studio, period: str = "week", n: int = 20, *, style: str = "", end: int | None = None
) -> dict[str, Any]:
    """What was played most; see `charts.chart`."""
    found = charts.chart(studio.store, period, n, style=style, end=end)
    return {"context": "chart", **found.to_dict(), "items": _items(studio, found.items)}


def trend(studio: Studio, by: str = "style", n: int = 20, *, weeks_ahead: int = 4) -> dict[str, Any]:
    """What rises and falls; see `trends.trends`."""
    return {"context": "trends", **trends.trends(studio.store, by, n, weeks_ahead).to_dict()}


def _listener(studio: Studio, listener: str) -> tuple[LoadedRelease, History, set[str]]:
    """Models, what a listener did, and what no list of theirs may hold."""
    studio.store.listener(listener)
    models = studio.models()
    return models, studio.history(listener, models), studio.unwanted(listener)


def _answer(
    studio: Studio, context: str, entries: Sequence[ListedItem], models: LoadedRelease, **about: Any
) -> dict[str, Any]:
    return {"context": context, **about, "release": models.release.id, "items": _items(studio, entries)}


def _items(studio: Studio, entries: Sequence[ListedItem]) -> list[dict[str, Any]]:
    rows = studio.store.pieces_by_id(one.id for one in entries)
    return [recommended_json(one, rows[one.id]) for one in entries]


def _check_n(n: int) -> None:
    if not 1 <= n <= 1000:
        raise InputError(f"n is {n}; allowed: 1 to 1000")
