"""Analysis and pictures of scores, with the styles of one catalogue."""

from __future__ import annotations

import threading

import numpy as np

from troubadour.analysis import draw
from troubadour.analysis.report import Analysis, analyse
from troubadour.analysis.style import StyleModel
from troubadour.app.styles import fit_styles, load_styles
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.music.features import FEATURES
from troubadour.music.score import Score
from troubadour.releases.store import Releases


class AnalysisService:
    """Analyses and pictures; the style model is loaded at the first analysis.

    Args:
        store: the catalogue.
        releases: its releases; the live one may hold a style model.
    """

    def __init__(self, store: Store, releases: Releases) -> None:
        self._store, self._releases = store, releases
        self._lock = threading.Lock()
        self._styles: tuple[str, StyleModel | None] | None = None

    def styles(self) -> StyleModel | None:
        """Style model of the live release, else one fitted now; None if there are too few labels."""
        with self._lock:
            live = self._releases.live()
            name = live.id if live else ""
            if self._styles is None or self._styles[0] != name:
                if live and "style" in live.parts:
                    found: StyleModel | None = load_styles(self._releases.folder(live.parts["style"]))
                else:
                    found = fit_styles(self._store)
                self._styles = (name, found)
            return self._styles[1]

    def analyse(self, score: Score) -> Analysis:
        """Full analysis of a quantised score; see `analysis.report.analyse`."""
        return analyse(score, self.styles())

    def draw(self, what: str, score: Score, title: str = "") -> str:
        """Picture of a quantised score as SVG.

        Args:
            what: `roll`, `similarity` or `timeline`.
            score: quantised score.
            title: text above the picture.

        Raises:
            InputError: the score has no notes to draw, or `what` is unknown.
        """
        if what == "roll":
            return draw.piano_roll(score, title)
        if what == "similarity":
            return draw.similarity_matrix(analyse(score), title)
        if what == "timeline":
            return draw.timeline(score, analyse(score), title)
        raise InputError(f"cannot draw '{what}'; allowed: roll, similarity, timeline")

    def map(self) -> str:
        """Scatter plot of the catalogue on two principal components, as SVG. Style labels are not features.

        Raises:
            InputError: the catalogue holds fewer than three pieces.
        """
        vectors, rows = self._store.vectors(), self._store.pieces()
        there = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        vectors, rows = vectors[there], [rows[i] for i in there.tolist()]
        kept = [i for i, name in enumerate(FEATURES) if not name.startswith("style_")]
        if len(vectors) < 3 or vectors.shape[1] != len(FEATURES):
            raise InputError(
                f"the catalogue holds {len(vectors)} pieces; a map needs at least 3: import more music"
            )
        table = vectors[:, kept].astype(np.float64)
        spread = table.std(axis=0)
        table = (table - table.mean(axis=0)) / np.maximum(spread, 0.5 * spread.mean() + 1e-9)
        return draw.feature_map(table, [p.style for p in rows], f"{len(table)} pieces")
