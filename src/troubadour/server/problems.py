"""Error responses of the REST API in one shape (RFC 9457)."""

from __future__ import annotations

from typing import Final

from fastapi.responses import JSONResponse

from troubadour.core.errors import (
    BusyError,
    InputError,
    ModelError,
    NotFoundError,
    StorageError,
    TroubadourError,
    UnreadableFileError,
)

_STATUS: Final = (
    (NotFoundError, 404),
    (InputError, 422),
    (UnreadableFileError, 422),
    (BusyError, 503),
    (StorageError, 503),
    (ModelError, 503),
    (TroubadourError, 500),
)
_TITLES: Final = {
    404: "Not found",
    413: "Too large",
    416: "Not there",
    422: "Not acceptable",
    500: "Failed",
    503: "Not available",
}


def status_of(error: TroubadourError) -> int:
    """HTTP status of an error."""
    return next(code for kind, code in _STATUS if isinstance(error, kind))


def problem(status: int, detail: str) -> JSONResponse:
    """Problem response with a status and a detail text."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)
