from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import mido
import pytest
from typer.testing import CliRunner

from troubadour.app import training
from troubadour.app.studio import Studio
from troubadour.catalogue.importing import import_pieces
from troubadour.cli import app
from troubadour.core.errors import InputError
from troubadour.corpora.builtin import collection
from troubadour.formats.midi import read_midi
from troubadour.formats.musicxml import read_musicxml
from troubadour.generation.request import Brief
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Score


@pytest.fixture(scope="module")
def bound_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with synthetic tunes under the terms of the Essen collection."""
    home = tmp_path_factory.mktemp("bound")
    with Studio(home) as studio:
        for k in range(12):
            notes = [[i * 24, 24, 60 + (i * (k + 2)) % 13, 80, 0] for i in range(16)]
            score = Score.from_notes(notes, ticks_per_quarter=24)
            piece = Piece(score, f"Tune {k}", source="a book", licence=collection("essen").licence)
            import_pieces(studio.store, [piece], "essen")
    return home


@pytest.fixture
def essen(bound_home: Path) -> str:
    with Studio(bound_home) as studio:
        return studio.store.pieces()[0].id


def test_a_piece_under_terms_is_written_only_once_they_are_accepted(
    bound_home: Path, tmp_path: Path, essen: str
) -> None:
    words = ["export-piece", essen, "--home", str(bound_home), "--out", str(tmp_path), "--json"]
    with pytest.raises(InputError, match=r"non-commercial use only.*--accept-terms"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not list(tmp_path.iterdir())
    done = CliRunner().invoke(app, [*words, "--accept-terms"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert Path(found["files"]["midi"]).is_file()
    assert "Schaffrath" in found["licence"]
    with Studio(bound_home) as studio:
        for write in (studio.midi, studio.musicxml):
            with pytest.raises(InputError, match="under terms"):
                write(essen)
            assert write(essen, accept_terms=True)


def test_a_composer_learns_from_pieces_under_terms_only_once_they_are_accepted(
    bound_home: Path, tmp_path: Path, root: Path
) -> None:
    pytest.importorskip("torch", reason="torch is an extra: pip install 'troubadour[train]'")
    recipe = replace(TrainingRecipe.load(root / "recipes" / "tunes-and-chorales.toml"), collections=())
    with Studio(bound_home) as studio, pytest.raises(InputError, match="under terms"):
        training.train_composer(studio.store, recipe, tmp_path / "run", steps=1)


def test_files_say_whose_the_music_is_and_read_back_equal(small_home: Path) -> None:
    with Studio(small_home) as studio:
        row = studio.store.pieces(generated=False)[0]
        score, exact = studio.store.score(row.id), studio.store.exact_score(row.id)
        midi, page = studio.midi(row.id), studio.musicxml(row.id)
    texts = {
        m.type: m.text
        for m in mido.MidiFile(file=io.BytesIO(midi)).tracks[0]
        if m.is_meta and hasattr(m, "text")
    }
    assert texts["copyright"] == row.licence
    assert row.source[:40] in texts["text"]
    assert f"<rights>{row.licence}</rights>" in page
    assert "<source>" in page
    assert quantise(read_midi(midi, "a.mid").score) == quantise(exact)
    assert quantise(read_musicxml(page.encode(), "a.musicxml").score) == score


def test_a_composed_piece_says_so_in_every_file(small_home: Path) -> None:
    with Studio(small_home) as studio:
        made = studio.compose(Brief(style="jig", bars=4), seed=2, candidates=2)
        midi, page = studio.midi(made.id), studio.musicxml(made.id)
        shown = studio.piece(made.id)._repr_html_()
    texts = {
        m.type: m.text
        for m in mido.MidiFile(file=io.BytesIO(midi)).tracks[0]
        if m.is_meta and hasattr(m, "text")
    }
    assert "composed by machine" in texts["text"]
    assert made.provenance.release in texts["text"]
    assert '<miscellaneous-field name="generated">' in page
    assert "composed by machine" in shown
    assert made.provenance.release in shown
