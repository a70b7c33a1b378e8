"""JSON objects one after another out of a stream, however large: lists, lines, or a list within an object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, Final

_BLOCK: Final = 2**16
_MAX_OBJECT: Final = 2**22
"""Characters of one object; a play takes some thousands."""
_GAPS: Final = " \t\r\n,"


class BrokenJsonError(ValueError):
    """The stream ends within an object, or holds none; the message is a cause to be counted."""


def objects(stream: IO[str], within: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Every object of a list, of lines, or of the list under one of the keys `within`.

    Memory is bounded by one object. What is whole is yielded before a fault is raised.

    Raises:
        BrokenJsonError: the text breaks off, or is not JSON from some place on.
    """
    decoder = json.JSONDecoder()
    buffer = stream.read(_BLOCK).lstrip("\ufeff" + _GAPS)
    if buffer.startswith("{") and within:
        buffer = _inside(buffer, within)
    listed = buffer.startswith("[")
    buffer = buffer[1:] if listed else buffer
    ended = False
    while True:
        buffer = buffer.lstrip(_GAPS)
        if listed and buffer.startswith("]"):
            return
        if not buffer or (not ended and len(buffer) < _BLOCK // 2):
            more = stream.read(_BLOCK)
            ended = not more
            buffer += more
            if ended and not buffer.strip(_GAPS):
                if listed:
                    raise BrokenJsonError("JSON breaks off")
                return
            if not ended:
                continue
        try:
            found, end = decoder.raw_decode(buffer)
        except RecursionError:
            raise BrokenJsonError("JSON is nested too deeply") from None
        except ValueError as error:
            more = stream.read(_BLOCK)
            if more and len(buffer) < _MAX_OBJECT:
                buffer += more
                continue
            raise BrokenJsonError("JSON breaks off" if not more else "no JSON") from error
        buffer = buffer[end:]
        if isinstance(found, dict):
            yield found


def _inside(buffer: str, within: tuple[str, ...]) -> str:
    """From the opening bracket of the list under one of the keys on, if the first object has one."""
    for key in within:
        place = buffer.find(f'"{key}"')
        rest = buffer[place + len(key) + 2 :].lstrip(" \t\r\n:") if place >= 0 else ""
        if rest.startswith("["):
            return rest
    return buffer
