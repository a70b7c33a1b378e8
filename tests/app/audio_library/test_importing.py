"""Each recording is imported once, also after crashes and interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.audio.conftest import chord_song
from tests.fixtures.networks import tune

from troubadour.app.audio_library.audio_search import AudioSearch
from troubadour.app.audio_library.importing import import_recordings
from troubadour.app.audio_library.pool import Workers
from troubadour.app.audio_library.score_features import measure_scores
from troubadour.app.importing import import_path
from troubadour.catalogue.importing import import_pieces
from troubadour.catalogue.store import Store
from troubadour.music.piece import Piece

# A worker that logs its files, and crashes or hangs for files with such names.
WORKER = """
import json, os, sys, time
from troubadour.app.audio_library.worker import answer
for line in sys.stdin:
    request = json.loads(line)
    name = os.path.basename(request["path"])
    with open(sys.argv[1], "a") as log:
        log.write(name + "\\n")
    if "crash" in name:
        os.abort()
    if "hang" in name:
        time.sleep(600)
    time.sleep(float(sys.argv[2]))
    print(json.dumps(answer(request)), flush=True)
"""


def workers(log: Path, count: int = 1, pause: float = 0.0, seconds: float = 60.0) -> Workers:
    return Workers(count, seconds, (sys.executable, "-c", WORKER, str(log), str(pause)))


def tunes(store: Store, n: int) -> None:
    """Pieces of two bars, cheap to render and measure."""
    import_pieces(
        store, [Piece(tune(i, "jig", 2), title=f"Jig {i}", source=f"{i}.mid") for i in range(n)], "mine"
    )


def songs(folder: Path, n: int) -> None:
    folder.mkdir(exist_ok=True)
    for i in range(n):
        soundfile.write(folder / f"song{i}.flac", chord_song(2.0, root=55 + i, seed=i), 22_050)


@pytest.mark.slow
def test_a_folder_of_recordings_comes_in_with_what_its_files_state(tmp_path: Path) -> None:
    songs(tmp_path / "music", 2)
    (tmp_path / "music" / "song1.txt").write_text(
        "By Ann. CC-BY 4.0 https://creativecommons.org/licenses/by/4.0/"
    )
    (tmp_path / "music" / "photo.wav").write_bytes(b"\xff\xd8\xff\xe0JFIF" + bytes(100))
    soundfile.write(tmp_path / "music" / "silent.wav", np.zeros(44_100, dtype=np.float32), 44_100)
    soundfile.write(tmp_path / "music" / "one.wav", np.ones(1, dtype=np.float32), 44_100)
    (tmp_path / "music" / "copy.flac").write_bytes((tmp_path / "music" / "song0.flac").read_bytes())
    with Store.open(tmp_path) as store:
        (report,) = import_path(store, tmp_path / "music")
        assert report.added == 2
        assert len(report.duplicates) == 1
        causes = {Path(name).name: cause for name, cause in report.unreadable}
        assert "not audio" in causes["photo.wav"]
        assert "silent" in causes["silent.wav"]
        assert "at least 0.5 s" in causes["one.wav"]
        (again,) = import_path(store, tmp_path / "music")
        assert (again.added, again.present + len(again.duplicates), len(again.unreadable)) == (0, 3, 3)
        pieces = {p.title: p for p in store.pieces()}
        assert pieces["song1"].licence == "CC-BY 4.0 https://creativecommons.org/licenses/by/4.0/"
        assert all(p.medium == "audio" and p.duration_seconds == pytest.approx(2.0) for p in pieces.values())
        # Tonic, subdominant, dominant and tonic of G and of A flat.
        assert pieces["song1"].attributes["key"] == "Ab major"
        assert store.sounds.counts() == {"recordings": 2, "sounds": 2}


@pytest.mark.slow
def test_a_crash_costs_one_file(tmp_path: Path) -> None:
    songs(tmp_path / "music", 1)
    soundfile.write(tmp_path / "music" / "crash.flac", chord_song(1.0, root=70), 22_050)
    with Store.open(tmp_path) as store:
        report = import_recordings(store, tmp_path / "music", "music", workers(tmp_path / "log"))
        assert report.added == 1
        ((name, cause),) = report.unreadable
        assert "crashed" in cause
        assert Path(name).name == "crash.flac"
        import_recordings(store, tmp_path / "music", "music", workers(tmp_path / "log"))
    done = Counter((tmp_path / "log").read_text().split())
    assert set(done.values()) == {1}, "a refused file is not tried again unless asked to"


@pytest.mark.slow
def test_a_file_that_hangs_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "hang.flac", chord_song(1.0), 22_050)
    with Store.open(tmp_path) as store:
        report = import_recordings(store, tmp_path / "music", "music", workers(tmp_path / "log", seconds=2.0))
    assert "took over 2 s" in report.unreadable[0][1]


IMPORT = """
import sys
from pathlib import Path
from tests.app.audio_library.test_importing import workers
from troubadour.catalogue.store import Store
from troubadour.app.audio_library.importing import import_recordings
home = Path(sys.argv[1])
with Store.open(home) as store:
    import_recordings(store, home / "music", "music", workers(home / "log", 2, 0.3))
