"""Import, export and erasure of plays on the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.catalogue.plays import metadata_piece
from troubadour.catalogue.records import Block
from troubadour.catalogue.store import Store
from troubadour.cli import app
from troubadour.core.errors import InputError, NotFoundError
from troubadour.interactions.importers.base import NamedTrack

SAMPLES = Path(__file__).parents[1] / "interactions" / "importers" / "samples"
SERVICE = ("Who=listener", "Song=title", "By=artist", "When=time", "Did=kind", "Stars=rating")
LONG_AGO = 1_711_965_600


def run(home: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def take(home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Import report of one file."""
    (report,) = json.loads(run(home, "import-plays", *words, "--json", code=code).stdout)
    return dict(report)


def history(home: Path, listener: str) -> list[tuple[str, str, float | None, int]]:
    """Title, kind, value and time of each event, oldest first."""
    with Store.open(home) as store:
        return [(store.piece(p).title, *rest) for p, *rest in reversed(store.history(listener))]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Home with four songs known by name, one of them in Japanese."""
    folder = tmp_path / "home"
    names = [
        ("The Kesh Jig", "The Quills"),
        ("Night Ferry", "Marek Lund"),
        ("夜の舟", "青い灯"),
        ("Señorita de Vigo", "Los Faros"),
    ]
    with Store.open(folder) as store:
        store.add_pieces([metadata_piece(NamedTrack(title, artist)) for title, artist in names])
    return folder


# Import ---------------------------------------------------------------------------------------


def test_listens_of_listenbrainz_come_in_and_what_is_missing_is_told(home: Path, tmp_path: Path) -> None:
    listed = tmp_path / "missing.csv"
    words = (str(SAMPLES / "listenbrainz.jsonl"), "--listener", "greta", "--unmatched", str(listed))
    report = take(home, *words)
    assert (report["read"], report["new"], report["unmatched_new"], report["rejected"]) == (5, 4, 1, 0)
    assert report["matched_by"] == {"name": 4, "unknown": 1}
    assert report["top_unmatched"] == [["Nobody You Know", "Unheard Of", "unknown", 1]]
    assert [title for title, *_ in history(home, "greta")] == [
        "The Kesh Jig", "Señorita de Vigo", "夜の舟", "Night Ferry",
    ]  # fmt: skip
    (row,) = csv.DictReader(listed.read_text(encoding="utf-8").splitlines())
    assert (row["artist"], row["title"], row["reason"]) == ("Nobody You Know", "Unheard Of", "unknown")
    again = take(home, *words)
    assert (again["new"], again["present"], again["unmatched_present"]) == (0, 4, 1)


def test_the_report_in_words_says_what_came_of_every_event(home: Path) -> None:
    words = run(home, "import-plays", str(SAMPLES / "listenbrainz.jsonl"), "--listener", "greta").stdout
    assert "listenbrainz.jsonl: 5 read, 4 new, 0 known, 1 not in the catalogue, 0 rejected" in words
    assert "tracks: 4 name, 1 unknown" in words
    assert "unknown: Nobody You Know - Unheard Of (1)" in words


def test_scrobbles_of_lastfm_and_a_time_of_zero(home: Path) -> None:
    report = take(home, str(SAMPLES / "lastfm_uts.csv"), "--listener", "greta")
    assert (report["new"], report["time_unknown"]) == (4, 1)
    assert history(home, "greta")[0] == ("Night Ferry", "play", None, 0), "the oldest of all"
    named = take(home, str(SAMPLES / "lastfm_stats.csv"))
    assert named["listeners"] == 1
    assert named["present"] == 1, "the listener's name stands in the header, and the play is known by now"


def test_streams_of_spotify_with_shares_and_skips(home: Path) -> None:
    report = take(home, str(SAMPLES / "Streaming_History_Audio_2024_0.json"), "--listener", "greta")
    assert report["read"] == 7
    assert report["causes"] == {
        "not a track: a podcast, an audiobook or a video": 1,
        "played for 0 s": 1,
        "played for less than 30 s, length of the track unknown": 1,
    }
    assert [(title, kind, value) for title, kind, value, _ in history(home, "greta")] == [
        ("The Kesh Jig", "play", 1.0), ("The Kesh Jig", "play", 0.5), ("Night Ferry", "skip", None),
        ("Señorita de Vigo", "play", 1.0),
    ]  # fmt: skip


def test_a_table_of_the_service_s_own_by_a_map_of_its_columns(home: Path) -> None:
    mapped = [word for column in SERVICE for word in ("--map", column)]
    unmapped = take(home, str(SAMPLES / "service.csv"), "--listener", "ines")
    assert unmapped["remarks"] == [["service.csv", "unused columns: Who, By, When, Did, Heard ms, Length ms"]]
    assert unmapped["new"] == 0, "a title without its artist says too little"
    report = take(home, str(SAMPLES / "service.csv"), *mapped)
    assert report["new"] == 3
    assert report["causes"] == {
        "rating outside 1 to 5": 1,
        "invalid time": 1,
        "time is in the future": 1,
        "kind is 'hum'; allowed: play, like, skip, rating": 1,
        "no listener is named": 1,
    }
    assert next(where for where, _ in report["examples"]) == "service.csv:5", "the line is told"
    assert history(home, "ines") == [
        ("Night Ferry", "play", None, 1711959300),
        ("The Kesh Jig", "rating", 4.0, 1711962000),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "shift_jis"])
def test_other_languages_and_encodings(home: Path, tmp_path: Path, encoding: str) -> None:
    title, artist = ("夜の舟", "青い灯") if encoding == "shift_jis" else ("Señorita de Vigo", "Los Faros")
    path = tmp_path / "plays.csv"
    path.write_bytes(f"artist;title;time\r\n{artist};{title};{LONG_AGO}\r\n".encode(encoding))
    report = take(home, str(path), "--listener", "greta")
    if encoding == "shift_jis":
        # The wrong guess is not refused: nothing matches, and both facts are reported.
        assert report["unmatched_new"] == 1
        assert "encoding not declared" in report["remarks"][0][1]
        return
    assert history(home, "greta") == [(title, "play", None, LONG_AGO)]
    assert bool(report["remarks"]) == (encoding == "cp1252"), "a guess is told"


def test_two_rows_alike_are_two_events_of_which_one_counts(home: Path, tmp_path: Path) -> None:
    """Event ids depend on listener, piece and time; collisions are numbered, and repeated imports add nothing."""
    path = tmp_path / "plays.csv"
    row = f"The Quills,The Kesh Jig,{LONG_AGO}\n"
    path.write_text(f"artist,title,time\n{row}{row}Quills,Kesh Jig (2011 Remaster),{LONG_AGO}\n")
    report = take(home, str(path), "--listener", "greta")
    assert (report["new"], report["flagged"]["duplicate"]) == (3, 2)
    assert len(history(home, "greta")) == 1
    assert take(home, str(path), "--listener", "greta")["present"] == 3
    other = take(home, str(path), "--listener", "greta2")
    assert other["new"] == 3, "another listener's are events of their own"


def test_a_file_of_which_nothing_is_read_fails_and_says_what_to_do(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n")
    done = run(home, "import-plays", str(path), "--listener", "greta", code=1)
    assert "not a log of plays; skipped" in done.stdout
    assert "--format" in done.stderr
    empty = tmp_path / "plays.csv"
    empty.write_text("artist,title,time\n")
    assert take(home, str(empty), "--listener", "greta")["read"] == 0, "an empty log is a log"


def test_what_cannot_be_read_names_the_file_and_the_remedy(home: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.csv"
    strange.write_text("a,b\n1,2\n")
    for words, message in (
        ([str(tmp_path / "none.csv")], "no file or folder"),
        ([str(strange), "--format", "csv"], "it has a, b. Map one with --map"),
        ([str(SAMPLES / "lastfm_uts.csv")], "--listener"),
        ([str(SAMPLES / "service.csv"), "--map", "Song"], "COLUMN=ROLE"),
        ([str(SAMPLES / "service.csv"), "--format", "tidal"], "allowed: auto, listenbrainz"),
    ):
        with pytest.raises(InputError, match=message):
            run(home, "import-plays", *words)


# Export and erasure ---------------------------------------------------------------------------

WHO = "yves-71c2-unmistakable"


@pytest.fixture(scope="module")
def known(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home whose recommender was fitted with a listener who also has a stored list and a block."""
    folder = tmp_path_factory.mktemp("known")
    home = folder / "home"
    shutil.copytree(small_home, home)
    path = folder / "plays.csv"
    with Store.open(home) as store:
        ids = store.piece_ids()
    rows = "".join(f"{WHO},{piece},{LONG_AGO + 600 * i}\n" for i, piece in enumerate(ids[:40:2]))
    path.write_text(f"user,piece,time\n{rows}{WHO},nowhere,{LONG_AGO}\n")
    assert take(home, str(path))["new"] == 20
    run(home, "train", "recommender", "--recipe", "ease")
    run(home, "recommend", WHO)
    run(home, "because", WHO)
    with Store.open(home) as store:
        store.blocks.add(WHO, Block("piece", ids[1], LONG_AGO))
    return home


