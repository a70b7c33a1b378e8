"""Lists of `recommend` for a new listener, after one play and after many, and without any scores."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.catalogue.store import Event
from troubadour.cli import app
from troubadour.core.errors import InputError, NotFoundError
from troubadour.server.app import create_app

HEAD = re.compile(r"^ *\d+\. ", re.MULTILINE)


def stdout_of(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def call(home: Path, *words: str) -> Any:
    return json.loads(stdout_of(home, *words, "--json"))


@pytest.fixture(scope="module")
def home(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with three listeners: `new` without plays, `once` with one march, `much` with forty pieces."""
    home = tmp_path_factory.mktemp("fresh") / "home"
    shutil.copytree(small_home, home)
    with Studio(home) as studio:
        studio.store.add_listeners([("new", "", False), ("once", "", False), ("much", "", False)])
        march = next(p.id for p in studio.store.pieces() if p.style == "march")
        studio.store.record([Event("o", "once", march, "play", 1_700_000_000, 1.0)])
        ids = studio.store.piece_ids()[:160:4]
        studio.store.record(
            [Event(f"m{i}", "much", p, "play", 1_700_000_000 + 300 * i, 1.0) for i, p in enumerate(ids)]
        )
    return home


def test_somebody_new_is_told_once_that_it_is_what_is_popular(home: Path) -> None:
    words = stdout_of(home, "recommend", "new")
    assert words.splitlines()[0] == "new: no usable history yet: chosen by popularity"
    assert words.count("chosen by popularity") == 1
    assert len(HEAD.findall(words)) == 10
    assert len(re.findall(r"^ {7}heard by \d+ of 40 listeners$", words, re.MULTILINE)) == 10


def test_after_one_play_the_reason_is_that_play(home: Path) -> None:
    with Studio(home) as studio:
        title = studio.store.piece(studio.store.history("once")[0][0]).title
    found = call(home, "recommend", "once")["items"]
    assert len(found) == 10
    assert sum(title in item["reasons"][0] for item in found) >= 7
    assert all(title in item["reasons"][0] or item["reasons"][0].startswith("heard by ") for item in found)
    words = stdout_of(home, "recommend", "once")
    assert "100%" not in words
    assert " 0 of " not in words


def test_after_many_plays_reasons_name_several_and_no_list_is_one_artist_s(home: Path) -> None:
    found = call(home, "recommend", "much")["items"]
    assert len({item["id"] for item in found}) == len({item["title"] for item in found}) == 10
    assert sum("more also play it" in item["reasons"][0] for item in found) >= 5
    artists = [item["artist"] for item in found if item["artist"]]
    assert all(artists.count(one) <= 5 for one in artists)
    with Studio(home) as studio:
        heard = {e[0] for e in studio.store.history("much")}
        works = {studio.store.piece(p).work for p in heard}
        listed = [studio.store.piece(item["id"]).work for item in found]
    assert not works & set(listed), "no variant of what they know"
    assert len(set(listed)) == 10


def test_who_heard_everything_is_told_that_nothing_is_left(home: Path) -> None:
    with Studio(home) as studio:
        studio.store.add_listeners([("all", "", False)])
        ids = studio.store.piece_ids()
        studio.store.record([Event(f"a{i}", "all", p, "play", 1_700_000_000 + i) for i, p in enumerate(ids)])
    assert (
        stdout_of(home, "recommend", "all") == "no pieces are left to recommend: all are heard or blocked\n"
    )
    assert "no unfamiliar pieces are left" in stdout_of(home, "discover", "all")


def test_who_blocks_what_is_explicit_gets_none_of_it(home: Path) -> None:
    first = call(home, "recommend", "new")["items"][0]["id"]
    assert stdout_of(home, "mark", first).endswith(": explicit\n")
    assert first in {i["id"] for i in call(home, "recommend", "new")["items"]}, "not blocked by this listener"
    assert stdout_of(home, "block", "new", "--explicit") == "explicit: all\n"
    assert first not in {i["id"] for i in call(home, "recommend", "new")["items"]}
    assert call(home, "block", "new", "--explicit", "--lift")["items"] == []
    assert call(home, "mark", first, "--clean")["explicit"] is False
    with pytest.raises(NotFoundError, match="no piece 'none'"):
        stdout_of(home, "mark", "none")


