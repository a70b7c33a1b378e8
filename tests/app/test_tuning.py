from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fixtures.networks import tune
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.catalogue.importing import import_pieces
from troubadour.cli import app
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.piece import Piece

pytest.importorskip("torch")
pytest.importorskip("optuna")
pytestmark = pytest.mark.torch

TINY = """name = "tiny"
[model]
width = 16
layers = 1
head = 16
hidden = 32
[train]
steps = 4
batch_tokens = 300
warmup = 1
checkpoint_every = 1
context = 300
"""


def steps_of(trial: Path) -> int:
    document = trial / "checkpoint.json"
    return int(json.loads(document.read_text())["state"]["step"]) if document.exists() else -1


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_with_its_trial_and_beats_or_keeps_the_recipe(
    tmp_path: Path,
) -> None:
    recipe, folder, home = tmp_path / "tiny.toml", tmp_path / "search", tmp_path / "home"
    recipe.write_text(TINY)
    with Studio(home) as studio:
        tunes = [Piece(score=tune(i, "jig", 4), title=f"Jig {i}", source=f"{i}.mid") for i in range(8)]
        import_pieces(studio.store, tunes, "mine")
    words = ["tune", str(recipe), "--trials", "2", "--folder", str(folder), "--home", str(home)]
    process = subprocess.Popen([sys.executable, "-m", "troubadour", *words], stdout=subprocess.DEVNULL)
    while process.poll() is None and steps_of(folder / "trial-0") < 1:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["trials"] == 2
    # The interrupted trial was resumed in its own folder, and is listed once.
    assert not (folder / "trial-1").exists()
    rows = (folder / "trials.md").read_text().splitlines()[2:]
    assert len(rows) == 2
    assert sum("complete" in row for row in rows) >= 1
    assert not any("fail" in row for row in rows)
    # The unchanged recipe was the first trial; the best recipe is no worse and can be trained.
    first = next(
        p for p in json.loads((folder / "trial-0" / "checkpoint.json").read_text())["state"]["history"][::-1]
    )
    assert found["best"] <= first["valid"] + 1e-9
    best = TrainingRecipe.load(Path(found["recipe"]))
    assert best.model["width"] == 16
    assert found["settings"]["learning_rate"] == pytest.approx(best.train["learning_rate"], rel=1e-3)
