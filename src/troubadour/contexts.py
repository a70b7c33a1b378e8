"""The contexts of recommending on a studio: what every face calls for because, more like, discover,
radio, charts and trends. Blocked pieces stay out of every list of a listener."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from troubadour.advise import charts, lists, radio, trends
from troubadour.advise.charts import Chart
from troubadour.advise.listed import Listed, listed
from troubadour.advise.radio import RadioSpec, Session
from troubadour.advise.trends import Trends
from troubadour.blas import one_thread
from troubadour.errors import InputError
from troubadour.studio import Models, Studio


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a radio is asked for: exactly one of piece, style and listener, and the session so far."""

    piece: str | None = None
    style: str | None = None
    listener: str | None = None
    played: Sequence[str] = ()
    skipped: Sequence[str] = ()
    spec: RadioSpec = field(default_factory=RadioSpec)


def for_you(studio: Studio, listener: str, n: int = 10) -> dict[str, Any]:
    """The list for a listener; somebody new gets what is popular, and is told so.

    Raises:
        NotFoundError: no such listener.
        InputError: n is out of range.
    """
    found, release = studio.recommend(listener, n)
    return _answer("for-you", [listed(r) for r in found], release, listener=listener)


def because(studio: Studio, listener: str, n: int = 5, *, piece: str | None = None) -> dict[str, Any]:
    """Lists because of the latest pieces that a listener liked, or because of one that is named.

    Raises:
        NotFoundError: no such listener or piece.
        InputError: n is out of range.
    """
    models = studio.models()
    if piece is not None:
        studio.store.piece(piece)
    history = studio.history(listener, models)
    blocked = studio.store.blocks.pieces(listener)
    with one_thread():
        found = lists.because(models.ranker, history, n, piece=piece, exclude=blocked)
    return {
        "context": "because",
        "listener": listener,
        "release": models.release.id,
        "lists": [
            {"because": {"id": anchor, "title": _title(models, anchor)}, "items": _items(entries)}
            for anchor, entries in found
        ],
        "items": _items([e for _, entries in found for e in entries]),
    }


def more_like(studio: Studio, piece: str, n: int = 10) -> dict[str, Any]:
    """What goes with a piece, by sound and by who hears it.

    Raises:
        NotFoundError: no such piece.
        InputError: n is out of range.
    """
    studio.store.piece(piece)
    models = studio.models()
    with one_thread():
        return _answer("more-like", lists.more_like(models.ranker, piece, n), models.release.id, piece=piece)


def discover(studio: Studio, listener: str, n: int = 10) -> dict[str, Any]:
    """Only artists that a listener has not met, and nothing that everybody hears.

    Raises:
        NotFoundError: no such listener.
        InputError: n is out of range.
    """
    models = studio.models()
    history = studio.history(listener, models)
    blocked = studio.store.blocks.pieces(listener)
    with one_thread():
        found = lists.discover(models.ranker, history, n, artists_of(studio), exclude=blocked)
    return _answer("discover", found, models.release.id, listener=listener)


def play_radio(studio: Studio, asked: Tuned, n: int = 10, *, seed: int = 0) -> dict[str, Any]:
    """The next n pieces of a radio, after what the session played and skipped; fewer at the end.

    Raises:
        NotFoundError: no such piece or listener.
        InputError: no seed or several, no such style, or n is out of range.
    """
    lists.check_n(n)
    models = studio.models()
    found = [one for one, _ in islice(_stream(studio, models, asked, seed), n)]
    told = {name: getattr(asked, name) for name in ("piece", "style", "listener") if getattr(asked, name)}
    return _answer("radio", found, models.release.id, **told)


def radio_stream(studio: Studio, asked: Tuned, *, seed: int = 0) -> Iterator[Listed]:
    """A radio that goes on until all has been played. Skips: ask again with a longer session.

    Raises:
        NotFoundError: no such piece or listener.
        InputError: no seed or several, or no such style.
    """
    return (one for one, _ in _stream(studio, studio.models(), asked, seed))


def _stream(studio: Studio, models: Models, asked: Tuned, seed: int) -> Iterator[tuple[Listed, Session]]:
    session = _session(studio, models, asked)
    rng = np.random.default_rng((seed, len(session.played)))
    with one_thread():
        yield from radio.stream(models.ranker, session, artists_of(studio), rng, asked.spec)


def _session(studio: Studio, models: Models, asked: Tuned) -> Session:
    given = [name for name in ("piece", "style", "listener") if getattr(asked, name)]
    if len(given) != 1:
        raise InputError(f"a radio starts from one of piece, style and listener; given: {given or 'none'}")
    blocked: frozenset[str] = frozenset()
    if asked.piece:
        studio.store.piece(asked.piece)
        seed = lists.of_piece(models.ranker, asked.piece)
    elif asked.style:
        seed = radio.from_style(models.ranker, asked.style)
    else:
        assert asked.listener is not None
        seed = studio.history(asked.listener, models)
        blocked = frozenset(studio.store.blocks.pieces(asked.listener))
    session = Session(seed, asked.style or "", exclude=blocked)
    skipped = set(asked.skipped)
    for one in dict.fromkeys((*asked.played, *asked.skipped)):
        session = session.after(one, skipped=one in skipped)
    return session


def chart(studio: Studio, period: str = "week", n: int = 20, *, style: str = "") -> Chart:
    """See `charts.chart`."""
    return charts.chart(studio.store, period, n, style=style)


def trend(studio: Studio, by: str = "style", n: int = 20, *, weeks_ahead: int = 4) -> Trends:
    """See `trends.trends`."""
    return trends.trends(studio.store, by, n, weeks_ahead)


def artists_of(studio: Studio) -> dict[str, str]:
    """Piece to artist, or composer; empty where nobody is named."""
    return {p.id: "Troubadour" if p.generated else p.artist or p.composer for p in studio.store.pieces()}


def _answer(context: str, entries: Sequence[Listed], release: str, **about: Any) -> dict[str, Any]:
    return {"context": context, **about, "release": release, "items": _items(entries)}


def _items(entries: Sequence[Listed]) -> list[dict[str, Any]]:
    return [one.to_dict() for one in entries]


def _title(models: Models, piece: str) -> str:
    return models.ranker.infos[models.ranker.items.row(piece)].title
