from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from troubadour.analysis.draw import piano_roll
from troubadour.analysis.png import to_png
from troubadour.core.errors import InputError
from troubadour.music.score import Score

pytest.importorskip("resvg_py", reason="resvg-py is an extra: pip install 'troubadour[pictures]'")


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from io import BytesIO

    from matplotlib import image

    return (image.imread(BytesIO(data), format="png") * 255).astype(np.uint8)


def test_a_picture_has_its_width_and_its_words_are_drawn() -> None:
    score = Score.from_notes([[i * 24, 24, 60 + i, 80, 0] for i in range(8)], ticks_per_quarter=24)
    titled, bare = (pixels(to_png(piano_roll(score, title), 960)) for title in ("A scale", " "))
    assert titled.shape[1] == 960
    assert (titled[:24, :120] < 128).any()  # resvg leaves texts out silently where it has no font
    assert not (bare[:24, :120] < 128).any()


def test_another_font_is_taken_and_nonsense_is_refused(tmp_path: Path) -> None:
    from troubadour.analysis.png import _dejavu

    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="30"><text y="20">Hallo</text></svg>'
    mono = _dejavu().with_name("DejaVuSansMono.ttf")
    assert to_png(svg, 200) != to_png(svg, 200, mono)
    with pytest.raises(InputError, match="no font"):
        to_png(svg, 200, tmp_path / "none.ttf")
    (tmp_path / "bad.ttf").write_bytes(b"nothing like a font")
    with pytest.raises(InputError, match="font"):
        to_png(svg, 200, tmp_path / "bad.ttf")
    with pytest.raises(InputError, match="width"):
        to_png(svg, 20)
