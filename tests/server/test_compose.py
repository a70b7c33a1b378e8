from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from troubadour.app.studio import Studio
from troubadour.server.app import create_app

LONG = {"style": "chorale", "bars": 32, "seed": 1}


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio)) as opened:
        yield opened


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_piece_comes_bar_by_bar_and_is_then_stored(client: TestClient, studio: Studio) -> None:
    asked = {"style": "jig", "key": "D", "metre": "6/8", "bars": 8, "upbeat": False, "seed": 3}
    answer = client.post("/api/compose/stream", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [name for name, _ in found] == ["bar"] * 8 + ["piece"]
    assert [data["number"] for _, data in found[:-1]] == list(range(1, 9))
    score = studio.store.score(str(found[-1][1]["id"]))
    told = [tuple(note[:3]) for _, data in found[:-1] for note in data["notes"]]  # type: ignore[attr-defined]
    assert told == [tuple(row[:3]) for row in score.notes().tolist()]


def test_what_cannot_be_met_is_refused_before_the_stream_begins(client: TestClient) -> None:
    asked = {"style": "jig", "bars": 4, "chords": "F#", "key": "C", "strict": True}
    for path in ("/api/compose", "/api/compose/stream"):
        answer = client.post(path, json=asked)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert "clash" in answer.json()["detail"]


def test_who_hangs_up_ends_the_composing_and_frees_the_place(
    port: int, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    whole = studio.stream

    def watched(*args: Any, **words: Any) -> Iterator[Any]:
        try:
            yield from whole(*args, **words)
            ended.append("complete")
        except GeneratorExit:
            ended.append("cut")
            raise

    monkeypatch.setattr(studio, "stream", watched)
    body = json.dumps(LONG)
    head = f"POST /api/compose/stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    before = studio.store.counts()["generated"]
    # More often than there are places: each has to become free again.
    for times in range(1, 4):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall((head + body).encode())
            heard = b""
            while b"event: bar" not in heard:
                part = line.recv(4096)
                assert part, heard
                heard += part
        limit = time.monotonic() + 30
        while len(ended) < times and time.monotonic() < limit:
            time.sleep(0.02)
    assert ended == ["cut"] * 3
    assert studio.store.counts()["generated"] == before
