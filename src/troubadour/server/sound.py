"""Audio of pieces over HTTP: rendered once, cached, sent whole or in ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import Final

from fastapi import APIRouter, Request, Response

from troubadour.app.studio import Studio
from troubadour.formats.render import play, wav_bytes
from troubadour.server.problems import problem

_KEPT: Final = 24
"""Cached pieces; a tune takes about 3 MB."""
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def routes(studio: Studio) -> APIRouter:
    """Router for `GET /api/pieces/{piece}/sound.wav`."""
    router = APIRouter(prefix="/api")
    rendered = _Rendered(studio)

    @router.get("/pieces/{piece}/sound.wav")
    def sound(piece: str, request: Request) -> Response:
        """WAV audio of a piece. Byte ranges are supported; some players require them for seeking."""
        return part_of(rendered.get(piece), request.headers.get("range", ""))

    return router


def part_of(data: bytes, requested: str) -> Response:
    """Response with all of the data, or with one range of bytes; several ranges are answered with all.

    Args:
        data: the whole content.
        requested: value of the header `Range`; empty = all.
    """
    headers = {"Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(requested.strip())
    if not found or not (found[1] or found[2]):
        return Response(data, media_type="audio/wav", headers=headers)
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
    else:  # suffix range: the last bytes
        first, last = max(0, len(data) - int(found[2])), len(data) - 1
    if first > last:
        refused = problem(416, f"range is {requested}; there are {len(data)} bytes")
        refused.headers["Content-Range"] = f"bytes */{len(data)}"
        return refused
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type="audio/wav", headers=headers)


class _Rendered:
    """Cache of the latest rendered pieces."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, piece: str) -> bytes:
        with self._lock:
            if piece in self._kept:
                self._kept.move_to_end(piece)
                return self._kept[piece]
        data = wav_bytes(play(self._studio.store.score(piece), self._studio.renderer))
        with self._lock:
            self._kept[piece] = data
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return data
