from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event as sqlalchemy_event

from troubadour.catalogue.store import Event, NewPiece, Store
from troubadour.core.errors import InputError, NotFoundError, StorageError
from troubadour.music.quality import QualityFlag
from troubadour.music.score import Score, Track


def new_piece(name: str, *, split: str = "train", generated: bool = False) -> NewPiece:
    score = Score.from_notes(
        [[0, 24, 60, 80, 0], [24, 24, 62, 80, 0]], ticks_per_quarter=24, tracks=(Track(40),)
    )
    return NewPiece(
        id=name, title=f"Tune {name}", score=score, work=name, split=split, fingerprint=name,
        grams=np.array([1, 2], dtype=np.uint32), attributes={"metre": "4/4"},
        vector=np.arange(4, dtype=np.float32), generated=generated,
    )  # fmt: skip


def event(n: int, listener: str = "ann", piece: str = "a", kind: str = "play") -> Event:
    return Event(f"e{n}", listener, piece, kind, 1_700_000_000 + n, 0.5 if kind == "play" else None)


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Collects the SELECT, INSERT, UPDATE and DELETE statements of a store."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            statements.append(statement)

    sqlalchemy_event.listen(store._engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sqlalchemy_event.remove(store._engine, "before_cursor_execute", note)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path) as opened:
        opened.add_pieces([new_piece("a"), new_piece("b")])
        opened.add_listeners([("ann", "Ann", False), ("bob", "Bob", True)])
        yield opened


def test_a_piece_comes_back_as_it_was_stored(store: Store) -> None:
    assert store.score("a") == new_piece("a").score
    assert store.piece("b").attributes == {"metre": "4/4"}
    assert store.piece_ids() == ["a", "b"]
    np.testing.assert_array_equal(store.vectors()[1], np.arange(4))


def test_pieces_are_read_by_id_in_one_statement(store: Store) -> None:
    store.add_pieces([new_piece(f"p{i}") for i in range(1200)])
    ids = [f"p{i}" for i in reversed(range(1200))]
    with counted(store) as statements:
        found = store.pieces_by_id([*ids, "a", "a"])
    assert [*found] == [*ids, "a"]
    assert found["p7"] == store.piece("p7")
    assert len(statements) == 1
    assert store.pieces_by_id([]) == {}
    with pytest.raises(NotFoundError, match="no piece 'gone'"):
        store.pieces_by_id(["a", "gone"])


def test_quality_flags_are_read_from_codes_and_from_sentences_of_earlier_versions(store: Store) -> None:
    store.add_pieces(
        [
            replace(new_piece("new"), quality=("2 grace notes left out", "unreliable-barlines")),
            replace(new_piece("old"), quality=("barlines are not to be trusted",)),
        ]
    )
    assert store.piece("new").quality == ["2 grace notes left out", "barlines are unreliable"]
    flagged = {p.id for p in store.pieces() if QualityFlag.UNRELIABLE_BARLINES in p.flags}
    assert flagged == {"new", "old"}


def test_listeners_are_read_by_page_and_by_words(store: Store) -> None:
    store.add_listeners([("eva", "Évora", False), ("x_y", "100%", False), ("joan", "Joan", False)])
    assert [p.id for p in store.listeners(limit=2, offset=1)] == ["bob", "eva"]
    assert [p.row for p in store.listeners(limit=2, offset=1)] == [1, 2]
    assert [(p.row, p.id) for p in store.listeners("évo")] == [(2, "eva")]
    assert [p.id for p in store.listeners("%")] == ["x_y"]
    assert [p.id for p in store.listeners("B B")] == ["bob"]
    assert [(p.row, p.id) for p in store.listeners("an", offset=1)] == [(4, "joan")]
    assert (store.count_listeners(), store.count_listeners("an")) == (5, 2)
    with pytest.raises(InputError, match="offset -1"):
        store.listeners(offset=-1)


def test_events_of_a_listener_come_as_columns(store: Store) -> None:
    store.record([event(2, piece="b"), event(1), replace(event(3), flags=1), event(4, kind="like")])
    last = store.last_event()
    store.record([event(5, listener="bob"), event(6, piece="b")])
    with counted(store) as statements:
        found = store.listener_events("ann", until=last)
    assert len(statements) == 3
    assert (found.ids, found.item.tolist(), found.kind.tolist()) == (("a", "b"), [0, 1, 0], [0, 0, 1])
    assert found.time.tolist() == [1_700_000_001, 1_700_000_002, 1_700_000_004]
    np.testing.assert_array_equal(found.value, np.array([0.5, 0.5, np.nan], np.float32))
    newest = store.listener_events("ann", 2)
    assert [newest.ids[i] for i in newest.item] == ["a", "b"]
    assert newest.time.tolist() == [1_700_000_004, 1_700_000_006]
    assert len(store.listener_events("bob", 0).ids) == 0
    with pytest.raises(NotFoundError, match="no listener 'eve'; there are ann, bob"):
        store.listener_events("eve")


def test_adding_a_piece_again_changes_nothing(store: Store) -> None:
    assert store.add_pieces([new_piece("a"), new_piece("c")]) == 1
    assert store.piece_ids() == ["a", "b", "c"]


def test_an_event_sent_twice_is_stored_once(store: Store) -> None:
    assert store.record([event(1), event(2)]) == 2
    assert store.record([event(2), event(3)]) == 1
    assert store.counts()["interactions"] == 3


