"""Conversion of exported times to Unix seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import FUTURE_SLACK_SECONDS

UNKNOWN: Final = 0
_NUMBER: Final = re.compile(r"\d{1,19}(?:\.\d+)?")
_FORMS: Final = (
    "%d %b %Y, %H:%M",  # benjaminbenben's export of Last.fm
    "%d %b %Y %H:%M",
    "%d %b %Y, %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%B %d, %Y at %I:%M%p",  # logs of IFTTT
    "%a, %d %b %Y %H:%M:%S",
)
_ZONE: Final = re.compile(r"\s*(?:UTC|GMT|Z)(?:\s*([+-]\d\d?(?::?\d\d)?))?$|\s+([+-]\d\d(?::?\d\d)?)$")
"""Zones outside ISO 8601: `10:00 UTC`, `10:00 GMT+2`, `10:00 +0200`."""


class BadTimeError(ValueError):
    """Invalid time; the message is a countable cause."""


def unix_seconds(value: Any, now: int) -> int:
    """Converts a time to Unix seconds; `UNKNOWN` if it is absent, 0 or before 1970.

    Numbers of 12 digits and more are milli-, of 15 and more micro-, of 18 and more nanoseconds. Text is ISO
    8601 or
    one of the known formats of exporters; without a zone it is UTC.

    Args:
        value: number, text, `datetime` or None.
        now: Unix seconds.

    Raises:
        BadTimeError: the time cannot be parsed, or is more than a day after `now`.

    >>> unix_seconds("2019-11-05T14:28:00Z", 2_000_000_000)
    1572964080
    >>> unix_seconds(1572964080123, 2_000_000_000), unix_seconds("0", 2_000_000_000)
    (1572964080, 0)
    """
    seconds = _seconds(value)
    if seconds > now + FUTURE_SLACK_SECONDS:
        raise BadTimeError("time is in the future")
    return max(seconds, UNKNOWN)


def _seconds(value: Any) -> int:
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return _dated(text)
        value = float(text) if "." in text else int(text)
    if isinstance(value, datetime):
        return _of(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise BadTimeError("invalid time")
    for least, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if value >= least:
            return int(value // unit)
    return int(max(value, UNKNOWN))


def _dated(text: str) -> int:
    if not text:
        return UNKNOWN
    try:
        return _of(datetime.fromisoformat(text))
    except ValueError:
        pass
    zone = _ZONE.search(text)
    clock = text[: zone.start()] if zone else text
    offset = (zone[1] or zone[2] or "") if zone else ""
    forms = [partial(_formed, form=form) for form in _FORMS]
    readers: list[Callable[[str], datetime]] = [datetime.fromisoformat, *forms]
    for read in readers:
        try:
            moment = read(clock)
        except ValueError:
            continue
        if moment.tzinfo is None and offset:
            moment = moment.replace(tzinfo=_offset(offset))
        return _of(moment)
    raise BadTimeError("invalid time")


def _formed(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)


def _offset(text: str) -> timezone:
    digits = text[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    away = timedelta(hours=int(hours), minutes=int(minutes))
    if away >= timedelta(days=1):
        raise BadTimeError("invalid time")
    return timezone(-away if text[0] == "-" else away)


def _of(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return int(moment.timestamp())
    except (OverflowError, OSError):
        raise BadTimeError("invalid time") from None
