from __future__ import annotations

import pytest

from troubadour.server.sound import part_of

DATA = bytes(range(100))


@pytest.mark.parametrize(
    ("requested", "status", "sent", "content_range"),
    [
        ("", 200, DATA, None),
        ("bytes=0-9", 206, DATA[:10], "bytes 0-9/100"),
        ("bytes=90-", 206, DATA[90:], "bytes 90-99/100"),
        ("bytes=95-300", 206, DATA[95:], "bytes 95-99/100"),
        ("bytes=-7", 206, DATA[-7:], "bytes 93-99/100"),
        ("bytes=-300", 206, DATA, "bytes 0-99/100"),
        ("bytes=0-1,5-6", 200, DATA, None),
        ("bytes=-", 200, DATA, None),
        ("notes=1-2", 200, DATA, None),
    ],
)
def test_the_part_that_is_asked_for_is_sent(
    requested: str, status: int, sent: bytes, content_range: str | None
) -> None:
    answer = part_of(DATA, requested)
    assert (answer.status_code, answer.body) == (status, sent)
    assert answer.headers.get("content-range") == content_range
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("requested", ["bytes=100-", "bytes=9-3", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(requested: str) -> None:
    answer = part_of(DATA, requested)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */100"
