from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from troubadour.core.config import PREFIX, Settings
from troubadour.core.errors import InputError


def test_without_variables_everything_has_a_default() -> None:
    settings = Settings.load({})
    assert settings.home.is_absolute()
    assert settings.home.name == "troubadour"
    assert settings.threads >= 1
    assert settings.soundfont is None


def test_variables_are_obeyed(tmp_path: Path) -> None:
    font = tmp_path / "my.sf2"
    font.write_bytes(b"")
    settings = Settings.load(
        {
            "TROUBADOUR_HOME": str(tmp_path),
            "TROUBADOUR_THREADS": "3",
            "TROUBADOUR_SOUNDFONT": str(font),
        }
    )
    assert settings == Settings(tmp_path, 3, font)


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TROUBADOUR_HOME", str(tmp_path))
    assert Settings.load().home == tmp_path


def test_an_option_goes_before_a_variable(tmp_path: Path) -> None:
    assert Settings.load({"TROUBADOUR_HOME": "elsewhere"}, home=tmp_path).home == tmp_path


def test_an_empty_variable_is_an_unset_one() -> None:
    assert Settings.load({"TROUBADOUR_HOME": "", "TROUBADOUR_THREADS": " "}) == Settings.load({})


def test_a_tilde_is_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({"TROUBADOUR_HOME": "~/music"}).home == tmp_path / "music"


@pytest.mark.parametrize("threads", ["0", "-1", "257", "two", "1.5"])
def test_impossible_threads_are_refused_with_what_is_allowed(threads: str) -> None:
    with pytest.raises(InputError, match=r"(?i)threads.*allowed"):
        Settings.load({"TROUBADOUR_THREADS": threads})


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        Settings.load({}, home=tmp_path / "file")


def test_a_soundfont_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"soundfont.*\.sf2"):
        Settings.load({"TROUBADOUR_SOUNDFONT": str(tmp_path / "none.sf2")})


def test_the_readme_names_every_setting(root: Path) -> None:
    readme = (root / "README.md").read_text()
    for field in dataclasses.fields(Settings):
        assert f"`{PREFIX}{field.name.upper()}`" in readme
