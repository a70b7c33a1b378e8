"""The events of JSON exports: one loop for all of them, and the values that they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from troubadour.interactions.importers.base import Found, Malformed, PlayEvent
from troubadour.interactions.importers.json_stream import BrokenJsonError, objects
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import BadTimeError

Event = Callable[[dict[str, Any]], PlayEvent | str]
"""The event of one object, or the cause why it is none."""


def json_events(source: Source, event: Event, within: tuple[str, ...] = ()) -> Found:
    """The event of every object of a JSON source; a fault is told with its place.

    Args:
        event: makes an event of an object; may raise `BadTimeError`.
        within: see `objects`.
    """
    number = 0
    with source.text() as stream:
        try:
            for number, found in enumerate(objects(stream, within), start=1):
                try:
                    made = event(found)
                except BadTimeError as error:
                    made = str(error)
                yield made if isinstance(made, PlayEvent) else Malformed(f"{source.name}:{number}", made)
        except BrokenJsonError as error:
            yield Malformed(f"{source.name}: after object {number}" if number else source.name, str(error))


def text_of(value: Any) -> str:
    """A text without the space around it; empty where the value is no text."""
    return value.strip() if isinstance(value, str) else ""


def object_of(value: Any) -> dict[str, Any]:
    """An object; empty where the value is none."""
    return value if isinstance(value, dict) else {}


def seconds_of(value: Any, unit: float = 1.0) -> float | None:
    """A length of time in seconds, of a number or a text; nothing where it is none or not within a day.

    >>> seconds_of("181000", 1000.0), seconds_of(-5), seconds_of(None)
    (181.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value) / unit
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 86_400 else None
