from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from troubadour.core.errors import ModelError, NotFoundError, StorageError
from troubadour.releases.store import Releases


def publish(releases: Releases, content: str) -> str:
    artefact = releases.add("part", lambda folder: (folder / "file").write_text(content) and None)
    return releases.publish({"part": artefact}, {"content": content}).id


def test_the_same_content_is_one_artefact(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    one, same, other = (
        releases.add("part", lambda folder, c=c: (folder / "file").write_text(c) and None) for c in "aab"
    )
    assert one == same != other


def test_promoting_and_rolling_back(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    assert releases.live() is None
    with pytest.raises(NotFoundError, match="no previous"):
        releases.rollback()
    first, second = publish(releases, "a"), publish(releases, "b")
    releases.promote(first)
    releases.promote(second)
    assert releases.rollback().id == first
    live = releases.live()
    assert live is not None
    assert live.notes == {"content": "a"}
    with pytest.raises(NotFoundError, match=f"{first}, {second}"):
        releases.promote("r9999")


def test_one_flipped_bit_is_refused(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    publish(releases, "some weights")
    releases.promote("r0001")
    live = releases.live()
    assert live is not None
    file = releases.folder(live.parts["part"]) / "file"
    data = bytearray(file.read_bytes())
    data[3] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="damaged"):
        releases.folder(live.parts["part"])


def test_a_missing_file_is_refused_and_publishing_again_mends_it(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    artefact = releases.add("part", lambda folder: (folder / "file").write_text("x") and None)
    (releases.folder(artefact) / "file").unlink()
    with pytest.raises(ModelError):
        releases.folder(artefact)
    assert releases.add("part", lambda folder: (folder / "file").write_text("x") and None) == artefact
    assert (releases.folder(artefact) / "file").read_text() == "x"


def test_what_fails_while_writing_publishes_nothing(tmp_path: Path) -> None:
    releases = Releases(tmp_path)

    def full(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space"):
        releases.add("part", full)
    assert [p.name for p in (tmp_path / "models" / "artefacts").iterdir()] == []


_PUBLISHER = """
import sys
from pathlib import Path
from troubadour.releases.store import Releases
releases = Releases(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    artefact = releases.add("part", lambda folder: (folder / "file").write_text(str(n) * 50_000) and None)
    releases.promote(releases.publish({"part": artefact}, {"n": n}).id)
    print(n, flush=True)
"""


def test_a_publisher_killed_on_the_way_leaves_a_whole_release_live(tmp_path: Path) -> None:
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", _PUBLISHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(4):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        live = Releases(tmp_path).live()
        assert live is not None
        text = (Releases(tmp_path).folder(live.parts["part"]) / "file").read_text()
        assert text == str(live.notes["n"]) * 50_000
