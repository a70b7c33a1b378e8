"""Routes for listeners: facts, blocks, data export, erasure."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from troubadour.app.studio import Studio
from troubadour.catalogue.records import Block
from troubadour.privacy.erasure import forget
from troubadour.privacy.export import export


class ListenerRequest(BaseModel):
    """New listener, or a new name for one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", max_length=200)


class BlockRequest(BaseModel):
    """Block of a piece, an artist or all explicit pieces."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["piece", "artist", "explicit"]
    value: str = Field(max_length=500, description="Id of the piece, name of the artist, or `all`.")


def routes(studio: Studio) -> APIRouter:
    """Router on one studio."""
    router = APIRouter(prefix="/api/listeners/{listener}")

    @router.put("")
    def add(listener: str, request: ListenerRequest) -> dict[str, Any]:
        """Add a listener, or set the name of one."""
        studio.store.add_listeners([(listener, request.name, False)])
        person = studio.store.listener(listener)
        return {"id": person.id, "name": person.name, "simulated": person.simulated}

    @router.get("/blocks")
    def blocks(listener: str) -> dict[str, Any]:
        """Blocks of a listener."""
        held = studio.store.blocks.of(listener)
        return {
            "listener": listener,
            "items": [{"what": b.what, "value": b.value, "time": b.time} for b in held],
        }

    @router.post("/blocks", status_code=201)
    def block(listener: str, request: BlockRequest) -> dict[str, Any]:
        """Exclude a piece, an artist or all explicit pieces from all lists of a listener."""
        studio.store.blocks.add(listener, Block(request.what, request.value, int(time.time())))
        return blocks(listener)

    @router.delete("/blocks/{what}/{value:path}")
    def lift(listener: str, what: str, value: str) -> dict[str, Any]:
        """Remove a block."""
        lifted = studio.store.blocks.remove(listener, Block(what, value, 0))
        return {**blocks(listener), "lifted": lifted}

    @router.get("/export")
    def held(listener: str) -> dict[str, Any]:
        """All stored data of a listener."""
        return export(studio.store, listener)

    @router.delete("")
    def forgotten(listener: str) -> dict[str, Any]:
        """Erase a listener from the store and the models; returns a receipt."""
        receipt, path = forget(studio.store, studio.releases, studio.home, listener)
        return {**receipt.to_dict(), "receipt": path.name}

    return router
