from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from troubadour.app.studio import Studio
from troubadour.server.app import create_app


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio)) as opened:
        yield opened


@pytest.fixture(scope="module")
def piece(studio: Studio) -> str:
    return studio.store.pieces(generated=False, medium="score")[0].id


def test_the_analysis_of_a_piece_is_that_of_the_studio(
    client: TestClient, studio: Studio, piece: str
) -> None:
    found = client.get(f"/api/pieces/{piece}/analysis").json()
    assert found.pop("piece") == piece
    assert found.pop("title") == studio.store.piece(piece).title
    assert found == studio.analyse(studio.store.score(piece)).to_dict()


def test_what_a_piece_shares_is_not_itself(client: TestClient, piece: str) -> None:
    found = client.get(f"/api/pieces/{piece}/originality?n=3").json()
    assert found["verdict"]
    assert piece not in {item["id"] for item in found["items"]}


@pytest.mark.parametrize("what", ["roll", "similarity", "timeline"])
def test_pictures_are_svg(client: TestClient, piece: str, what: str) -> None:
    answer = client.get(f"/api/pieces/{piece}/pictures/{what}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(answer.text).tag.endswith("svg")


def test_the_map_shows_every_piece(client: TestClient, studio: Studio) -> None:
    assert client.get("/api/map.svg").text.count("<circle") >= studio.store.counts()["pieces"]


def test_what_there_is_not_is_said(client: TestClient, piece: str) -> None:
    refused = client.get(f"/api/pieces/{piece}/pictures/waterfall.svg")
    assert (refused.status_code, "roll, similarity, timeline" in refused.json()["detail"]) == (422, True)
    for path in ("analysis", "originality", "pictures/roll.svg"):
        assert client.get(f"/api/pieces/none/{path}").status_code == 404


def test_pieces_are_found_by_their_title_and_the_newest_composed_comes_first(
    client: TestClient, studio: Studio, piece: str
) -> None:
    title = studio.store.piece(piece).title
    assert piece in {i["id"] for i in client.get("/api/pieces", params={"words": title}).json()["items"]}
    assert client.get("/api/pieces", params={"words": "no such words"}).json()["items"] == []
    made = [
        client.post("/api/compose", json={"style": "jig", "bars": 2, "seed": s}).json()["id"]
        for s in (11, 12)
    ]
    assert [i["id"] for i in client.get("/api/composed?n=2").json()["items"]] == made[::-1]
