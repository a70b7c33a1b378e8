"""Scores and parts as PDF: vector pages, put together by typst (an extra)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from troubadour.core.errors import MissingExtraError
from troubadour.formats.print_pages import PAGE_MM

PDF_FONT: Final = "Libertinus Serif"
"""Comes with typst."""


def pages_to_pdf(pages: Sequence[str], title: str = "") -> bytes:
    """A PDF of pages of SVG; about 30 ms a page.

    Args:
        pages: A4 pages whose texts are set in `PDF_FONT`.
        title: for the document's properties.

    Raises:
        MissingExtraError: typst is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError(
            "PDF needs typst: pip install 'troubadour[print]'; SVG needs nothing"
        ) from error
    width, height = PAGE_MM
    quoted = "".join(c for c in title if c.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        f'#set document(title: "{quoted}", date: none)',
        f"#set page(width: {width:g}mm, height: {height:g}mm, margin: 0mm)",
        f'#set text(font: "{PDF_FONT}")',
    ]
    with tempfile.TemporaryDirectory(prefix="troubadour-pdf-") as folder:
        for number, page in enumerate(pages, start=1):
            Path(folder, f"{number}.svg").write_text(page, encoding="utf-8")
            lines.append(f'#image("{number}.svg", width: {width:g}mm, height: {height:g}mm)')
        main = Path(folder, "main.typ")
        main.write_text("\n".join(lines), encoding="utf-8")
        return bytes(typst.compile(str(main), root=folder, ignore_system_fonts=True))
