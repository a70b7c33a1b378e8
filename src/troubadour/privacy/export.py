"""Export of all data that the store holds about a listener."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any, Final

from troubadour.catalogue.records import Block, Impression, Unmatched
from troubadour.catalogue.store import Store
from troubadour.interactions.bot_filter import Flag

FORMAT: Final = "troubadour-listener"
VERSION: Final = 1
_SALT: Final = "salt"
_LAST: Final = 253_402_300_799


def export(store: Store, listener: str) -> dict[str, Any]:
    """All data of a listener in the store, for JSON.

    Models hold no further data: only the listener's share of sums over all listeners.

    Raises:
        NotFoundError: there is no such listener.
    """
    person = store.listener(listener)
    pieces = {p.id: p for p in store.pieces()}
    events = store.event_rows(listener)
    played: dict[str, int] = {}
    for event in events:
        if event["kind"] == "play" and not event["flags"]:
            style = pieces[event["piece"]].style
            played[style] = played.get(style, 0) + 1
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported": iso(datetime.now(UTC).timestamp()),
        "listener": {
            "id": person.id,
            "name": person.name,
            "simulated": person.simulated,
            "created": iso(store.created(listener)),
        },
        "events": [
            {
                **event,
                "title": pieces[event["piece"]].title,
                "artist": pieces[event["piece"]].artist or pieces[event["piece"]].composer,
                "at": iso(event["time"]),
                "flags": [f.name.lower() for f in Flag if event["flags"] & f and f.name],
            }
            for event in events
        ],
        "not_in_catalogue": [_unmatched(u) for u in store.unmatched.all(listener)],
        "shown": [_impression(i, pieces[i.piece].title) for i in store.impressions.of(listener, 2**31)],
        "blocked": [_block(b) for b in store.blocks.of(listener)],
        "composed_for_them": [
            {"id": p.id, "title": p.title, "provenance": p.provenance}
            for p in pieces.values()
            if p.generated and p.provenance.get("listener") == listener
        ],
        "derived": {"plays_by_style": dict(sorted(played.items(), key=lambda kv: (-kv[1], kv[0])))},
    }


def pseudonym(store: Store, listener: str) -> str:
    """Salted hash of a listener's id, 64 hexadecimal digits.

    The salt belongs to the store. A holder of the store and of an id can check whether a receipt is
    about that id; without both this is not possible.
    """
    salt = store.get(_SALT)
    if salt is None:
        salt = secrets.token_hex(16)
        store.set(_SALT, salt)
    return hashlib.sha256(f"{salt}\0{listener}".encode()).hexdigest()


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601, UTC; later times than the year 9999 become its last second."""
    return datetime.fromtimestamp(min(int(seconds), _LAST), UTC).isoformat().replace("+00:00", "Z")


def _unmatched(one: Unmatched) -> dict[str, Any]:
    return {
        "event": one.event,
        "title": one.title,
        "artist": one.artist,
        "album": one.album,
        "identifiers": dict(one.identifiers),
        "reason": one.reason,
        "kind": one.kind,
        "value": one.value,
        "time": one.time,
        "at": iso(one.time),
        "flags": [f.name.lower() for f in Flag if one.flags & f and f.name],
        "source": one.source,
    }


def _impression(one: Impression, title: str) -> dict[str, Any]:
    names = ("impression", "piece", "rank", "release", "slot", "shown_with", "propensity", "time")
    return {**{name: getattr(one, name) for name in names}, "title": title, "at": iso(one.time)}


def _block(one: Block) -> dict[str, Any]:
    return {"what": one.what, "value": one.value, "time": one.time, "at": iso(one.time)}
