"""Times as exports write them, as Unix seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
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
)


class BadTimeError(ValueError):
    """A time that cannot be meant; the message is a cause that can be counted."""


def unix_seconds(value: Any, now: int) -> int:
    """A time as Unix seconds; `UNKNOWN` where there is none (absent, 0, before 1970).

    Numbers of 12 digits and more are milli-, of 15 and more micro-, of 18 and more nanoseconds.
    Text is ISO 8601 or one of the forms that exporters write; without a zone it is UTC.

    Raises:
        BadTimeError: it cannot be read, or lies more than a day after `now`.

    >>> unix_seconds("2019-11-05T14:28:00Z", 2_000_000_000)
    1572964080
    >>> unix_seconds(1572964080123, 2_000_000_000), unix_seconds("0", 2_000_000_000)
    (1572964080, 0)
    """
    seconds = _seconds(value)
    if seconds > now + FUTURE_SLACK_SECONDS:
        raise BadTimeError("time lies in the future")
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
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BadTimeError("time cannot be read")
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
    for form in _FORMS:
        try:
            return _of(datetime.strptime(text, form))
        except ValueError:
            continue
    raise BadTimeError("time cannot be read")


def _of(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return int(moment.timestamp())
    except (OverflowError, OSError):
        raise BadTimeError("time cannot be read") from None
