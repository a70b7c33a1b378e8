"""Routes of the contexts in which music is recommended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from troubadour.app.studio import Studio
from troubadour.app.surfaces import service
from troubadour.app.surfaces.radio import RadioSpec


class RadioBody(BaseModel):
    """What a radio starts from (a piece, a style, or else what the listener likes) and the session so far."""

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
    """The routes on one studio."""
    router = APIRouter(prefix="/api")

    @router.get("/listeners/{listener}/because")
    def because(listener: str, piece: str | None = None, n: int = Query(5, ge=1, le=1000)) -> dict[str, Any]:
        """Lists because of the latest pieces that they liked, or of one that is named."""
        return service.because(studio, listener, n, piece=piece)

    @router.get("/listeners/{listener}/discover")
    def discover(listener: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """Only artists that they have not met, and nothing that everybody hears."""
        return service.discover(studio, listener, n)

    @router.get("/pieces/{piece}/more-like")
    def more_like(piece: str, n: int = Query(10, ge=1, le=1000)) -> dict[str, Any]:
        """What goes with a piece, by who hears it and by sound."""
        return service.more_like(studio, piece, n)

    @router.post("/radio")
    def radio(asked: RadioBody) -> dict[str, Any]:
        """The next pieces of a radio, after what was played and skipped."""
        spec = RadioSpec(asked.drift, asked.artist_gap)
        tuned = service.RadioRequest(
            asked.piece, asked.style, asked.listener, asked.played, asked.skipped, spec
        )
        return service.play_radio(studio, tuned, asked.n, seed=asked.seed)

    @router.get("/charts")
    def charts(
        period: str = "week",
        style: str = "",
        end: int | None = Query(None, description="Unix seconds; without it the last play."),
        n: int = Query(20, ge=1, le=1000),
    ) -> dict[str, Any]:
        """What was played most in a day, week or month."""
        return service.chart(studio, period, n, style=style, end=end)

    @router.get("/trends")
    def trends(
        by: str = "style", weeks: int = Query(4, ge=1, le=26), n: int = Query(20, ge=1, le=1000)
    ) -> dict[str, Any]:
        """What rises and falls, with a forecast and its error."""
        return service.trend(studio, by, n, weeks_ahead=weeks)

    return router
