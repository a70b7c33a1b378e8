"""Scores as SVG, through verovio.

verovio keeps its resources by thread, so one thread owns the toolkit and draws for all.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from troubadour.core.errors import TroubadourError
from troubadour.formats.print_pages import BOTTOM_MM, PAGE_MM, SIDE_MM, TOP_MM, Titles, page_svg


class Engraver:
    """Draws MusicXML."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engraver")
        self._toolkit: Any = None

    def svg(self, musicxml: str, width: int = 2100, scale: int = 40) -> str:
        """All systems of a score on one page as SVG; about 60 ms a page.

        Args:
            width: of the page, in tenths of a millimetre.
            scale: in per cent.

        Raises:
            TroubadourError: verovio cannot draw it.
        """
        return self._pool.submit(self._draw, musicxml, width, scale).result(timeout=60)

    def pages(self, musicxml: str, titles: Titles, font: str = "serif", staff_mm: float = 6.5) -> list[str]:
        """A score or part on pages of A4 as SVG, with its titles; about 60 ms a page.

        Args:
            font: family of all texts.
            staff_mm: height of a staff; 7 for a solo part, 5.5 for many staves.

        Raises:
            TroubadourError: verovio cannot draw it.
        """
        found = self._pool.submit(self._draw_pages, musicxml, staff_mm, "Sans" in font).result(timeout=300)
        return [page_svg(page, titles, i, len(found), font) for i, page in enumerate(found, start=1)]

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _draw_pages(self, musicxml: str, staff_mm: float, wide: bool) -> list[str]:
        width, height = PAGE_MM
        # A staff is 72 of verovio's units high.
        unit = 72 / staff_mm
        toolkit = self._load(
            musicxml,
            {
                "pageWidth": round((width - 2 * SIDE_MM) * unit),
                "pageHeight": round((height - TOP_MM - BOTTOM_MM) * unit),
                "adjustPageHeight": False,
                "scale": 100,
                # verovio measures words in Times; a wider font needs more room between them.
                "lyricWordSpace": 3.6 if wide else 1.8,
                "pageMarginTop": 0,
                "pageMarginBottom": 0,
                "pageMarginLeft": 0,
                "pageMarginRight": 0,
            },
        )
        return [str(toolkit.renderToSVG(i)) for i in range(1, toolkit.getPageCount() + 1)]

    def _draw(self, musicxml: str, width: int, scale: int) -> str:
        options = {
            "pageWidth": width,
            "pageHeight": 60_000,
            "adjustPageHeight": True,
            "scale": scale,
            "pageMarginTop": 40,
        }
        return str(self._load(musicxml, options).renderToSVG(1))

    def _load(self, musicxml: str, options: dict[str, Any]) -> Any:
        """The toolkit with a score, in the engraver's thread."""
        if self._toolkit is None:
            import verovio

            self._toolkit = verovio.toolkit(False)
            self._toolkit.setResourcePath(os.path.join(os.path.dirname(verovio.__file__), "data"))
        self._toolkit.resetOptions()
        self._toolkit.setOptions(
            {
                "header": "none",
                "footer": "none",
                "svgViewBox": True,
                "svgRemoveXlink": True,
                "breaks": "auto",
                **options,
            }
        )
        if not self._toolkit.loadData(musicxml):
            raise TroubadourError("the score could not be engraved")
        return self._toolkit
