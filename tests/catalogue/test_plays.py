from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from troubadour.catalogue.matching import Matcher
from troubadour.catalogue.plays import PlaysReport, import_plays
from troubadour.catalogue.records import NewPiece
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.interactions.importers.base import NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.formats import read_plays

SAMPLES = Path(__file__).parents[1] / "interactions" / "importers" / "samples"
NOW = 1_780_000_000


def song(name: str, title: str, artist: str, **more: object) -> NewPiece:
    piece = NewPiece(
        id=name, title=title, score=None, work=name, split="none", fingerprint="",
        grams=np.zeros(0, dtype=np.uint32), attributes={}, artist=artist, medium="metadata",
    )  # fmt: skip
    return replace(piece, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        opened.add_pieces(
            [
                song("kesh", "The Kesh Jig", "The Quills", duration_seconds=181.0),
                song("vigo", "Senorita de Vigo", "Faros", identifiers={"mbid": "11111111-2222-4333-8444-555555555501"}),
                song("boat", "夜の舟", "青い灯"),
                song("ferry", "Night Ferry", "M. Lund", identifiers={"isrc": "GBQZX2400017"}),
                song("air1", "Air", "Bach"),
                song("air2", "Air", "Bach"),
            ]
        )  # fmt: skip
        yield opened


def take(store: Store, *names: str, listener: str = "greta", **more: object) -> PlaysReport:
    found = (f for name in names for f in read_plays(SAMPLES / name, "auto", ReadOptions(NOW)))
    return import_plays(store, found, names[0], listener=listener, **more)  # type: ignore[arg-type]


def test_plays_are_matched_by_id_then_by_name_and_the_rest_is_kept_apart(store: Store) -> None:
    report = take(store, "listenbrainz.jsonl", "listenbrainz_feedback.jsonl")
    assert (report.read, report.new, report.unmatched_new, report.rejected) == (8, 6, 1, 1)
    assert report.matched_by == {"name": 2, "mbid": 1, "unknown": 1, "isrc": 1}
    assert report.top_unmatched == [("Nobody You Know", "Unheard Of", "unknown", 1)]
    assert report.causes == {"recording named only by an id without a listen": 1}
    assert [(p, k, v) for p, k, v, _ in store.history("greta")] == [
        ("vigo", "rating", 1.0), ("kesh", "like", None), ("ferry", "play", None), ("boat", "play", None),
        ("vigo", "play", None), ("kesh", "play", None),
    ]  # fmt: skip
    assert [u.title for u in store.unmatched.all("greta")] == ["Unheard Of"]


def test_importing_twice_changes_nothing(store: Store) -> None:
    first = take(store, "listenbrainz.jsonl", "listenbrainz_feedback.jsonl")
    again = take(store, "listenbrainz.jsonl", "listenbrainz_feedback.jsonl")
    assert (again.new, again.present, again.unmatched_new, again.unmatched_present) == (0, first.new, 0, 1)
    assert store.counts()["interactions"] == 6
    assert store.unmatched.count() == 1


def test_a_play_reported_by_two_services_counts_once(store: Store) -> None:
    take(store, "listenbrainz.jsonl")
    report = take(store, "lastfm_headerless.csv")  # the same seconds, written another way
    assert (report.new, report.present) == (0, 2)
    late = PlayEvent(NamedTrack("Kesh Jig", "Quills"), "play", 1_711_965_604)  # another clock
    report = import_plays(store, [late], "other.csv", listener="greta")
    assert (report.new, report.flagged) == (1, {"duplicate": 1})
    assert [p for p, *_ in store.history("greta")].count("kesh") == 1


def test_shares_are_computed_from_streams(store: Store) -> None:
    store.add_pieces([song("ferry2", "Night Ferry", "Marek Lund")])
    report = take(store, "Streaming_History_Audio_2024_0.json")
    history = [(p, k, v) for p, k, v, _ in reversed(store.history("greta"))]
    assert history == [("kesh", "play", 1.0), ("kesh", "play", 0.5), ("ferry2", "skip", None)]
    assert report.causes["played for less than 30 s, length of the track unknown"] == 1
    assert report.unmatched_new == 1  # Los Faros is not Faros


def test_a_name_that_two_pieces_bear_matches_neither(store: Store) -> None:
    report = import_plays(store, [PlayEvent(NamedTrack("Air", "Bach"), "play", 5)], "x", listener="ann")
    assert report.matched_by == {"ambiguous": 1}
    assert store.history("ann") == []
    assert store.unmatched.all()[0].reason == "ambiguous"


def test_an_id_that_two_pieces_bear_matches_neither(store: Store) -> None:
    store.identify([("boat", "isrc", "GBQZX2400017")])
    found = Matcher(store).match(
        NamedTrack("Night Ferry", "M. Lund", identifiers=(("isrc", "GBQZX2400017"),))
    )
    assert (found.piece, found.reason) == ("", "ambiguous")


def test_unknown_tracks_can_be_added_by_name_and_then_are_known(store: Store, tmp_path: Path) -> None:
    take(store, "listenbrainz.jsonl")
    listed = tmp_path / "unmatched.csv"
    report = take(store, "listenbrainz.jsonl", add_unknown=True, unmatched_file=listed)
    assert (report.pieces_added, report.new, report.unmatched_new) == (1, 1, 0)
    assert store.unmatched.count() == 0  # it moved over
    (piece,) = [p for p in store.pieces() if p.collection == "plays"]
    assert (piece.title, piece.artist, piece.medium) == ("Unheard Of", "Nobody You Know", "metadata")
    assert take(store, "listenbrainz.jsonl", add_unknown=True).pieces_added == 0
    assert listed.read_text().splitlines() == ["artist,title,album,mbid,isrc,spotify,reason,events"]
    take(store, "Streaming_History_Audio_2024_0.json", unmatched_file=listed)
    assert "Los Faros,Señorita de Vigo,Puerto,,,2C0KFbb4v9CNWR5c9jWcKC,unknown,1" in listed.read_text("utf-8")


def test_bots_and_duplicates_are_stored_counted_and_excluded(store: Store) -> None:
    plays = [
        PlayEvent(NamedTrack("The Kesh Jig", "Quills"), "play", 1_711_000_000 + 5 * i) for i in range(200)
    ]
    report = import_plays(store, plays, "bot.csv", listener="bot")
    assert report.new == report.flagged_events == report.flagged["too_fast"] == 200
    assert report.flagged["duplicate"] == 199
    assert store.counts()["interactions"] == 200
    assert store.history("bot") == []
    assert len(store.interaction_columns()["item"]) == 0
    assert len(store.interaction_columns(flagged=True)["item"]) == 200


def test_a_listener_must_be_named(store: Store) -> None:
    with pytest.raises(InputError, match="--listener"):
        take(store, "lastfm_uts.csv", listener="")
    report = take(store, "lastfm_stats.csv", listener="")
    assert report.listeners == 1
    assert store.history("greta")[0][0] == "kesh"


def test_a_play_without_a_time_is_the_oldest_and_counted(store: Store) -> None:
    report = import_plays(
        store, [PlayEvent(NamedTrack("夜の舟", "青い灯"), "play", 0)] * 2, "x", listener="ann"
    )
    assert (report.time_unknown, report.new, report.flagged_events) == (2, 2, 0)
    again = import_plays(
        store, [PlayEvent(NamedTrack("夜の舟", "青い灯"), "play", 0)] * 2, "x", listener="ann"
    )
    assert (again.new, again.present) == (0, 2)


def test_an_empty_log_is_an_empty_report(store: Store) -> None:
    report = import_plays(store, [], "empty.csv", listener="ann")
    assert (report.read, report.new, report.listeners) == (0, 0, 0)


@pytest.mark.slow
def test_many_plays_of_one_listener_stay_within_time_and_memory(store: Store) -> None:
    n = 100_000  # a tenth of a million
    tracks = [NamedTrack(f"Song {i}", "Faros") for i in range(2000)]
    store.add_pieces([song(f"s{i}", f"Song {i}", "Faros") for i in range(2000)])
    plays = (PlayEvent(tracks[i * 7919 % 2000], "play", 1_000_000_000 + 200 * i) for i in range(n))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    report = import_plays(store, plays, "many.csv", listener="ann")
    assert report.new == n
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
