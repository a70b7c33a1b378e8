from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from troubadour.catalogue.importing import import_pieces
from troubadour.catalogue.store import Store
from troubadour.catalogue.works import assign_works, split_of
from troubadour.core.errors import InputError
from troubadour.corpora.builtin import read_collection
from troubadour.corpora.folder import read_path
from troubadour.music.fingerprint import fingerprint, grams
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.score import Score, Track


def tune(seed: int, notes: int = 60) -> Score:
    rng = np.random.default_rng(seed)
    pitch = 60 + np.abs(np.cumsum(rng.integers(-4, 5, notes)) % 24)
    length = rng.choice([6, 12, 12, 24], notes)
    onset = np.concatenate([[0], np.cumsum(length)[:-1]])
    return Score(24, onset, length, pitch, np.full(notes, 80), np.zeros(notes), (Track(40),))


def varied(score: Score, changes: int, seed: int) -> Score:
    rng = np.random.default_rng(seed)
    pitch = score.pitch.copy()
    assignment = rng.choice(len(pitch), changes, replace=False)
    pitch[assignment] += rng.choice([-2, -1, 1, 2], changes)
    return score.replace(pitch=pitch)


def piece(score: Score, title: str) -> Piece:
    return Piece(score, title, source="test")


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        first = import_pieces(store, read_collection("folk"), "folk")
        ids, works = store.piece_ids(), store.works()
        again = import_pieces(store, read_collection("folk"), "folk")
        assert first.added > 150
        assert first.read == 185
        assert again.added == 0
        assert again.present == first.added
        assert store.piece_ids() == ids
        assert [w[:3] for w in store.works()] == [w[:3] for w in works]


