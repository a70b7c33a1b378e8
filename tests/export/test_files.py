"""Export of pieces in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from troubadour.app.studio import Studio
from troubadour.core.errors import InputError
from troubadour.export.files import FORMATS
from troubadour.formats.abc.read import read_abc
from troubadour.music.piece import Piece

STARTS = {
    "midi": b"MThd", "musicxml": b"<?xml", "abc": b"X:1", "ogg": b"OggS", "flac": b"fLaC", "wav": b"RIFF",
    "pdf": b"%PDF", "svg": b"<svg", "png": b"\x89PNG",
}  # fmt: skip


def test_a_piece_in_every_format(folk_home: Path, tmp_path: Path) -> None:
    with Studio(folk_home) as studio:
        row = studio.store.piece(studio.store.piece_ids()[0])
        files = studio.write_files(row.id, tmp_path, accept_terms=True, formats=list(FORMATS), parts=True)
    assert set(STARTS) == set(FORMATS)
    for kind, start in STARTS.items():
        assert Path(files[kind]).read_bytes().startswith(start), kind
    sound, rate = soundfile.read(files["ogg"])
    reference, same_rate = soundfile.read(files["wav"])
    assert (len(sound), rate) == (len(reference), same_rate)
    assert np.corrcoef(sound[:, 0], reference[:, 0])[0, 1] > 0.9
    (tune,) = read_abc(Path(files["abc"]).read_text(), "x")
    assert isinstance(tune, Piece)
    assert tune.title == row.title
    assert any(kind.startswith("pdf ") for kind in files)


def test_an_unknown_format_is_refused(folk_home: Path, tmp_path: Path) -> None:
    with Studio(folk_home) as studio:
        row = studio.store.piece(studio.store.piece_ids()[0])
        with pytest.raises(InputError, match=r"'doc'; allowed: midi, musicxml, abc"):
            studio.write_files(row.id, tmp_path, accept_terms=True, formats=["doc"])
