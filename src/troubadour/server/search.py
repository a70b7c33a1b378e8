"""Search routes: by title, by typed notes, or by a recording of a hummed, whistled or played tune."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Query, Request

from troubadour.app.studio import Studio
from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.export.licensing import rights
from troubadour.similarity.melody_search.typed import typed_skyline

MAX_RECORDING: Final = 20_000_000
"""Largest recording in bytes: a minute of 24-bit stereo at 48 kHz."""
RECORDING_PATH: Final = "/api/search/recording"


def routes(studio: Studio) -> APIRouter:
    """Router for `GET /api/pieces?words=`, `/api/composed`, `/api/search?notes=` and `POST /api/search/recording`."""
    router = APIRouter()

    @router.get("/api/pieces")
    def find(words: str = Query(max_length=500), n: int = Query(20, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces whose title, composer, artist or style contains all words."""
        found = studio.store.find(words, n)
        return {"items": [{"id": p.id, "title": p.title, "style": p.style, **rights(p)} for p in found]}

    @router.get("/api/composed")
    def newest(n: int = Query(20, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces composed in this home, newest first."""
        found = studio.store.pieces(generated=True)[: -n - 1 : -1]
        return {"items": [{"id": p.id, "title": p.title, "style": p.style, **rights(p)} for p in found]}

    @router.get("/api/search")
    def search(notes: str = Query(max_length=5_000), n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces that contain typed notes, in any key, octave and tempo."""
        line = typed_skyline(notes)
        items = [hit.to_dict() for hit in studio.search(line, n)]
        return {"query": {"notes": len(line)}, "items": items}

    @router.post(RECORDING_PATH)
    async def search_recording(request: Request, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces that contain a recorded melody. The body is the audio file itself, in any supported format."""
        from starlette.concurrency import run_in_threadpool

        size = 0
        with tempfile.NamedTemporaryFile(prefix="troubadour-", suffix=".audio") as file:
            async for part in request.stream():
                size += len(part)
                if size > MAX_RECORDING:
                    raise InputError(f"a recording of over {size:,} bytes; allowed: {MAX_RECORDING:,}")
                file.write(part)
            if not size:
                raise InputError("the body is empty; send the recording itself as the body")
            file.flush()
            try:
                query, hits = await run_in_threadpool(studio.search_recording, Path(file.name), n)
            except UnreadableFileError as error:
                raise UnreadableFileError("the recording", error.cause) from error
        return {"query": query.to_dict(), "items": [hit.to_dict() for hit in hits]}

    return router