def test_an_export_holds_all_that_is_known(known: Path, tmp_path: Path) -> None:
    held = json.loads(run(known, "export", WHO).stdout)
    assert held["listener"]["id"] == WHO
    assert [e["time"] for e in held["events"]] == [LONG_AGO + 600 * i for i in range(20)]
    assert all(e["title"] and e["source"] == "plays.csv" for e in held["events"])
    assert [u["identifiers"] for u in held["not_in_catalogue"]] == [{"piece": "nowhere"}]
    assert {s["slot"] for s in held["shown"]} == {"for-you", "because"}
    assert all(s["release"] == "r0002" and s["propensity"] for s in held["shown"])
    assert len(held["blocked"]) == 1
    assert sum(held["derived"]["plays_by_style"].values()) == 20
    out = tmp_path / "held.json"
    done = run(known, "export", WHO, "--out", str(out))
    assert done.stdout == ""
    assert "20 events" in done.stderr
    assert json.loads(out.read_text(encoding="utf-8"))["events"] == held["events"]
    with pytest.raises(NotFoundError, match="no listener 'nobody'"):
        run(known, "export", "nobody")
    with pytest.raises(InputError, match="cannot be written"):
        run(known, "export", WHO, "--out", str(tmp_path / "none" / "held.json"))


@pytest.mark.slow
def test_the_forgotten_are_gone_from_store_models_and_impressions(known: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(known, home)
    with Studio(home) as studio:
        before = studio.models().ranker
        listeners = studio.store.counts()["listeners"]
    result = CliRunner().invoke(app, ["forget", WHO, "--home", str(home)], input="n\n")
    assert result.exit_code == 1
    assert "for good?" in result.stderr
    done = run(home, "forget", WHO, "--yes").stdout
    assert "20 of interactions" in done
    assert "1 of blocks" in done
    receipts = list((home / "receipts").iterdir())
    assert [f"receipt: {r}" for r in receipts] == [done.splitlines()[-1]]
    receipt = json.loads(receipts[0].read_text())
    assert receipt["rows"]["impressions"] == 10 + 15
    assert {m["treatment"] for m in receipt["models"] if m["part"] == "recommender"} <= {
        "downdated", "refitted", "untouched",
    }  # fmt: skip
    with Studio(home) as studio:
        after = studio.models().ranker
        assert studio.store.counts()["listeners"] == listeners - 1
    assert after.blend.popular.n_listeners == before.blend.popular.n_listeners - 1
    assert (before.listener_count - after.listener_count).sum() == 20, (
        "one listener less on each piece that they met"
    )
    held = b"".join(p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file())
    assert WHO.encode() not in held
    for command in ("recommend", "export", "discover"):
        with pytest.raises(NotFoundError, match="no listener"):
            run(home, command, WHO)
    with pytest.raises(NotFoundError, match="no listener"):
        run(home, "forget", WHO, "--yes")


def test_somebody_can_be_forgotten_before_there_is_any_model(home: Path) -> None:
    take(home, str(SAMPLES / "listenbrainz.jsonl"), "--listener", WHO)
    receipt = json.loads(run(home, "forget", WHO, "--yes", "--json").stdout)
    assert receipt["rows"]["interactions"] == 4
    assert receipt["rows"]["unmatched"] == 1
    assert receipt["live"] == ""
    assert Path(receipt["receipt"]).is_file()
