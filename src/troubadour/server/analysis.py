"""Routes for analysis, pictures and originality of a piece."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Query, Response

from troubadour.app.studio import Studio

_SVG: Final = "image/svg+xml"


def routes(studio: Studio) -> APIRouter:
    """Router on one studio."""
    router = APIRouter(prefix="/api")

    @router.get("/pieces/{piece}/analysis")
    def analysis(piece: str) -> dict[str, Any]:
        """Key, metre, chords, form, style, mood and difficulty of a piece, with evidence."""
        row = studio.store.piece(piece)
        return {"piece": piece, "title": row.title, **studio.analyse(studio.store.score(piece)).to_dict()}

    @router.get("/pieces/{piece}/originality")
    def originality(piece: str, n: int = Query(5, ge=1, le=100)) -> dict[str, Any]:
        """Longest passages shared with the catalogue's human pieces, variants excluded."""
        row = studio.store.piece(piece)
        found = studio.originality(studio.store.score(piece), n, without=piece)
        return {"piece": piece, "title": row.title, **found.to_dict()}

    @router.get("/pieces/{piece}/pictures/{what}.svg")
    def picture(piece: str, what: str) -> Response:
        """Picture of a piece as SVG: `roll`, `similarity` (of bars) or `timeline` (keys, chords and phrases)."""
        drawn = studio.analysis.draw(what, studio.store.score(piece))
        return Response(drawn, media_type=_SVG)

    @router.get("/map.svg")
    def catalogue_map() -> Response:
        """Scatter plot of the catalogue in two dimensions, as SVG."""
        return Response(studio.analysis.map(), media_type=_SVG)

    return router
