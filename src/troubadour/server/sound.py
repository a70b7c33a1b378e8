"""The sound of pieces over HTTP: rendered once, kept for a while, sent whole or in part (RFC 9110, section 14)."""

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
"""Pieces; a tune is about 3 MB."""
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def routes(studio: Studio) -> APIRouter:
    """`GET /api/pieces/{piece}/sound.wav`."""
    router = APIRouter(prefix="/api")
    rendered = _Rendered(studio)

    @router.get("/pieces/{piece}/sound.wav")
    def sound(piece: str, request: Request) -> Response:
        """A piece as WAV. Players ask for parts of it, without which some neither seek nor play."""
        return part_of(rendered.get(piece), request.headers.get("range", ""))

    return router


def part_of(data: bytes, asked: str) -> Response:
    """Data, or the one range of bytes that is asked for; several ranges are answered with the whole.

    Args:
        asked: the header `Range`, or nothing.
    """
    headers = {"Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(asked.strip())
    if not found or not (found[1] or found[2]):
        return Response(data, media_type="audio/wav", headers=headers)
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
    else:  # the last so many bytes
        first, last = max(0, len(data) - int(found[2])), len(data) - 1
    if first > last:
        refused = problem(416, f"range is {asked}; there are {len(data)} bytes")
        refused.headers["Content-Range"] = f"bytes */{len(data)}"
        return refused
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type="audio/wav", headers=headers)


class _Rendered:
    """The pieces that were asked for last."""

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