def test_a_transposed_copy_is_a_duplicate_and_a_variant_is_one_work(tmp_path: Path) -> None:
    original = tune(1)
    source = [
        piece(original, "One"),
        piece(original.transpose(3), "Two"),
        piece(varied(original, 3, 5), "Three"),
        piece(tune(2), "Four"),
    ]
    with Store.open(tmp_path) as store:
        report = import_pieces(store, source, "test")
        assert [t for t, _ in report.duplicates] == ["Two"]
        rows = {p.title: p for p in store.pieces()}
        assert rows["One"].work == rows["Three"].work != rows["Four"].work
        assert report.near_duplicates


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(12)), st.integers(0, 1000))
def test_works_do_not_depend_on_order_and_never_straddle_a_split(order: list[int], seed: int) -> None:
    scores = [varied(tune(seed + i // 3).transpose(i % 3), 4 * (i % 3 > 0), i) for i in range(12)]
    named = [(f"p{i}", grams(s)) for i, s in enumerate(scores)]
    straight = dict(zip([n for n, _ in named], assign_works(named, []), strict=True))
    shuffled_pieces = [named[i] for i in order]
    shuffled = dict(zip([n for n, _ in shuffled_pieces], assign_works(shuffled_pieces, []), strict=True))
    assert {n: (w.work, w.split) for n, w in straight.items()} == {
        n: (w.work, w.split) for n, w in shuffled.items()
    }
    for group in range(4):
        assert len({straight[f"p{i}"].work for i in range(3 * group, 3 * group + 3)}) == 1


def test_a_newcomer_between_two_works_goes_to_the_held_out_side() -> None:
    one, two = grams(tune(1)), grams(tune(2))
    both = np.union1d(one, two).astype(np.uint32)
    known = [("a", "work-a", "train", "fa", one), ("b", "work-b", "test", "fb", two)]
    assigned = assign_works([("new", both)], known)[0]
    assert (assigned.work, assigned.split) == ("work-b", "test")


def test_splits_are_about_eight_one_one() -> None:
    splits = [split_of(f"work-{i}") for i in range(3000)]
    assert 0.77 < splits.count("train") / 3000 < 0.83
    assert 0.08 < splits.count("valid") / 3000 < 0.12


def test_bad_files_are_named_and_the_rest_is_imported(tmp_path: Path) -> None:
    source = [
        Unreadable("broken.mid", "damaged MIDI"),
        piece(tune(1, 3), "Too short"),
        piece(tune(2), "Good"),
        piece(tune(3).replace(tracks=(Track(0, True),)), "Drums"),
    ]
    with Store.open(tmp_path) as store:
        report = import_pieces(store, source, "test")
        assert report.added == 1
        assert report.unreadable == [("broken.mid", "damaged MIDI")]
        assert {t for t, _ in report.dropped} == {"Too short", "Drums"}
        assert "1 added" in report.summary()


def test_fingerprint_ignores_key_and_tempo_only() -> None:
    score = tune(4)
    assert fingerprint(score) == fingerprint(score.transpose(5))
    assert fingerprint(score) != fingerprint(varied(score, 1, 1))


def test_hostile_files_in_a_folder_are_named_and_the_good_one_is_read(tmp_path: Path) -> None:
    files = {
        "empty.mid": b"",
        "cut.mid": b"MThd\0\0\0\6\0\1\0\2\x01\xe0MTrk\0\0\xff\xff",
        "jpeg.mid": b"\xff\xd8\xff\xe0" + b"\0" * 200,
        "text.xml": b"<html><body>no score</body></html>",
        "zip.mxl": b"PK\3\4garbage",
        "rests.abc": b"X:1\nT:Odd\nM:4/4\nK:C\n" + b"Z999|" * 1600,
        "key.abc": b"X:1\nT:Odd\nM:4/4\nCDEF|\n",
        "good.abc": b"X:1\nT:Good\nM:4/4\nL:1/8\nK:G\nGABc dedB|dedB dedB|c2ec B2dB|c2A2 A2BA|\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "note.txt").write_text("not music")
    found = list(read_path(tmp_path))
    assert [f.title for f in found if isinstance(f, Piece)] == ["Good"]
    bad = {Path(f.name.split("#")[0]).name: f.cause for f in found if isinstance(f, Unreadable)}
    assert set(bad) == set(files) - {"good.abc"}
    assert "empty" in bad["empty.mid"]
    assert "999 bars of rest" in bad["rests.abc"]
    assert "K:" in bad["key.abc"]


def test_a_missing_folder_is_an_error() -> None:
    with pytest.raises(InputError, match="no file or folder"):
        list(read_path(Path("nowhere-at-all")))


def test_restricted_collections_need_their_terms_accepted() -> None:
    with pytest.raises(InputError, match="non-commercial"):
        read_collection("essen")


# Ten batches of twelve pieces, with pauses, so that the process is killed in or between them.
_IMPORT = """
import sys, time
from itertools import islice
from pathlib import Path
from troubadour.catalogue import importing
from troubadour.catalogue.store import Store
from troubadour.corpora.builtin import read_collection
importing._BATCH = 12
store = Store.open(Path(sys.argv[1]))
whole = store.add_pieces
def add_pieces(rows):
    added = whole(rows)
    print("stored", flush=True)
    time.sleep(0.2)
    return added
store.add_pieces = add_pieces
importing.import_pieces(store, islice(read_collection("airds"), 120), "airds")
"""


@pytest.mark.slow
def test_an_import_killed_on_the_way_is_completed_by_the_next(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _IMPORT, str(tmp_path / "cut")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "stored\n"
    time.sleep(0.2)  # about where the next batch is written
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    with Store.open(tmp_path / "cut") as cut, Store.open(tmp_path / "whole") as whole:
        before = cut.counts()["pieces"]
        assert before >= 12
        import_pieces(cut, islice(read_collection("airds"), 120), "airds")
        import_pieces(whole, islice(read_collection("airds"), 120), "airds")
        assert before < whole.counts()["pieces"]
        assert cut.piece_ids() == whole.piece_ids()
        assert [w[:3] for w in cut.works()] == [w[:3] for w in whole.works()]
