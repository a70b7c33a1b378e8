"""Routes of the recommendation surfaces."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from troubadour.app.studio import Studio
from troubadour.app.surfaces import service
from troubadour.app.surfaces.radio import RadioSpec


class RadioBody(BaseModel):
    """Radio request: the seed (a piece, a style, or the listener's history) and the session so far."""

    model_config = ConfigDict(extra="forbid")

    piece: str | None = None
    style: str | None = None
    listener: str | None = None
    played: list[str] = Field(default_factory=list, max_length=5000)
    skipped: list[str] = Field(default_factory=list, max_length=5000)
    n: int = Field(default=10, ge=1, le=1000)
    drift: float = 0.3
    artist_gap: int = 5
    seed: int = Field(default=0, ge=0, lt=2**63)


def routes(studio: Studio) -> APIRouter:
    """Router on one studio."""
    router = APIRouter(prefix="/api")

    @router.get("/listeners/{listener}/because")
    def because(listener: str, piece: str | None = None, n: int = Query(5, ge=1, le=1000)) -> dict[str, Any]:
        """Lists based on a listener's latest liked pieces, or on one given piece."""
        return service.because(studio, listener, n, piece=piece)

    @router.get("/listeners/{listener}/discover")
    def discover(listener: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Discovery list: unfamiliar artists, outside the popularity head."""
        return service.discover(studio, listener, n)

    @router.get("/pieces/{piece}/more-like")
    def more_like(piece: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Pieces that go with a piece, by collaborative filtering and content."""
        return service.more_like(studio, piece, n)

    @router.post("/radio")
    def radio(request: RadioBody) -> dict[str, Any]:
        """Next pieces of a radio session."""
        spec = RadioSpec(request.drift, request.artist_gap)
        radio_request = service.RadioRequest(
            request.piece, request.style, request.listener, request.played, request.skipped, spec
        )
        return service.play_radio(studio, radio_request, request.n, seed=request.seed)

    @router.get("/charts")
    def charts(
        period: str = "week",
        style: str = "",
        end: int | None = Query(None, description="Unix seconds. Default: time of the last play."),
        n: int = Query(20, ge=1, le=1000),
    ) -> dict[str, Any]:
        """Most played pieces of a day, week or month."""
        return service.chart(studio, period, n, style=style, end=end)

    @router.get("/trends")
    def trends(
        by: str = "style", weeks: int = Query(4, ge=1, le=26), n: int = Query(20, ge=1, le=1000)
    ) -> dict[str, Any]:
        """Rising and falling plays, with forecasts and their error."""
        return service.trend(studio, by, n, weeks_ahead=weeks)

    return router
