"""Scores as SVG, through verovio.

verovio keeps its resources by thread, so one thread owns the toolkit and draws for all.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from troubadour.core.errors import TroubadourError


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

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _draw(self, musicxml: str, width: int, scale: int) -> str:
        if self._toolkit is None:
            import verovio

            self._toolkit = verovio.toolkit(False)
            self._toolkit.setResourcePath(os.path.join(os.path.dirname(verovio.__file__), "data"))
        self._toolkit.setOptions(
            {
                "pageWidth": width,
                "pageHeight": 60_000,
                "adjustPageHeight": True,
                "scale": scale,
                "header": "none",
                "footer": "none",
                "pageMarginTop": 40,
                "svgViewBox": True,
                "svgRemoveXlink": True,
                "breaks": "auto",
            }
        )
        if not self._toolkit.loadData(musicxml):
            raise TroubadourError("the score could not be engraved")
        return str(self._toolkit.renderToSVG(1))
