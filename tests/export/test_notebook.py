from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import soundfile

from troubadour.app.studio import Studio
from troubadour.export.notebook import MOST_BYTES, NotebookPiece
from troubadour.music.score import Score, Track


def test_a_piece_shows_its_score_sound_and_rights(small_home: Path) -> None:
    with Studio(small_home) as studio:
        row = next(p for p in studio.store.pieces(generated=False) if "'" in p.title or p.title)
        piece = studio.piece(row.id)
        html = piece._repr_html_()
    svg = re.search(r"<svg.*</svg>", html, re.S)
    assert svg
    ElementTree.fromstring(svg[0])
    sound = re.search(r'src="data:audio/ogg;base64,([^"]+)"', html)
    assert sound
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(sound[1])))
    assert np.abs(audio).max() > 0.05
    assert len(audio) / rate > min(piece.score.seconds, 40) * 0.8
    assert row.licence in html
    assert len(html) < MOST_BYTES
    assert piece.to_dict()["id"] == row.id


@pytest.mark.slow
def test_a_long_piece_stays_small_and_says_what_is_left_out(small_home: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [[i * 6, 6, int(p), 80, t] for t in range(4) for i, p in enumerate(rng.integers(48, 84, 2000))]
    long = Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(),) * 4)
    with Studio(small_home) as studio:
        piece = studio.piece(studio.store.pieces()[0].id)
        html = NotebookPiece(piece.row, long, studio.renderer)._repr_html_()
    assert len(html) < MOST_BYTES
    assert re.search(r"The first \d+ of 125 bars", html)
    assert "The first 45 of" in html


def test_titles_cannot_break_the_page(small_home: Path) -> None:
    from dataclasses import replace

    with Studio(small_home) as studio:
        piece = studio.piece(studio.store.pieces()[0].id)
        bad = replace(piece.row, title="<script>alert(1)</script>", licence='"><b>')
        html = NotebookPiece(bad, piece.score, studio.renderer)._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
