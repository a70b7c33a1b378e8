from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from troubadour.app import evaluate_composer, jobs
from troubadour.app.generate import GeneratedPiece
from troubadour.app.studio import Studio
from troubadour.app.training import material, shape
from troubadour.catalogue.importing import import_pieces
from troubadour.cli import app
from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import load_composer
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.bars import bars_text
from troubadour.music.piece import Piece

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

RECIPE = TrainingRecipe(
    "tiny", train={"steps": 4, "batch_tokens": 800, "warmup": 1, "evaluate_every": 4, "context": 300}
)


def test_fine_tuning_keeps_the_shape_and_changes_the_dropout(small_home: Path) -> None:
    with Studio(small_home) as studio:
        spec = load_composer(jobs.composer_folder(studio.releases, "shipped")).spec
    assert shape(replace(RECIPE, model={"dropout": 0.3}), spec) == replace(spec, dropout=0.3)
    looking = shape(replace(RECIPE, model={"copies": True}), spec)
    assert looking == replace(spec, copies=True)
    with pytest.raises(InputError, match="copies is False, but the model to start from has True"):
        shape(replace(RECIPE, model={"copies": False}), looking)
    with pytest.raises(InputError, match=r"width is 64, but the model to start from has 192"):
        shape(replace(RECIPE, model={"width": 64}), spec)


def test_no_work_stands_on_both_sides(small_home: Path) -> None:
    with Studio(small_home) as studio:
        found = material(studio.store, RECIPE)
        assert found.train
        assert found.valid
        assert not {p.row.work for p in found.train} & {p.row.work for p in found.valid}
        with pytest.raises(InputError, match="no usable piece to train on in nothing"):
            material(studio.store, RECIPE, ["nothing"], alone=True)


def test_one_piece_alone_cannot_be_checked(tmp_path: Path, small_home: Path) -> None:
    with Studio(small_home) as studio:
        row = studio.store.pieces(generated=False, medium="score")[0]
        score = studio.store.score(row.id)
    with Studio(tmp_path) as studio:
        import_pieces(studio.store, [Piece(score=score, title="Alone", source="alone.mid")], "mine")
        with pytest.raises(InputError, match=r"only one usable work \(Alone\); training needs two at least"):
            material(studio.store, RECIPE, ["mine"], alone=True)


@pytest.mark.slow
def test_fine_tuning_tuning_and_evaluating_by_command(tmp_path: Path, small_home: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    train = "\n".join(f"{k} = {v}" for k, v in RECIPE.train.items())
    recipe.write_text(f'name = "tiny"\n[data]\ncollections = ["folk"]\n[train]\n{train}\n')
    folder = tmp_path / "run"
    words = [
        "train",
        "composer",
        str(recipe),
        "--from",
        "shipped",
        "--folder",
        str(folder),
        "--home",
        str(small_home),
    ]
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    report = json.loads(done.stdout)
    assert report["verdict"]["finding"] in ("no gain", "sound", "memorises", "overfits", "still learning")
    # Training starts from the installed model, not from random weights (6.7 nats).
    assert report["verdict"]["start"]["valid"] < 1.5
    assert report["verdict"]["words"] in (folder / "report.md").read_text()
    assert (folder / "curves.svg").read_text().startswith("<svg")
    assert load_composer(folder).name == "tiny"
    with Studio(small_home) as studio:
        found = evaluate_composer.evaluate_composer(studio.store, load_composer(folder), pieces=10, most=8)
    assert found["validity"]["equal after MIDI"] == found["validity"]["pieces"] == 10
    assert 0 < found["nats"]["test"]["all"] < 1.5
    assert 2 < found["melodies"]["test"]["nats a bar"] < 20
    assert "overlap" in evaluate_composer.write_evaluation(tmp_path, found).read_text()


def test_a_stream_shows_each_bar_and_stores_the_piece_at_its_end(small_home: Path) -> None:
    from troubadour.generation.request import Brief

    with Studio(small_home) as studio:
        before = studio.store.counts()["generated"]
        *bars, last = studio.stream(Brief(style="jig", bars=8, upbeat=False), seed=3)
        assert isinstance(last, GeneratedPiece)
        assert bars[-1] == last.score
        assert len(bars) >= 8
        assert len(bars_text(last.score)) == 8
        cut = studio.stream(Brief(style="jig", bars=8), seed=4)
        next(cut)
        cut.close()
        assert studio.store.counts()["generated"] == before + 1
