"""Conversion of SVG pictures to PNG with resvg, an optional dependency."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from troubadour.core.errors import InputError, MissingExtraError

_WIDEST = 8000


def to_png(svg: str, width: int = 1600, font: Path | None = None) -> bytes:
    """PNG of an SVG picture; about .1 s.

    Args:
        svg: the picture.
        width: in pixels, 100 to 8,000.
        font: a .ttf or .otf file. Default: DejaVu Sans from matplotlib (a dependency of music21). System
            fonts are not used, so that pictures are reproducible.

    Raises:
        InputError: the width is out of range, or the font file is missing or invalid.
        MissingExtraError: resvg-py is not installed, or there is no font.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtraError(
            "PNG needs resvg-py: pip install 'troubadour[pictures]'; SVG works without it"
        ) from error
    if not 100 <= width <= _WIDEST:
        raise InputError(f"width is {width} pixels; allowed: 100 to {_WIDEST}")
    # Without a font resvg omits all text and reports no error.
    path = font or _dejavu()
    if not path.is_file():
        raise InputError(f"no font '{path}'; give a .ttf or .otf file")
    family = "DejaVu Sans" if font is None else _family(path)
    picture = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=width,
        background="#ffffff",
        skip_system_fonts=True,
        font_files=[str(path)],
        font_family=family,
        sans_serif_family=family,
        serif_family=family,
    )
    return bytes(picture)


def _dejavu() -> Path:
    found = find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("no font for PNG: give one (--font FILE.ttf), or pip install matplotlib")
    return Path(next(iter(found.submodule_search_locations)), "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")


def _family(path: Path) -> str:
    """Family name in a font's `name` table."""
    data = path.read_bytes()
    try:
        tables = {
            data[12 + 16 * i : 16 + 16 * i]: 12 + 16 * i for i in range(int.from_bytes(data[4:6], "big"))
        }
        at = tables[b"name"]
        start = int.from_bytes(data[at + 8 : at + 12], "big")
        count, texts = (int.from_bytes(data[start + i : start + i + 2], "big") for i in (2, 4))
        for row in range(start + 6, start + 6 + 12 * count, 12):
            platform, _, _, name, length, offset = (
                int.from_bytes(data[row + i : row + i + 2], "big") for i in range(0, 12, 2)
            )
            if name == 1:
                text = data[start + texts + offset :][:length]
                return text.decode("utf-16-be" if platform in (0, 3) else "latin-1")
    except (KeyError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' is not a TrueType or OpenType font") from error
    raise InputError(f"the font '{path}' has no name")
