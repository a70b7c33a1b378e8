from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from troubadour.app.studio import Studio
from troubadour.server.app import create_app


@pytest.fixture(scope="module")
def client(small_home: Path) -> Iterator[TestClient]:
    with Studio(small_home) as studio, TestClient(create_app(studio)) as opened:
        yield opened


def test_the_page_and_its_parts_are_served_and_ask_nobody_else(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("page.js", "style.css"):
        part = client.get(f"/{name}")
        assert part.status_code == 200
        assert "http://" not in part.text
        assert "https://" not in part.text


def test_a_listener_their_list_and_a_like_that_counts_at_once(client: TestClient) -> None:
    person = client.get("/api/listeners?words=sim-0002").json()[0]
    assert person["simulated"] is True
    before = client.get(f"/api/listeners/{person['id']}/recommendations").json()
    first = before["items"][0]
    assert first["reasons"]
    stored = client.post(
        f"/api/listeners/{person['id']}/events",
        json={"piece": first["id"], "kind": "like", "event": "once", "release": before["release"], "rank": 1},
    )
    assert stored.status_code == 201
    assert stored.json() == {"stored": 1}
    again = client.post(
        f"/api/listeners/{person['id']}/events", json={"piece": first["id"], "kind": "like", "event": "once"}
    )
    assert again.json() == {"stored": 0}
    after = client.get(f"/api/listeners/{person['id']}/recommendations").json()
    assert first["id"] not in {i["id"] for i in after["items"]}
    facts = client.get(f"/api/listeners/{person['id']}").json()
    assert facts["last"][0]["piece"] == first["id"]


def test_a_composed_piece_can_be_seen_heard_and_fetched(client: TestClient) -> None:
    made = client.post("/api/compose", json={"listener": "sim-0003", "bars": 4, "seed": 4})
    assert made.status_code == 201
    piece = made.json()
    facts = client.get(f"/api/pieces/{piece['id']}").json()
    assert facts["generated"] is True
    assert facts["provenance"]["seed"] == 4
    assert facts["provenance"]["longest_match"]["notes"] >= 0
    svg = client.get(piece["files"]["svg"])
    assert ET.fromstring(svg.text).tag.endswith("svg")
    assert svg.text.count('class="note') >= 4
    assert client.get(piece["files"]["midi"]).content[:4] == b"MThd"
    assert b"score-partwise" in client.get(piece["files"]["musicxml"]).content
    assert b"Composed by machine" in client.get(piece["files"]["musicxml"]).content
    assert client.get(piece["files"]["wav"]).content[:4] == b"RIFF"
    near = client.get(f"/api/pieces/{piece['id']}/similar?n=3").json()["items"]
    assert len(near) == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/api/pieces/none", None, 404, "no piece"),
        ("GET", "/api/listeners/none", None, 404, "no listener"),
        ("GET", "/api/listeners/none/recommendations", None, 404, "no listener"),
        ("GET", "/api/listeners/sim-0001/recommendations?n=0", None, 422, "greater than or equal to 1"),
        ("POST", "/api/compose", {"bars": 0}, 422, "1 to 64"),
        ("POST", "/api/compose", {"bras": 8}, 422, "bras"),
        ("POST", "/api/compose", {"key": "Q"}, 422, "tonic"),
        ("POST", "/api/listeners/sim-0001/events", {"piece": "none", "kind": "play"}, 404, "no piece"),
        ("POST", "/api/listeners/sim-0001/events", {"piece": "none", "kind": "hum"}, 422, "play, like"),
    ],
)
def test_every_error_has_one_shape(
    client: TestClient, method: str, path: str, body: dict[str, object] | None, status: int, words: str
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert words in problem["detail"]


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    assert client.post("/api/compose", content=b"x" * 200_000).status_code == 413


def test_paths_outside_the_page_are_not_served(client: TestClient) -> None:
    for path in ("/../app.py", "/%2e%2e/app.py", "/..%2fapp.py"):
        assert client.get(path).status_code == 404


@pytest.mark.slow
def test_overload_is_refused_in_time_and_lists_stay_quick(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troubadour.server.compose._PATIENCE_SECONDS", 0.05)
    with ThreadPoolExecutor(12) as pool:
        requests = [
            pool.submit(client.post, "/api/compose", json={"style": "reel", "bars": 32}) for _ in range(12)
        ]
        assert client.get("/api/listeners/sim-0004/recommendations").status_code == 200
        left = sum(not a.done() for a in requests)
        answers = [a.result() for a in requests]
    codes = {a.status_code for a in answers}
    assert codes == {201, 503}
    assert all("retry-after" in a.headers for a in answers if a.status_code == 503)
    assert left > 0, "the list did not wait for the pieces that were being composed"
