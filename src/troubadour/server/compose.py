"""Routes that compose: a piece at once, or bar by bar as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from threading import BoundedSemaphore
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from troubadour.app.generate import Composed
from troubadour.app.studio import Studio
from troubadour.core.errors import BusyError, TroubadourError
from troubadour.generation.request import Brief, parse_key, parse_metre
from troubadour.music.bars import bars_text
from troubadour.music.instruments import program_of
from troubadour.music.score import Score
from troubadour.server.problems import status_of

_AT_ONCE: Final = 2
"""Pieces composed at once; the rest of the machine stays free for recommendations."""
_PATIENCE_SECONDS: Final = 10.0
_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class ComposeRequest(BaseModel):
    """What to compose; all is optional."""

    model_config = ConfigDict(extra="forbid")

    listener: str | None = None
    style: str | None = None
    key: str | None = Field(default=None, examples=["D dorian"])
    metre: str | None = Field(default=None, examples=["6/8"])
    bars: int | None = None
    voices: int | None = None
    tempo_bpm: float | None = None
    density: int | None = None
    upbeat: bool | None = None
    strict: bool = False
    chords: str | None = Field(default=None, examples=["G C D7 G"])
    instruments: list[str] | None = Field(default=None, examples=[["flute"]])
    lowest: int | None = None
    highest: int | None = None
    cadence: bool | None = None
    parallels: bool | None = None
    max_common: int | None = None
    guidance: float = 1.0
    temperature: float = 0.9
    top_p: float = 0.97
    seed: int | None = Field(default=None, ge=0, lt=2**63)

    def brief(self) -> Brief:
        """The brief that is asked for.

        Raises:
            InputError: a value is not acceptable.
        """
        asked = self.model_dump(exclude={"listener", "seed", "style", "key", "metre", "instruments"})
        return Brief(
            **asked,
            style=self.style or None,
            key=parse_key(self.key) if self.key else None,
            metre=parse_metre(self.metre) if self.metre else None,
            instruments=None if self.instruments is None else tuple(map(program_of, self.instruments)),
        )


def routes(studio: Studio) -> APIRouter:
    """The routes on one studio."""
    router = APIRouter(prefix="/api")
    turns = BoundedSemaphore(_AT_ONCE)

    def take_turn() -> None:
        if not turns.acquire(timeout=_PATIENCE_SECONDS):
            raise BusyError("too many pieces are being composed; try again in a few seconds")

    @router.post("/compose", status_code=201)
    def compose(asked: ComposeRequest) -> dict[str, Any]:
        """Compose a piece and store it; of several tries the best is kept."""
        brief = asked.brief()
        take_turn()
        try:
            return composed(studio.compose(brief, seed=asked.seed, listener=asked.listener or None))
        finally:
            turns.release()

    @router.post("/compose/stream", response_class=StreamingResponse)
    async def stream(asked: ComposeRequest, request: Request) -> StreamingResponse:
        """Events `bar` (number, text, notes as [onset, ticks, pitch, voice]), and at last `piece` or `problem`.

        Whoever closes the connection ends the composing; nothing is stored then.
        """
        brief = asked.brief()
        await run_in_threadpool(take_turn)
        parts = studio.stream(brief, seed=asked.seed, listener=asked.listener or None)
        try:
            # What cannot be met is refused as elsewhere, before a stream begins.
            first = await run_in_threadpool(next, parts)
        except BaseException:
            turns.release()
            raise
        return _Stream(_events(first, parts, request), parts, turns)

    return router


class _Stream(StreamingResponse):
    """Events of one composing, which ends with the answer, however that ends."""

    def __init__(
        self,
        events: AsyncIterator[str],
        parts: Generator[Score | Composed, None, None],
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
    first: Score | Composed, parts: Iterator[Score | Composed], request: Request
) -> AsyncIterator[str]:
    part: Score | Composed | None = first
    told = 0
    try:
        while part is not None and not await request.is_disconnected():
            whole = isinstance(part, Composed)
            score = part.score if isinstance(part, Composed) else part
            for number, text in enumerate(bars_text(score, whole=whole)[told:], start=told):
                yield _event("bar", {"number": number + 1, "text": text, "notes": _notes(score, number)})
                told = number + 1
            if isinstance(part, Composed):
                yield _event("piece", composed(part))
            part = await run_in_threadpool(next, parts, None)
    except TroubadourError as error:
        yield _event("problem", {"status": status_of(error), "detail": str(error)})


def _notes(score: Score, number: int) -> list[list[int]]:
    """Notes that start in a bar, an upbeat counted as one."""
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    start = number * length + (score.upbeat_ticks - length if score.upbeat_ticks else 0)
    inside = (score.onset >= start) & (score.onset < start + length)
    return [
        [onset, ticks, pitch, track + 1] for onset, ticks, pitch, _, track in score.notes()[inside].tolist()
    ]


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def composed(piece: Composed) -> dict[str, Any]:
    """A new piece for JSON."""
    base = f"/api/pieces/{piece.id}"
    return {
        "id": piece.id,
        "title": piece.title,
        "files": {
            "midi": f"{base}/score.mid",
            "musicxml": f"{base}/score.musicxml",
            "wav": f"{base}/sound.wav",
            "svg": f"{base}/score.svg",
        },
        "seed": piece.seed,
        "release": piece.release,
        "controls": piece.controls(),
        "longest_match": {"notes": piece.match.notes, "piece": piece.match.piece, "title": piece.match_title},
        "influences": list(piece.influences),
        "generated": True,
        "seconds": round(piece.seconds, 3),
    }
