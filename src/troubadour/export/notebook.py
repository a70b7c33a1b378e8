"""Notebook display of a piece: score, audio player and facts as one HTML cell."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

import numpy as np

from troubadour.catalogue.store import PieceRow
from troubadour.core.errors import TroubadourError
from troubadour.export.licensing import rights
from troubadour.formats.engrave import Engraver
from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.render import SAMPLE_RATE, Renderer, play
from troubadour.music.score import Score

MOST_BYTES: Final = 2_000_000
"""Upper limit of a cell's HTML, in bytes."""
_MOST_SVG: Final = 900_000
_MOST_BARS: Final = 64
_MOST_SECONDS: Final = 45.0
_BLOCK: Final = 65_536
"""Frames per call of libsndfile, which crashes on OGG written in one long block (python-soundfile#426)."""


@dataclass(frozen=True, slots=True)
class NotebookPiece:
    """A catalogue piece with its notes and its HTML display."""

    row: PieceRow
    score: Score
    _renderer: Renderer = field(repr=False)

    @property
    def id(self) -> str:
        """Id in the catalogue."""
        return self.row.id

    @property
    def title(self) -> str:
        """Title of the piece."""
        return self.row.title

    def facts(self) -> dict[str, Any]:
        """Facts of the piece, licence included, in display order."""
        row, known = self.row, self.row.attributes
        return {
            "composer": row.composer or "unknown",
            "style": row.style or "unknown",
            "key": known.get("key", ""),
            "metre": known.get("metre", ""),
            "bars": self.score.n_bars,
            "tempo_bpm": round(self.score.tempos[0].bpm, 1),
            "seconds": round(self.score.seconds, 1),
            "collection": row.collection,
            **rights(row),
        }

    def to_dict(self) -> dict[str, Any]:
        """Id, title and facts, for JSON."""
        return {"id": self.id, "title": self.title, **self.facts()}

    def _repr_html_(self) -> str:
        """HTML of at most `MOST_BYTES`. About .3 s.

        Long scores are cut to their first bars and long recordings to their first seconds. A message
        replaces a score that cannot be engraved or audio that cannot be rendered.
        """
        mark = " <strong>(generated: composed by machine)</strong>" if self.row.generated else ""
        facts = "".join(
            f"<tr><th style='text-align:left'>{escape(name.replace('_', ' '))}</th>"
            f"<td style='text-align:left'>{escape(_words(value))}</td></tr>"
            for name, value in self.facts().items()
        )
        parts = (_drawn(self.score), _player(self.score, self._renderer), f"<table>{facts}</table>")
        return (
            f"<div class='troubadour' style='background:#fff;color:#111;max-width:960px'>"
            f"<h4>{escape(self.title)}{mark}</h4>{''.join(parts)}</div>"
        )


def _words(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value or "unknown")


def _drawn(score: Score) -> str:
    """Score as SVG, cut to the first bars that fit the limit."""
    starts = score.bar_starts()
    bars = min(len(starts), _MOST_BARS)
    engraver = Engraver()
    try:
        while bars:
            shown = score if bars == len(starts) else score.where(score.onset < starts[bars])
            if not len(shown):
                return "<p>The first bars are silent.</p>"
            svg = engraver.svg(write_musicxml(shown), 2100, 40)
            if len(svg) <= _MOST_SVG:
                cut = "" if bars == len(starts) else f"<p>The first {bars} of {len(starts)} bars.</p>"
                return f"<div>{svg}</div>{cut}"
            bars //= 2
        return "<p>The score is too dense to be shown here.</p>"
    except TroubadourError as error:
        return f"<p>No score: {escape(str(error))}</p>"
    finally:
        engraver.close()


def _player(score: Score, renderer: Renderer) -> str:
    """Audio element with embedded mono OGG."""
    import soundfile

    # Cut before rendering: a symphony would take a minute.
    heard = score.where(score.seconds_at(score.onset) < _MOST_SECONDS)
    try:
        audio = play(heard, renderer)
    except TroubadourError as error:
        return f"<p>No sound: {escape(str(error))}</p>"
    mono = audio.mean(axis=1)[::2]  # the SoundFont has almost no energy above 12 kHz
    most = int(_MOST_SECONDS * SAMPLE_RATE / 2)
    whole = len(heard) == len(score) and len(mono) <= most
    cut = "" if whole else f"<p>The first {_MOST_SECONDS:.0f} of {score.seconds:.0f} seconds.</p>"
    mono = mono[:most].copy()
    if cut:
        fade = SAMPLE_RATE // 2
        mono[-fade:] *= np.linspace(1, 0, fade, dtype=mono.dtype)
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", SAMPLE_RATE // 2, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(mono), _BLOCK):
            file.write(mono[start : start + _BLOCK])
    data = base64.b64encode(out.getvalue()).decode()
    return f'<audio controls preload="none" src="data:audio/ogg;base64,{data}"></audio>{cut}'
