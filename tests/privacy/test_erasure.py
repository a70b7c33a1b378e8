from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from troubadour.app import jobs
from troubadour.app.studio import Studio
from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.records import Block, Event, Impression, Unmatched
from troubadour.core.errors import NotFoundError
from troubadour.generation.request import Brief
from troubadour.privacy.erasure import MADE_FROM_MUSIC, forget, without_listener
from troubadour.privacy.export import export, pseudonym
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.artefacts import info_of, load_ranker

WHO = "zoe-8f3a-unmistakable"
NAME = "Zoe Quillfeather"
SONG = "The Lost Song of Nobody"


@pytest.fixture(scope="module")
def known(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with a listener who has plays, blocks, stored lists, a composed piece and two releases."""
    home = tmp_path_factory.mktemp("known") / "home"
    shutil.copytree(small_home, home)
    with Studio(home) as studio:
        store = studio.store
        store.add_listeners([(WHO, NAME, False)])
        pieces = [p.id for p in store.pieces(generated=False)]
        store.record(
            [Event(f"{WHO}-{i}", WHO, pieces[3 * i], "play", 1_700_000_000 + 400 * i, 0.9) for i in range(30)]
            + [Event(f"{WHO}-flagged", WHO, pieces[1], "play", 1_700_000_001, flags=2)]
        )
        store.unmatched.add([Unmatched("u1", WHO, SONG, NAME, "", {}, "unknown", "play", 5)])
        store.impressions.add([Impression("s1", WHO, pieces[0], 1, 5, "r0001", "for-you")])
        store.blocks.add(WHO, Block("piece", pieces[2], 5))
        studio.compose(Brief(bars=4), seed=1, listener=WHO)
        jobs.fit(store, studio.releases)
    return home


def bytes_of(home: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file())


def test_all_that_is_held_can_be_had(known: Path) -> None:
    with Studio(known) as studio:
        held = export(studio.store, WHO)
    assert held["listener"]["name"] == NAME
    assert len(held["events"]) == 31
    assert held["events"][0]["at"] == "2023-11-14T22:13:20Z"
    assert held["events"][-1]["flags"] == ["same_second"]
    assert held["not_in_catalogue"][0]["title"] == SONG
    assert [len(held[k]) for k in ("shown", "blocked", "composed_for_them")] == [1, 1, 1]
    assert sum(held["derived"]["plays_by_style"].values()) == 30
    json.dumps(held)


def test_nothing_of_a_forgotten_listener_is_left_but_the_hash(known: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(known, home)
    assert WHO.encode() in bytes_of(home)
    with Studio(home) as studio:
        before = set(studio.releases.ids())
        hashed = pseudonym(studio.store, WHO)
        studio.recommend(WHO)
        receipt, path = forget(studio.store, studio.releases, home, WHO)
        assert WHO not in {p.id for p in studio.store.listeners()}
        with pytest.raises(NotFoundError):
            studio.recommend(WHO)
        # The other listeners keep their data, on the new release, with a previous one to roll back to.
        found, release = studio.recommend("sim-0003")
        assert len(found) == 10
        assert release not in before
        assert studio.releases.rollback().id not in before
        assert len(studio.recommend("sim-0003")[0]) == 10
        studio.releases.rollback()
        (piece,) = studio.store.pieces(generated=True)[-1:]
        assert piece.provenance["listener"] == "forgotten"
        assert piece.provenance["influences"] == []
        with pytest.raises(NotFoundError):
            forget(studio.store, studio.releases, home, WHO)
        # With the store open: neither in the database file nor in its write-ahead log.
        left = bytes_of(home)
        for trace in (WHO, NAME, SONG):
            assert trace.encode() not in left, trace
    assert receipt.rows == {
        "blocks": 1, "impressions": 1, "interactions": 31, "unmatched": 1, "provenance": 1,
    }  # fmt: skip
    assert set(receipt.releases_removed) == before
    stored = json.loads(path.read_text())
    assert stored["listener"] == hashed
    # The older release was fitted before the listener arrived, the newer one with their events.
    treated = [m["treatment"] for m in stored["models"] if m["part"] == "recommender"]
    assert treated[0] == "untouched"
    assert treated[1] in ("downdated", "refitted")
    assert {m["treatment"] for m in stored["models"] if m["part"] in MADE_FROM_MUSIC} == {"untouched"}
    assert not {m["artefact"] for m in stored["models"] if m["treatment"] != "untouched"} & {
        p.name for p in (home / "models" / "artefacts").iterdir()
    }


def test_the_model_is_the_one_that_never_knew_them(known: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(known, home)
    with Studio(home) as studio:
        live = studio.releases.live()
        assert live is not None
        ranker = load_ranker(studio.releases.folder(live.parts["recommender"]))
        made, _ = without_listener(studio.store, ranker, live, WHO)
        studio.store.erase(WHO)
        pieces = studio.store.pieces()
        never = Ranker.fit(
            studio.store.interactions(until=live.notes["last_event"]), item_vectors(studio.store),
            [info_of(p) for p in pieces], np.random.default_rng(0), blend=ranker.blend.spec,
        )  # fmt: skip
        histories = studio.store.interactions().histories()
        np.testing.assert_allclose(made.score(histories), never.score(histories), rtol=0, atol=1e-8)
        assert np.abs(ranker.score(histories) - never.score(histories)).max() > 1e-4


def test_somebody_without_any_event_is_forgotten_too(known: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(known, home)
    with Studio(home) as studio:
        studio.store.add_listeners([("quiet", "", False)])
        receipt, _ = forget(studio.store, studio.releases, home, "quiet")
        assert sum(receipt.rows.values()) == 0
        assert len(studio.recommend(WHO)[0]) == 10
        # Row numbers of listeners stay dense after an erasure.
        assert [p.row for p in studio.store.listeners()] == list(range(len(studio.store.listeners())))


def test_every_part_of_a_release_is_known_to_hold_listeners_or_not(known: Path) -> None:
    """A new part must be classified in `erasure`, or an erasure deletes it."""
    with Studio(known) as studio:
        live = studio.releases.live()
        assert live is not None
        assert set(live.parts) <= MADE_FROM_MUSIC | {"recommender"}
