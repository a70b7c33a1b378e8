from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from troubadour.app import jobs
from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.core.errors import ModelError
from troubadour.export import cards
from troubadour.generation.autoregressive import REPORT

TRAINED = {
    "data": [
        {"collection": "mine", "licence": "CC BY 4.0", "pieces": 12},
        {"collection": "folk", "licence": "public domain", "pieces": 3},
    ],
    "step": 400, "best_step": 350, "tokens": 800_000, "seconds": 600.0, "valid_loss": 0.71234,
    "valid_by_style": {"jig": 0.6543, "": 0.9}, "verdict": {"words": "No sign of overfitting."},
}  # fmt: skip


@pytest.fixture
def trained(small_home: Path, tmp_path: Path) -> Path:
    """Installed weights with a training report beside them."""
    folder = tmp_path / "run"
    with Studio(small_home) as studio:
        shutil.copytree(jobs.composer_folder(studio.releases, "shipped"), folder)
    (folder / REPORT).write_text(json.dumps(TRAINED))
    return folder


def test_a_card_tells_data_terms_training_figures_and_limits(trained: Path, small_home: Path) -> None:
    done = CliRunner().invoke(app, ["card", str(trained), "--home", str(small_home)], catch_exceptions=False)
    for expected in (
        "mine (12 pieces), folk (3 pieces)", "CC BY 4.0; public domain", "400 steps, 800,000 tokens, 10 minutes",
        "kept: step 350", "0.7123 nats", "No sign of overfitting.", "| jig | 554 | 1 | 0.654 |",
        "Styles with fewer than 10 training pieces: minuet, slide, waltz",
    ):  # fmt: skip
        assert expected in done.stdout


def test_a_release_keeps_the_report_of_its_composer(trained: Path, tmp_path: Path, small_home: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(small_home, home)
    with Studio(home) as studio:
        release = jobs.use_composer(studio.releases, trained)
    written = tmp_path / "card.md"
    words = ["card", release.id, "--out", str(written), "--json", "--home", str(home)]
    facts = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert facts["release"]["id"] == release.id
    assert facts["training"]["best_step"] == 350
    assert f"| Release | {release.id}, " in written.read_text()


def test_what_nobody_wrote_down_is_said_to_be_so(trained: Path) -> None:
    (trained / REPORT).unlink()
    facts = cards.card(trained)
    assert (facts["data"], facts["training"], facts["verdict"]) == (None, None, None)
    assert "not recorded beside the weights" in cards.markdown(facts)


def test_a_card_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no composer can be read"):
        cards.card(tmp_path)