def test_recording_and_blocking_change_the_next_list(home: Path) -> None:
    first = call(home, "recommend", "new")["items"]
    with pytest.raises(NotFoundError, match="no listener 'nora'; add it first"):
        stdout_of(home, "record", "nora", "--kind", "like", first[0]["id"])
    with pytest.raises(NotFoundError, match="no piece 'none'"):
        stdout_of(home, "record", "nora", "none", "--new")
    assert "like of" in stdout_of(home, "record", "nora", first[0]["id"], "--kind", "like", "--new")
    after = call(home, "recommend", "nora")["items"]
    assert first[0]["id"] not in {i["id"] for i in after}
    assert first[0]["title"] in after[0]["reasons"][0]
    assert stdout_of(home, "block", "nora") == "nora blocks nothing\n"
    assert stdout_of(home, "block", "nora", "--piece", after[0]["id"]) == f"piece: {after[0]['id']}\n"
    assert after[0]["id"] not in {i["id"] for i in call(home, "recommend", "nora")["items"]}
    assert call(home, "block", "nora", "--piece", after[0]["id"], "--lift")["items"] == []
    with pytest.raises(InputError, match="has not blocked"):
        stdout_of(home, "block", "nora", "--artist", "Nobody Known", "--lift")
    with pytest.raises(InputError, match="one at a time"):
        stdout_of(home, "block", "nora", "--artist", "x", "--piece", "y")
    with pytest.raises(InputError, match="rating is 9"):
        stdout_of(home, "record", "nora", first[0]["id"], "--kind", "rating", "--value", "9")


def test_who_is_known_can_be_looked_up(home: Path) -> None:
    assert [one["id"] for one in call(home, "listeners", "--n", "2")] == ["sim-0001", "sim-0002"]
    assert call(home, "listeners", "MUCH") == [{"id": "much", "name": "", "simulated": False}]
    assert stdout_of(home, "listeners", "sim-0001").startswith("sim-0001  ")
    assert stdout_of(home, "listeners", "sim-0001").endswith(" (simulated)\n")
    assert stdout_of(home, "listeners", "nobody at all") == ""


def test_what_was_met_long_ago_does_not_come_back_as_new(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list uses the latest ten thousand events (here ten); earlier pieces still count as heard."""
    monkeypatch.setattr("troubadour.app.studio._REMEMBERED", 10)
    with Studio(home) as studio:
        heard = {e[0] for e in studio.store.history("much")}
        assert len(studio.history("much", studio.models())) == 10
    for command in ("recommend", "discover"):
        found = call(home, command, "much", "--n", "100")["items"]
        assert not heard & {item["id"] for item in found}


def test_a_service_that_has_nothing_but_plays(tmp_path: Path) -> None:
    """Home without scores, audio or ratings: only names, listeners and times. Three groups of twenty songs."""
    rng = np.random.default_rng(0)
    home, log = tmp_path / "home", tmp_path / "plays.csv"
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "artist", "title", "time"])
        for user in range(45):
            for k in range(20):
                song = (
                    int(rng.integers(60)) if rng.random() < 0.15 else 20 * (user % 3) + int(rng.integers(20))
                )
                writer.writerow(
                    [f"u{user}", f"Band {song % 15}", f"Song {song}", 1_700_000_000 + k * 43_200 + user]
                )
    report = call(home, "import-plays", str(log), "--add-unknown")[0]
    assert (report["new"], report["pieces_added"]) == (900, 60)
    stdout_of(home, "train", "recommender", "--recipe", "ease")
    found = call(home, "recommend", "u3", "--n", "5")["items"]
    assert sum(int(item["title"].split()[1]) < 20 for item in found) >= 4, "songs of their own tribe"
    assert found[0]["artist"].startswith("Band ")
    words = stdout_of(home, "recommend", "u3", "--n", "5")
    assert re.search(r"^ *1\. Song \d+ - Band \d+ {2}\[m\w+\]$", words, re.MULTILINE)
    discovered = call(home, "discover", "u3", "--n", "3")["items"]
    assert all("listeners know it" in item["reasons"][0] for item in discovered)
    assert len(call(home, "radio", "--listener", "u3", "--n", "8")["items"]) == 8
    assert call(home, "charts")["items"]
    with pytest.raises(InputError, match="known styles: none"):
        stdout_of(home, "radio", "--style", "jig")


@pytest.mark.parametrize("n", [5, 100])
def test_a_list_takes_a_few_statements_whatever_its_length(home: Path, n: int) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with Studio(home) as studio, TestClient(create_app(studio)) as client:
        client.get("/api/listeners/much/recommendations", params={"n": 1})  # loads the models
        event.listen(studio.store._engine, "before_cursor_execute", note)
        found = client.get("/api/listeners/much/recommendations", params={"n": n}).json()
    assert len(found["items"]) == n
    assert sum("FROM pieces" in one for one in statements) <= 5
    assert len(statements) <= 20, statements
