"""Routes that compose: the controls, a piece at once, or bar by bar as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from threading import BoundedSemaphore
from typing import Any, Final, Optional

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.types import Receive, Scope, Send

from troubadour.app.generate import GeneratedPiece
from troubadour.app.studio import Studio
from troubadour.core.errors import BusyError, TroubadourError
from troubadour.generation.control_spec import Control, controls_of, describe, parse_request
from troubadour.generation.request import Brief
from troubadour.music.bars import bars_text
from troubadour.music.score import Score
from troubadour.server.problems import status_of

_AT_ONCE: Final = 2
"""Pieces composed at the same time; the rest of the machine stays free for recommendations."""
_PATIENCE_SECONDS: Final = 10.0
_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class ComposeBase(BaseModel):
    """What a request to compose holds besides the controls."""

    model_config = ConfigDict(extra="forbid")

    listener: str | None = Field(default=None, description="Compose to this listener's taste.")
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="The same seed gives the same result.")

    def brief(self, request: type[Brief] = Brief) -> Brief:
        """The controls as a request.

        Raises:
            InputError: a value cannot be read or is out of range.
        """
        return parse_request(request, self.model_dump())


def request_model(request: type[Brief] = Brief) -> type[ComposeBase]:
    """The REST model with the controls that a request type declares.

    Ranges stand in the schema only: the request type checks them, so that a message is the same everywhere.
    """
    declared: dict[str, Any] = {control.name: _model_field(control) for control in controls_of(request)}
    return create_model(
        "ComposeRequest", __base__=ComposeBase, __doc__="Controls of a piece; all are optional.", **declared
    )


def _model_field(control: Control) -> tuple[Any, Any]:
    spec = control.spec
    schema: dict[str, Any] = {"title": control.name}
    if spec.low is not None:
        schema["exclusiveMinimum" if spec.above else "minimum"] = spec.low
    if spec.high is not None:
        schema["maximum"] = spec.high
    if spec.choices:
        schema["enum"] = list(spec.choices)
    optional = control.default is None or spec.parse is not None
    return (
        Optional[control.wire] if optional else control.wire,  # noqa: UP045
        Field(
            default=None if optional else control.default,
            description=control.help,
            examples=[spec.example] if spec.example else None,
            json_schema_extra=schema,
        ),
    )


def routes(studio: Studio, request_type: type[Brief] = Brief) -> APIRouter:
    """The routes on one studio."""
    router = APIRouter(prefix="/api")
    turns = BoundedSemaphore(_AT_ONCE)
    model = request_model(request_type)

    def take_turn() -> None:
        if not turns.acquire(timeout=_PATIENCE_SECONDS):
            raise BusyError("too many pieces are being composed; try again in a few seconds")

    @router.get("/controls")
    def controls() -> dict[str, Any]:
        """The composing controls, each with its kind, range, default and help: enough to build a form."""
        return {"controls": describe(request_type, {"styles": studio.models().composer.styles})}

    def compose(asked: ComposeBase) -> dict[str, Any]:
        """Compose several candidates, and store and return the best."""
        brief = asked.brief(request_type)
        take_turn()
        try:
            return composed(studio.compose(brief, seed=asked.seed, listener=asked.listener or None))
        finally:
            turns.release()

    async def stream(asked: ComposeBase, request: Request) -> StreamingResponse:
        """Events `bar` (number, text, notes as [onset, ticks, pitch, voice]), and at last `piece` or `problem`.

        Closing the connection stops the composing; nothing is stored then.
        """
        brief = asked.brief(request_type)
        await run_in_threadpool(take_turn)
        parts = studio.stream(brief, seed=asked.seed, listener=asked.listener or None)
        try:
            # A request that cannot be met is refused as elsewhere, before the stream begins.
            first = await run_in_threadpool(next, parts)
        except BaseException:
            turns.release()
            raise
        return _Stream(_events(first, parts, request), parts, turns)

    # FastAPI reads the model from the annotation.
    compose.__annotations__["asked"] = stream.__annotations__["asked"] = model
    router.post("/compose", status_code=201)(compose)
    router.post("/compose/stream", response_class=StreamingResponse)(stream)
    return router


class _Stream(StreamingResponse):
    """Events of one piece; its end, however it comes, ends the composing."""

    def __init__(
        self,
        events: AsyncIterator[str],
        parts: Generator[Score | GeneratedPiece, None, None],
        turns: BoundedSemaphore,
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_UNBUFFERED)
        self._parts, self._turns = parts, turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a cancelled answer waits for the bar that is being composed."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._parts.close()
            self._turns.release()


async def _events(
    first: Score | GeneratedPiece, parts: Iterator[Score | GeneratedPiece], request: Request
) -> AsyncIterator[str]:
    part: Score | GeneratedPiece | None = first
    sent = 0
    try:
        while part is not None and not await request.is_disconnected():
            whole = isinstance(part, GeneratedPiece)
            score = part.score if isinstance(part, GeneratedPiece) else part
            for number, text in enumerate(bars_text(score, whole=whole)[sent:], start=sent):
                yield _event("bar", {"number": number + 1, "text": text, "notes": _notes(score, number)})
                sent = number + 1
            if isinstance(part, GeneratedPiece):
                yield _event("piece", composed(part))
            part = await run_in_threadpool(next, parts, None)
    except TroubadourError as error:
        yield _event("problem", {"status": status_of(error), "detail": str(error)})


def _notes(score: Score, number: int) -> list[list[int]]:
    """Notes that start in a bar; an upbeat counts as a bar."""
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    start = number * length + (score.upbeat_ticks - length if score.upbeat_ticks else 0)
    inside = (score.onset >= start) & (score.onset < start + length)
    return [
        [onset, ticks, pitch, track + 1] for onset, ticks, pitch, _, track in score.notes()[inside].tolist()
    ]


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def composed(piece: GeneratedPiece) -> dict[str, Any]:
    """A composed piece for JSON, with the addresses of its files."""
    base = f"/api/pieces/{piece.id}"
    return piece.to_json(
        {
            "midi": f"{base}/score.mid",
            "musicxml": f"{base}/score.musicxml",
            "wav": f"{base}/sound.wav",
            "svg": f"{base}/score.svg",
        }
    )
