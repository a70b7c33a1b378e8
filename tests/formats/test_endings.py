"""First and second endings: left out of what is learnt from, kept in what is given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from troubadour.app.search import read_exact, read_music
from troubadour.catalogue.importing import import_pieces
from troubadour.catalogue.store import Store
from troubadour.corpora.folder import read_path
from troubadour.formats.abc.read import read_abc
from troubadour.formats.abc.write import write_abc
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.music.marks import MarkKind
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

TUNE = (
    "X:1\nT:Two endings\nM:4/4\nL:1/8\nQ:1/4=100\nK:G\n"
    "|:G2AB c2d2|e2dc B2A2|[1 G4 D4:|[2 G8||\nd2ef g2f2|e2dc B2A2|B2AG A2F2|G8|]\n"
)


def piece_of(text: str) -> Piece:
    (piece,) = read_abc(text, "x")
    assert isinstance(piece, Piece)
    return piece


def form_of(score: Score) -> list[tuple[MarkKind, int, int, int]]:
    """Repeats and endings: kind, quarter, number, last quarter."""
    quarter = score.ticks_per_quarter
    kinds = (MarkKind.ENDING, MarkKind.REPEAT_START, MarkKind.REPEAT_END)
    found = [m for m in score.marks if m.kind in kinds]
    return sorted((m.kind, m.tick // quarter, m.number, m.end // quarter if m.end > 0 else 0) for m in found)


WHOLE_FORM = [
    (MarkKind.ENDING, 8, 1, 12), (MarkKind.ENDING, 12, 2, 16), (MarkKind.REPEAT_END, 12, 0, 0),
    (MarkKind.REPEAT_START, 0, 0, 0),
]  # fmt: skip


def test_the_score_has_the_last_ending_and_the_page_all() -> None:
    piece = piece_of(TUNE)
    assert piece.score.n_bars == 7
    assert piece.page is not None
    assert piece.page.n_bars == 8
    assert form_of(piece.page) == sorted(WHOLE_FORM)
    assert "1 bars of first endings left out" in piece.repairs


def test_a_tune_without_endings_has_no_page() -> None:
    assert piece_of(TUNE.replace("[1 G4 D4:|[2 G8||", "G8:|")).page is None


def test_endings_stay_through_abc_and_musicxml() -> None:
    page = piece_of(TUNE).exact
    again = piece_of(write_abc(Piece(page, "Two endings"))).exact
    assert quantise(again) == quantise(page)
    assert form_of(again) == sorted(WHOLE_FORM)
    xml = read_musicxml(write_musicxml(quantise(page)).encode(), "x")
    assert quantise(xml.exact) == quantise(page)
    assert form_of(xml.exact) == sorted(WHOLE_FORM)
    assert xml.score.n_bars == 7
    assert "1 measures of first endings left out" in xml.repairs


@pytest.mark.parametrize("name", ["tune.abc", "tune.musicxml"])
def test_a_file_is_given_back_with_its_first_endings(tmp_path: Path, name: str) -> None:
    page = piece_of(TUNE).exact
    text = TUNE if name.endswith("abc") else write_musicxml(quantise(page))
    (tmp_path / name).write_text(text)
    assert read_exact(tmp_path / name).score.n_bars == 8
    assert read_music(tmp_path / name).score.n_bars == 7
    with Store.open(tmp_path / "home") as store:
        import_pieces(store, read_path(tmp_path / name), "test")
        (row,) = store.pieces()
        assert store.score(row.id).n_bars == 7
        assert form_of(store.exact_score(row.id)) == sorted(WHOLE_FORM)


def test_marks_of_endings_are_of_the_whole_piece() -> None:
    marks = [m for m in piece_of(TUNE).exact.marks if m.kind is MarkKind.ENDING]
    assert [(m.track, m.text, m.value) for m in marks] == [(-1, "1", 0), (-1, "2", 1)]
