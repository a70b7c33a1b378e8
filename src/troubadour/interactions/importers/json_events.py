"""Reading of events from JSON exports, with conversions of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from troubadour.interactions.importers.base import Found, Malformed, PlayEvent
from troubadour.interactions.importers.json_stream import BrokenJsonError, objects
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import BadTimeError

Event = Callable[[dict[str, Any]], PlayEvent | str]
"""Converts one object to an event, or returns the cause of its rejection."""


def json_events(source: Source, event: Event, within: tuple[str, ...] = ()) -> Found:
    """Converts every object of a JSON source; faults are yielded with their place.

    Args:
        source: JSON file.
        event: converts an object; may raise `BadTimeError`.
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
    """Returns a stripped string; "" for other types."""
    return value.strip() if isinstance(value, str) else ""


def object_of(value: Any) -> dict[str, Any]:
    """Returns an object; {} for other types."""
    return value if isinstance(value, dict) else {}


def seconds_of(value: Any, unit: float = 1.0) -> float | None:
    """Converts a number or text to a duration in seconds; None if it is invalid, negative or a day or longer.

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