"""


@pytest.mark.slow
def test_an_import_that_was_killed_goes_on_with_nothing_lost_or_measured_twice(tmp_path: Path) -> None:
    songs(tmp_path / "music", 10)
    with Store.open(tmp_path) as store:
        root = Path(__file__).parents[3]
        process = subprocess.Popen(
            [sys.executable, "-c", IMPORT, str(tmp_path)], cwd=root, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while len(store.sounds.files()) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(2.0)  # workers end with their input
        before = store.sounds.files()
        assert 3 <= len(before) < 10
        measured = set((tmp_path / "log").read_text().split())
        kept = {Path(f.path).name for f in before.values()}
        (tmp_path / "log").unlink()
        report = import_recordings(store, tmp_path / "music", "music", workers(tmp_path / "log", 2))
        assert report.present == len(before)
        assert report.added == 10 - len(before)
        assert len(store.pieces(medium="audio")) == 10
        assert store.sounds.counts() == {"recordings": 10, "sounds": 10}
        again = set((tmp_path / "log").read_text().split())
        assert not again & kept, "what was stored is never measured again"
        assert len(again & measured) <= 4, "only what was in work or on its way to the store"


PLAYER = """
import hashlib, json, sys, time
from troubadour.app.audio_library.worker import answer
for line in sys.stdin:
    request = json.loads(line)
    with open(sys.argv[1], "a") as log:
        log.write(hashlib.sha256(request["midi"].encode()).hexdigest() + "\\n")
    found = answer(request)
    time.sleep(0.2)
    print(json.dumps(found), flush=True)
"""
MEASURE = """
import sys
from pathlib import Path
from tests.app.audio_library.test_importing import PLAYER
from troubadour.catalogue.store import Store
from troubadour.app.audio_library.score_features import measure_scores
from troubadour.app.audio_library.pool import Workers
home = Path(sys.argv[1])
with Store.open(home) as store:
    measure_scores(store, Workers(1, 60.0, (sys.executable, "-c", PLAYER, str(home / "log"))), limit=6)
"""


@pytest.mark.slow
def test_measuring_that_was_killed_goes_on_with_nothing_lost_or_measured_twice(
    tmp_path: Path,
) -> None:
    with Store.open(tmp_path) as store:
        tunes(store, 14)
        root = Path(__file__).parents[3]
        run = [sys.executable, "-c", MEASURE, str(tmp_path)]
        process = subprocess.Popen(run, cwd=root, start_new_session=True)
        deadline = time.monotonic() + 120
        while store.sounds.counts()["sounds"] < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = store.sounds.counts()["sounds"]
        assert 2 <= kept < 6
        time.sleep(2.0)  # the worker ends with its input
        subprocess.run(run, cwd=root, check=True)
        assert store.sounds.counts()["sounds"] == kept + 6
        times = Counter((tmp_path / "log").read_text().split())
        # Only the piece in progress at the kill is rendered a second time.
        assert sum(n - 1 for n in times.values()) <= 1
        assert len(times) >= kept + 6


@pytest.mark.slow
def test_scores_and_recordings_stand_in_one_space(tmp_path: Path) -> None:
    songs(tmp_path / "music", 2)
    with Store.open(tmp_path) as store:
        tunes(store, 4)
        import_path(store, tmp_path / "music")
        first = measure_scores(store, Workers(1), limit=2)
        second = measure_scores(store, Workers(1), limit=1)
        assert (first.added, second.added, second.known) == (2, 1, 2 + 2)
        search = AudioSearch(store)
        recording = store.pieces(medium="audio")[0].id
        for by in ("timbre", "sound"):
            found = search.similar(recording, 10, by)
            assert len(found) == 4
            assert found[0].piece.medium == "audio", "the other song of the same sines"
            assert {f.origin for f in found[1:]} == {"rendered"}
            assert [f.similarity for f in found] == sorted((f.similarity for f in found), reverse=True)
        heard, answer = search.measure(tmp_path / "music" / "song0.flac")
        assert search.similar(heard, 1)[0].piece.title == "song0"
        assert answer["seconds"] == pytest.approx(2.0)
