"""REST API over the use cases of the command line, and the page."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from troubadour.app.studio import Studio
from troubadour.app.surfaces.listed import listed, recommended_json
from troubadour.catalogue.store import Event
from troubadour.core.errors import TroubadourError
from troubadour.export.licensing import rights, terms_of
from troubadour.formats.engrave import Engraver
from troubadour.music.score import MODES
from troubadour.server import analysis, compose, listeners, search, sound, surfaces
from troubadour.server.problems import problem, status_of

_PAGE: Final = Path(__file__).parent / "page"
_MAX_BODY: Final = 100_000
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class EventRequest(BaseModel):
    """Event of a listener."""

    model_config = ConfigDict(extra="forbid")

    piece: str
    kind: str = Field(examples=["play"])
    value: float | None = None
    event: str | None = Field(default=None, description="Id of the event; a repeated id counts once.")
    release: str | None = None
    rank: int | None = None


def create_app(studio: Studio) -> FastAPI:
    """The application on one studio."""
    engraver = Engraver()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engraver.close()

    app = FastAPI(
        title="Troubadour",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own page of routes loads files from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )

    @app.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        allowed = search.MAX_RECORDING if request.url.path == search.RECORDING_PATH else _MAX_BODY
        if not length.isdigit() or int(length) > allowed:
            return problem(413, f"body of {length} bytes; allowed: {allowed}")
        response = await call(request)
        response.headers.update(_SECURITY)
        if not request.url.path.startswith("/api/"):
            # Revalidated at each request and answered with 304, so that a new version of the page is used at once.
            response.headers["Cache-Control"] = "no-cache"
        return response

    @app.exception_handler(TroubadourError)
    async def failed(_: Request, error: TroubadourError) -> JSONResponse:
        return problem(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"] if p != "body")
        return problem(422, f"{where}: {first['msg']}")

    @app.get("/api/status")
    def status() -> dict[str, Any]:
        """Counts of pieces, listeners and events, and the live release."""
        return {k: v for k, v in studio.status().items() if k != "home"}

    @app.get("/api/options")
    def options() -> dict[str, Any]:
        """Available styles and modes."""
        return {"styles": studio.models().composer.styles, "modes": MODES}

    @app.get("/api/listeners")
    def everybody(
        limit: int = Query(100, ge=1, le=10_000), words: str = "", offset: int = Query(0, ge=0, le=2**31)
    ) -> list[dict[str, Any]]:
        """Listeners whose id or name contains `words`, in order of arrival."""
        found = studio.store.listeners(words, limit=limit, offset=offset)
        return [{"id": p.id, "name": p.name, "simulated": p.simulated} for p in found]

    @app.get("/api/listeners/{listener}")
    def listener_facts(listener: str) -> dict[str, Any]:
        """Facts about a listener: liked styles and latest plays."""
        person = studio.store.listener(listener)
        events = studio.store.history(listener, limit=12)
        titles = studio.store.pieces_by_id(e[0] for e in events)
        return {
            "id": person.id,
            "name": person.name,
            "simulated": person.simulated,
            "styles": studio.liked_styles(listener)[:6],
            "last": [
                {
                    "piece": piece,
                    "title": titles[piece].title,
                    "style": titles[piece].style,
                    "generated": titles[piece].generated,
                    "kind": kind,
                    "value": value,
                    "time": when,
                }
                for piece, kind, value, when in events
            ],
        }

    @app.get("/api/listeners/{listener}/recommendations")
    def recommendations(listener: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Recommendations for a listener, with reasons; the list is stored as shown."""
        found, release = studio.recommend(listener, n)
        studio.shown(listener, found, release)
        rows = studio.store.pieces_by_id(item.id for item in found)
        items = [recommended_json(listed(item), rows[item.id]) for item in found]
        return {"listener": listener, "items": items, "release": release}

    @app.post("/api/listeners/{listener}/events", status_code=201)
    def record(listener: str, request: EventRequest) -> dict[str, int]:
        """Record an event of a listener; the next list takes it into account."""
        event = Event(
            event=request.event or secrets.token_hex(12),
            listener=listener,
            piece=request.piece,
            kind=request.kind,
            time=int(time.time()),
            value=request.value,
            release=request.release,
            rank=request.rank,
        )
        return {"stored": studio.record([event])}

    @app.put("/api/pieces/{piece}/explicit")
    def mark_explicit(piece: str) -> dict[str, Any]:
        """Mark a piece as explicit."""
        studio.store.mark_explicit(piece, True)
        return {"id": piece, "explicit": True}

    @app.delete("/api/pieces/{piece}/explicit")
    def mark_clean(piece: str) -> dict[str, Any]:
        """Remove the mark."""
        studio.store.mark_explicit(piece, False)
        return {"id": piece, "explicit": False}

    @app.get("/api/pieces/{piece}")
    def facts(piece: str) -> dict[str, Any]:
        """Facts about a piece; for a generated piece also seed, release, controls and longest match."""
        row = studio.store.piece(piece)
        known = {
            name: getattr(row, name)
            for name in (
                "id", "title", "artist", "composer", "style", "collection", "source", "licence", "generated",
                "medium", "explicit", "attributes", "quality", "provenance",
            )
        }  # fmt: skip
        return {**known, "terms": terms_of(row)}

    @app.get("/api/pieces/{piece}/similar")
    def similar(piece: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces most similar by content."""
        found = studio.similar(piece, n)
        rows = studio.store.pieces_by_id(i.id for i in found)
        items = [
            {
                "id": i.id,
                "title": i.title,
                "score": i.similarity,
                "shared": i.shared,
                **rights(rows[i.id]),
            }
            for i in found
        ]
        return {"piece": piece, "items": items}

    @app.get("/api/pieces/{piece}/score.svg")
    def score(piece: str, width: int = Query(2100, ge=500, le=5000)) -> Response:
        """Engraved score as SVG.

        Args:
            piece: id of the piece.
            width: page width in tenths of a millimetre.
        """
        # Viewing is no export: the terms were accepted for that at import.
        page = studio.musicxml(piece, accept_terms=True)
        return Response(engraver.svg(page, width), media_type="image/svg+xml")

    @app.get("/api/pieces/{piece}/score.musicxml")
    def musicxml(piece: str, accept_terms: bool = False) -> Response:
        """The score as MusicXML."""
        kind = "application/vnd.recordare.musicxml+xml"
        data = studio.musicxml(piece, accept_terms=accept_terms)
        return Response(data, media_type=kind, headers=_attachment(piece, "musicxml"))

    @app.get("/api/pieces/{piece}/score.mid")
    def midi(piece: str, accept_terms: bool = False) -> Response:
        """The score as MIDI."""
        data = studio.midi(piece, accept_terms=accept_terms)
        return Response(data, media_type="audio/midi", headers=_attachment(piece, "mid"))

    app.include_router(compose.routes(studio))
    app.include_router(surfaces.routes(studio))
    app.include_router(listeners.routes(studio))
    app.include_router(search.routes(studio))
    app.include_router(sound.routes(studio))
    app.include_router(analysis.routes(studio))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html")

    @app.get("/api/docs", include_in_schema=False)
    def reference() -> FileResponse:
        return FileResponse(_PAGE / "reference.html")

    app.mount("/", StaticFiles(directory=_PAGE), name="page")
    return app


def _attachment(piece: str, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{piece}.{ending}"'}
