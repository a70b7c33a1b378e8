"""The commands and the Python example of README.md run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from tests.fixtures.pages import commands
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.formats.midi import write_midi
from troubadour.formats.render import MidiRenderer, play, write_wav

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

NOT_RUN = {
    "troubadour train": "training takes from half a minute to hours: tests/app/test_training.py",
    "troubadour evaluate": "scores the whole test split: tests/app/test_training.py, test_evaluate_recommender.py",
    "troubadour serve": "does not end: tests/server",
}
"""Commands that this test leaves out: the reason, and the tests that run them."""

RUN = [c for c in commands(README) if c.startswith("troubadour ") and not c.startswith(tuple(NOT_RUN))]


@pytest.fixture(scope="module")
def folder(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the checkout's examples, a home, and the files that the commands read."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "docs/examples", folder / "docs/examples")
    shutil.copytree(ROOT / "docs/examples", folder / "tunes")
    shutil.copytree(small_home, folder / "home")
    piece = two_melodies(folder / "home")[0]
    with Studio(folder / "home") as studio:
        row, score = studio.store.piece(piece), studio.store.score(piece)
    (folder / "tunes/one.mid").write_bytes(write_midi(score))
    write_wav(folder / "hum.wav", play(score, MidiRenderer()))
    (folder / "plays.csv").write_text(f"title,time,kind\n{row.title},2024-05-01T12:00:00Z,play\n")
    return folder


@pytest.fixture
def reader(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder as the working directory, with its home as the user's home of Troubadour."""
    own = tmp_path / "reader"
    shutil.copytree(folder, own)
    monkeypatch.chdir(own)
    monkeypatch.setenv("TROUBADOUR_HOME", str(own / "home"))
    return own


def two_melodies(home: Path) -> tuple[str, str]:
    """The first two pieces in one voice of at least 16 bars in one metre that the VAE knows."""
    seen: dict[str, str] = {}
    with Studio(home) as studio:
        for row in studio.store.pieces(medium="score"):
            score = studio.store.score(row.id)
            metres = {metre.name for metre in score.metres}
            if (
                len(score.tracks) == 1
                and len(metres) == 1
                and score.n_bars >= 16
                and metres <= {"4/4", "6/8"}
            ):
                (metre,) = metres
                if metre in seen:
                    return seen[metre], row.id
                seen[metre] = row.id
    raise AssertionError("the small home has no two such melodies")


def run(command: str, folder: Path) -> str:
    first, second = two_melodies(folder / "home")
    words = shlex.split(command.replace("PIECE", first).replace("OTHER", second))
    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("command", RUN)
def test_each_command_of_the_readme_runs(reader: Path, command: str) -> None:
    if " ann" in command and "--new" not in command:
        run("troubadour record ann PIECE --kind like --new", reader)
    printed = run(command, reader)
    out = re.search(r"--out (\S+)", command)
    assert printed.strip() or (out and (reader / out[1]).exists())


def test_only_named_kinds_of_commands_are_left_out() -> None:
    left_out = [c for c in commands(README) if c.startswith("troubadour ") and c not in RUN]
    assert all(any(c.startswith(kind) for c in left_out) for kind in NOT_RUN)
    assert len(RUN) > len(left_out)


def test_the_python_example_of_the_readme_runs(reader: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    with Studio(reader / "home") as studio:
        assert studio.status()["generated"] == 1
    assert isinstance(names["items"], (list, tuple))
    assert len(names["items"]) == 10


@pytest.mark.parametrize("command", ["status", "compose --style jig --bars 4 --seed 1", "recommend sim-0001"])
def test_the_json_contract_of_the_readme_holds(reader: Path, command: str) -> None:
    (row,) = re.findall(rf"^\| `{command.split()[0]} --json` \| (.*) \|$", README, flags=re.MULTILINE)
    found = json.loads(run(f"troubadour {command} --json", reader))
    for key, within in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", row):
        assert key in found
        parts = found[key] if isinstance(found[key], list) else [found[key]]
        assert all(set(re.findall(r"`(\w+)`", within)) <= set(part) for part in parts if within)
