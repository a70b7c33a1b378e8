"""Pictures as PNG, drawn from the SVG by resvg; an extra, since SVG needs nothing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from troubadour.core.errors import InputError, MissingExtraError

_WIDEST = 8000


def to_png(svg: str, width: int = 1600, font: Path | None = None) -> bytes:
    """A picture as PNG, `width` pixels wide; about .1 s.

    Args:
        width: 100 to 8,000.
        font: a .ttf or .otf file; without it DejaVu Sans, which matplotlib carries (and music21
            matplotlib). Fonts of the system take no part, so that a picture is the same everywhere.

    Raises:
        InputError: the width is out of range, or there is no such font.
        MissingExtraError: resvg-py is not installed, or there is no font.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtraError(
            "PNG needs resvg-py: pip install 'troubadour[pictures]'; SVG needs nothing"
        ) from error
    if not 100 <= width <= _WIDEST:
        raise InputError(f"width is {width} pixels; allowed: 100 to {_WIDEST}")
    # Without a font resvg leaves texts out and says nothing.
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
    """The family name in a font's `name` table."""
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
        raise InputError(f"'{path}' is no TrueType or OpenType font") from error
    raise InputError(f"the font '{path}' has no name")
