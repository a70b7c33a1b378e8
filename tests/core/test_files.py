from __future__ import annotations

from pathlib import Path

import pytest

from troubadour.core.files import replacing, write_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_file(path, "old")
    write_file(path, "new π")
    assert path.read_text(encoding="utf-8") == "new π"
    assert [*tmp_path.iterdir()] == [path]


def test_an_exception_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    write_file(path, b"old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.bin"
    write_file(path, b"old")
    with replacing(path) as part:
        part.write_bytes(b"new")
        assert part.suffix == ".bin"
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "none" / "file", b"")