def test_an_id_that_two_events_bear_is_refused_and_neither_is_lost(store: Store) -> None:
    store.add_listeners([("bob", "", False)])
    store.record([event(1)])
    for other in (event(1, listener="bob"), event(1, piece="b"), event(1, kind="like")):
        with pytest.raises(InputError, match="'e1' was given to another event before"):
            store.record([event(9), other])
    assert store.counts()["interactions"] == 1, "of a batch that is refused nothing is stored"
    assert store.record([replace(event(1), time=77)]) == 0, "the same, sent again, may bear a new time"


def test_history_is_newest_first_and_columns_are_in_time_order(store: Store) -> None:
    store.record([event(2, piece="b"), event(1), event(3, kind="like")])
    assert [(p, k) for p, k, _, _ in store.history("ann")] == [("a", "like"), ("b", "play"), ("a", "play")]
    columns = store.interaction_columns()
    assert columns["item"].tolist() == [0, 1, 0]
    assert columns["kind"].tolist() == [0, 0, 1]
    assert np.isnan(columns["value"][2])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Event("x", "ann", "a", "hum", 1), "play, like, skip, rating"),
        (Event("x", "ann", "a", "rating", 1, 7.0), "1 to 5"),
        (Event("x", "ann", "a", "play", -5), "Unix seconds"),
        (Event("x", "ann", "a", "play", 1, 3.0), "0 to 1"),
        (Event("", "ann", "a", "play", 1), "event id"),
    ],
)
def test_a_bad_event_is_refused_with_what_is_allowed(store: Store, bad: Event, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.record([event(1), bad])
    assert store.counts()["interactions"] == 0


def test_unknown_listeners_and_pieces_are_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no listener 'zoe'"):
        store.record([event(1, listener="zoe")])
    with pytest.raises(NotFoundError, match="no piece 'q'"):
        store.record([event(1, piece="q")])
    with pytest.raises(NotFoundError, match="ann"):
        store.listener("zoe")


def test_eight_writers_at_once_lose_nothing(store: Store) -> None:
    def write(worker: int) -> None:
        for n in range(25):
            store.record([event(worker * 1000 + n)])

    threads = [threading.Thread(target=write, args=(w,)) for w in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts()["interactions"] == 200


def test_one_bad_write_in_a_group_does_not_take_the_others_down(store: Store) -> None:
    failures: list[Exception] = []

    def write(worker: int) -> None:
        try:
            store.record([event(worker, listener="ann" if worker % 2 else "nobody")])
        except NotFoundError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(w,)) for w in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 10
    assert store.counts()["interactions"] == 10


_WRITER = """
import sys
from pathlib import Path
from troubadour.catalogue.store import Event, Store
store = Store.open(Path(sys.argv[1]))
n = 0
while True:
    store.record([Event(f"e{n}", "ann", "a", "play", n)])
    print(n, flush=True)
    n += 1
"""


@pytest.mark.slow
def test_kill_9_of_the_writer_loses_nothing_acknowledged(store: Store, tmp_path: Path) -> None:
    store.close()
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(40)]
        os.kill(child.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout.read().split() if line.strip().isdigit()]
        child.wait()
        child.stdout.close()
        with Store.open(tmp_path) as again:
            assert again.counts()["interactions"] >= len(acknowledged)
            done = subprocess.run(
                [sys.executable, "-c", "import pysqlite3.dbapi2 as s, sys;"
                 "print(s.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])",
                 str(again.path)], capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert done.stdout.strip() == "ok"


_FILLER = """
import resource, signal, sys
from pathlib import Path
from troubadour.catalogue.store import Event, Store
from troubadour.core.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(Path(sys.argv[1]))
limit = 400_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
acknowledged = 0
try:
    while acknowledged < 200_000:
        batch = [Event(f"f{acknowledged + i}", "ann", "a", "play", i) for i in range(200)]
        store.record(batch)
        acknowledged += 200
except StorageError as error:
    print("full", acknowledged, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.record([Event("after", "ann", "a", "play", 1)])
print("recovered", flush=True)
"""


@pytest.mark.slow
def test_a_full_disk_acknowledges_nothing_and_recovers(store: Store, tmp_path: Path) -> None:
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", _FILLER, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.split()
    assert lines[0] == "full", done.stderr
    assert lines[2] == "recovered", done.stderr
    with Store.open(tmp_path) as again:
        assert again.counts()["interactions"] == int(lines[1]) + 1


def test_a_damaged_file_gives_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StorageError, match="restore"):
        Store.open(tmp_path)


def test_a_store_of_a_newer_program_is_refused(store: Store, tmp_path: Path) -> None:
    store.close()
    import pysqlite3.dbapi2 as sqlite

    connection = sqlite.connect(str(tmp_path / "catalogue.sqlite"))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match="newer"):
        Store.open(tmp_path)


def test_opening_again_costs_little(store: Store, tmp_path: Path) -> None:
    store.close()
    started = time.process_time()
    with Store.open(tmp_path) as again:
        assert again.counts()["pieces"] == 2
    assert time.process_time() - started < 2.0


def test_settings_survive(store: Store, tmp_path: Path) -> None:
    store.set("seed", {"a": 1})
    store.set("seed", {"a": 2})
    store.close()
    with Store.open(tmp_path) as again:
        assert again.get("seed") == {"a": 2}
        assert again.get("nothing") is None


assert resource.RLIMIT_FSIZE  # the full-disk test needs it
