"""Because, more-like, discover, radio, charts and trends on the command line and over REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.app.surfaces import service
from troubadour.app.surfaces.service import RadioRequest, radio_stream
from troubadour.catalogue.records import Block
from troubadour.cli import app
from troubadour.core.errors import InputError, NotFoundError, TroubadourError
from troubadour.server.app import create_app

WHO = "sim-0003"


def stdout_of(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def call(home: Path, *words: str) -> Any:
    return json.loads(stdout_of(home, *words, "--json"))


@pytest.fixture(scope="module")
def studio(small_home: Path) -> Iterator[Studio]:
    with Studio(small_home) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio)) as opened:
        yield opened


@pytest.fixture
def liked(studio: Studio) -> str:
    """Id of the latest liked piece."""
    history = studio.history(WHO, studio.models())
    return studio.models().ranker.items.id(int(history.items[history.weights > 0][-1]))


def test_because_you_played_names_the_pieces_and_repeats_nothing(
    small_home: Path, client: TestClient, studio: Studio, liked: str
) -> None:
    found = call(small_home, "because", WHO, "--n", "4")
    assert found["lists"][0]["because"]["id"] == liked
    ids = [item["id"] for one in found["lists"] for item in one["items"]]
    assert len(ids) == len(set(ids)) == 12
    heard = {e[0] for e in studio.store.history(WHO)}
    assert not heard & set(ids)
    assert all(item["reasons"] and item["licence"] for one in found["lists"] for item in one["items"])
    assert client.get(f"/api/listeners/{WHO}/because?n=4").json()["lists"] == found["lists"]
    words = stdout_of(small_home, "because", WHO, "--n", "2")
    assert words.startswith(f"Because you played {studio.store.piece(liked).title}  [{liked}]\n  1. ")
    other = next(p for p in studio.store.piece_ids() if p not in heard)
    assert stdout_of(small_home, "because", WHO, "--piece", other).startswith("Because of ")


def test_more_like_this_goes_by_who_hears_it_too(
    small_home: Path, client: TestClient, studio: Studio, liked: str
) -> None:
    found = call(small_home, "more-like", liked)
    assert found["context"] == "more-like"
    assert len(found["items"]) == 10
    assert liked not in {item["id"] for item in found["items"]}
    assert client.get(f"/api/pieces/{liked}/more-like").json() == found


def test_discoveries_leave_out_hits_and_what_was_heard(
    small_home: Path, client: TestClient, studio: Studio
) -> None:
    found = call(small_home, "discover", WHO)
    ids = [item["id"] for item in found["items"]]
    assert len(ids) == 10
    assert not {e[0] for e in studio.store.history(WHO)} & set(ids)
    assert client.get(f"/api/listeners/{WHO}/discover").json() == found


def test_a_radio_goes_on_where_the_session_is_and_never_repeats(
    small_home: Path, client: TestClient, studio: Studio, liked: str
) -> None:
    words = ("radio", "--piece", liked, "--n", "4", "--seed", "7")
    first = [item["id"] for item in call(small_home, *words)["items"]]
    played = [word for piece in first for word in ("--played", piece)]
    second = [item["id"] for item in call(small_home, *words, *played)["items"]]
    assert len({*first, *second, liked}) == 9
    at_once = client.post("/api/radio", json={"piece": liked, "n": 8, "seed": 7}).json()
    assert [item["id"] for item in at_once["items"]] == first + second
    skipped = client.post(
        "/api/radio", json={"piece": liked, "n": 4, "seed": 7, "played": first, "skipped": first[-1:]}
    ).json()
    assert [item["id"] for item in skipped["items"]] != second


def test_a_radio_plays_to_the_end_of_the_catalogue(studio: Studio, small_home: Path) -> None:
    style = next(p.style for p in studio.store.pieces() if p.style)
    everything = [one.id for one in radio_stream(studio, RadioRequest(style=style), seed=1)]
    assert len(everything) == len(set(everything))
    works = {p.work for p in studio.store.pieces()}
    assert len(everything) == len(works), "one of the variants of each work"
    words = [word for piece in everything for word in ("--played", piece)]
    assert "all pieces are played" in stdout_of(small_home, "radio", "--style", style, *words)


def test_what_a_listener_blocked_is_in_no_list_of_theirs(studio: Studio) -> None:
    store = studio.store
    who = "sim-0009"
    lists = {
        "because": lambda: [i for one in service.because(studio, who)["lists"] for i in one["items"]],
        "discover": lambda: service.discover(studio, who)["items"],
        "radio": lambda: service.play_radio(studio, RadioRequest(style="march", listener=who))["items"],
    }
    before = {name: [item["id"] for item in ask()] for name, ask in lists.items()}
    blocked = {ids[0] for ids in before.values()}
    for piece in blocked:
        store.blocks.add(who, Block("piece", piece, 1))
    for name, ask in lists.items():
        assert not blocked & {item["id"] for item in ask()}, name
    shown = store.impressions.of(who, 100)
    assert {i.slot for i in shown} == set(before)
    radio = [i for i in shown if i.slot == "radio"]
    assert all(i.propensity and 0 < i.propensity < 1 for i in radio), "a radio is drawn"


def test_charts_and_trends_tell_what_they_rest_on(
    small_home: Path, client: TestClient, studio: Studio
) -> None:
    found = call(small_home, "charts", "--period", "month", "--n", "5")
    assert [item["rank"] for item in found["items"]] == [1, 2, 3, 4, 5]
    assert found["plays"] >= found["listeners"] > 0
    assert client.get("/api/charts?period=month&n=5").json() == found
    text = stdout_of(small_home, "charts", "--period", "month", "--n", "5")
    assert f"{found['plays']} plays by {found['listeners']} listeners" in text
    assert f"  1. {found['items'][0]['title']}" in text
    early = call(small_home, "charts", "--period", "month", "--until", "1990-01-01")
    assert early["items"] == []
    moves = call(small_home, "trends", "--by", "style")
    assert moves["items"]
    assert all(len(item["forecast"]) == 4 and "naive_mase" in item for item in moves["items"])
    assert client.get("/api/trends").json() == moves
    assert moves["verdict"] in stdout_of(small_home, "trends")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("because", "nobody"), 404, "no listener 'nobody'"),
        (("because", WHO, "--piece", "none"), 404, "no piece 'none'"),
        (("more-like", "none"), 404, "no piece 'none'"),
        (("discover", "nobody"), 404, "no listener 'nobody'"),
        (("radio",), 422, "nothing to start a radio from"),
        (("radio", "--piece", "x", "--style", "march"), 422, "both a piece (x) and a style (march)"),
        (("radio", "--style", "tango"), 422, "no piece of style 'tango'; known styles: "),
        (("radio", "--piece", "none"), 404, "no piece 'none'"),
        (("radio", "--listener", WHO, "--drift", "2"), 422, "drift is 2"),
        (("radio", "--listener", WHO, "--played", "none"), 422, "'none' was played, but is not in the catalogue"),
        (("charts", "--period", "year"), 422, "allowed: day, week, month"),
        (("charts", "--style", "tango"), 422, "no piece of style 'tango'"),
        (("trends", "--by", "hour"), 422, "allowed: style, artist, piece"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_alike_by_both_faces(
    small_home: Path, client: TestClient, words: tuple[str, ...], status: int, message: str
) -> None:
    with pytest.raises(TroubadourError) as refused:
        stdout_of(small_home, *words)
    assert message in str(refused.value)
    assert isinstance(refused.value, NotFoundError if status == 404 else InputError)
    answer = _over_rest(client, words)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def _over_rest(client: TestClient, words: tuple[str, ...]) -> Any:
    """REST request equivalent to a command."""
    command, rest = words[0], list(words[1:])
    subject = rest.pop(0) if rest and not rest[0].startswith("--") else ""
    given: dict[str, Any] = dict(zip((w.removeprefix("--") for w in rest[::2]), rest[1::2], strict=True))
    if command == "radio":
        if "played" in given:
            given["played"] = [given["played"]]
        return client.post("/api/radio", json=given)
    paths = {
        "because": f"/api/listeners/{subject}/because", "discover": f"/api/listeners/{subject}/discover",
        "more-like": f"/api/pieces/{subject}/more-like", "charts": "/api/charts", "trends": "/api/trends",
    }  # fmt: skip
    return client.get(paths[command], params=given)
