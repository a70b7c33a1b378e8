"""Pictures of a score and of a catalogue as SVG text; needs only numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.analysis.beats import beat_ticks
from troubadour.analysis.report import Analysis
from troubadour.core.errors import InputError
from troubadour.music.score import Score

# Distinguishable with red-green colour blindness (Okabe & Ito 2008), then lighter colours.
COLOURS: Final = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#555555", "#9467bd",
    "#a6761d", "#a50026", "#e7298a",
)  # fmt: skip
_WIDTH: Final = 960
_LEFT: Final = 48
_FONT: Final = 'font-family="sans-serif" font-size="11" fill="#333333"'


def piano_roll(score: Score, title: str = "") -> str:
    """Piano roll: notes over bars, one colour per track; drum notes as small marks.

    Args:
        score: quantised score.
        title: text above the picture.

    Raises:
        InputError: the score has no notes.
    """
    if not len(score):
        raise InputError("the score has no notes; there is nothing to draw")
    low, high = int(score.pitch.min()) - 1, int(score.pitch.max()) + 2
    step = max(4.0, min(9.0, 360 / (high - low)))
    height = (high - low) * step
    scale = (_WIDTH - _LEFT - 12) / score.end_ticks
    parts: list[str] = []
    for pitch in range(low, high):
        if pitch % 12 == 0:
            y = (high - pitch) * step
            parts.append(_line(_LEFT, y, _WIDTH - 12, y, "#cccccc"))
            parts.append(_text(_LEFT - 6, y, f"C{pitch // 12 - 1}", "end"))
    starts = score.bar_starts().tolist()
    first = 0 if score.upbeat_ticks else 1
    every = max(1, len(starts) // 16)
    for i, tick in enumerate(starts):
        x = _LEFT + tick * scale
        parts.append(_line(x, 0, x, height, "#dddddd"))
        if i % every == 0:
            parts.append(_text(x + 2, height + 14, str(i + first)))
    for onset, duration, pitch, velocity, track in score.notes().tolist():
        drum = score.tracks[track].is_drum
        width = max((3.0 if drum else duration * scale) - 0.6, 1.2)
        parts.append(
            f'<rect x="{_LEFT + onset * scale:.2f}" y="{(high - pitch - 1) * step:.2f}" width="{width:.2f}" '
            f'height="{step - 0.6:.2f}" rx="1" fill="{COLOURS[track % len(COLOURS)]}" '
            f'opacity="{0.45 + 0.55 * velocity / 127:.2f}"/>'
        )
    return _svg(parts, height + 20, title)


def similarity_matrix(found: Analysis, title: str = "") -> str:
    """Self-similarity matrix of the bars, dark = equal; phrases with their letters along the top.

    Args:
        found: analysis of the score.
        title: text above the picture.

    Raises:
        InputError: the score has no pitched notes.
    """
    likeness = found.form.likeness
    n = len(likeness)
    if not n:
        raise InputError("the score has no pitched notes; there are no bars to compare")
    size = 600.0
    cell = size / n
    parts = [f'<rect x="{_LEFT}" y="20" width="{size}" height="{size}" fill="#f4f4f4"/>']
    for i in range(n):
        for j in range(n):
            if likeness[i, j] > 0.05:
                parts.append(
                    f'<rect x="{_LEFT + j * cell:.2f}" y="{20 + i * cell:.2f}" width="{cell + 0.2:.2f}" '
                    f'height="{cell + 0.2:.2f}" fill="#0072b2" opacity="{likeness[i, j]:.2f}"/>'
                )
    every = max(1, n // 16)
    for i in range(0, n, every):
        parts.append(_text(_LEFT - 6, 20 + (i + 0.7) * cell, str(i + found.form.first_bar), "end"))
        parts.append(_text(_LEFT + i * cell, size + 34, str(i + found.form.first_bar)))
    for phrase in found.form.phrases:
        x = _LEFT + (phrase.bars[0] - found.form.first_bar) * cell
        if phrase.bars[0] - found.form.first_bar < n:
            parts += [_line(x, 6, x, 20, "#333333"), _text(x + 3, 15, phrase.letter)]
    return _svg(parts, size + 40, title, int(size) + _LEFT + 20)


def timeline(score: Score, found: Analysis, title: str = "") -> str:
    """Timeline of keys, chords and phrases over the bars.

    Args:
        score: quantised score.
        found: its analysis.
        title: text above the picture.

    Raises:
        InputError: the score has no pitched notes.
    """
    if not found.chords:
        raise InputError("the score has no pitched notes; there are no chords to draw")
    starts = score.bar_starts()
    first = 0 if score.upbeat_ticks else 1
    per_row = 8
    lanes = -(-len(starts) // per_row)
    scale = (_WIDTH - _LEFT - 12) / per_row
    names = sorted({r.key for r in found.key.regions})
    parts: list[str] = []
    for row in range(lanes):
        top = row * 78.0
        bars = range(row * per_row, min((row + 1) * per_row, len(starts)))
        for i in bars:
            x = _LEFT + (i - row * per_row) * scale
            parts += [_line(x, top, x, top + 60, "#bbbbbb"), _text(x + 3, top + 72, str(i + first))]
        for region in found.key.regions:
            a, b = region.bars[0] - first, region.bars[1] - first + 1
            a, b = max(a, bars.start), min(b, bars.stop)
            if a < b:
                x = _LEFT + (a - bars.start) * scale
                colour = COLOURS[names.index(region.key) % len(COLOURS)]
                parts.append(
                    f'<rect x="{x:.1f}" y="{top:.1f}" width="{(b - a) * scale - 1:.1f}" height="16" '
                    f'fill="{colour}" opacity="0.35"/>'
                )
                parts.append(_text(x + 4, top + 12, region.key))
        for phrase in found.form.phrases:
            i = phrase.bars[0] - first
            if i in bars:
                x = _LEFT + (i - bars.start) * scale
                parts.append(_text(x + 4, top + 56, phrase.letter, weight="bold"))
            i = phrase.bars[1] - first
            if i in bars and phrase.cadence:
                x = _LEFT + (i - bars.start + 1) * scale
                parts.append(_text(x - 4, top + 56, phrase.cadence, "end"))
        room = -1e9
        metres = np.array([m.tick for m in score.metres])
        for chord in found.chords:
            i = chord.bar - first
            if i in bars:
                metre = score.metres[int(np.searchsorted(metres, starts[i], side="right")) - 1]
                share = (chord.beat - 1) * beat_ticks(metre) / metre.bar_ticks(24)
                x = _LEFT + (i - bars.start + share) * scale
                if x >= room:
                    parts.append(_text(x + 4, top + 34, chord.numeral or "-"))
                    room = x + 8 + 6.2 * len(chord.numeral)
    return _svg(parts, lanes * 78.0, title)


def feature_map(vectors: ArrayLike, styles: Sequence[str], title: str = "") -> str:
    """Scatter plot of pieces on the two principal components of their vectors, coloured by style.

    Args:
        vectors: shape (n, d), n at least 3.
        styles: style of each piece; the twelve most frequent ones get colours, the others are grey.
        title: text above the picture.

    Raises:
        InputError: fewer than three pieces, or different numbers of vectors and styles.
    """
    table = np.asarray(vectors, dtype=np.float64)
    if table.ndim != 2 or len(table) < 3 or len(table) != len(styles):
        raise InputError(
            f"vectors of shape {table.shape} and {len(styles)} styles; need (n, d), n >= 3, and n"
        )
    places, shares = principal(table)
    counted = sorted({s for s in styles if s}, key=lambda s: (-list(styles).count(s), s))[: len(COLOURS)]
    size = 620.0
    low, high = np.percentile(places, 0.5, axis=0), np.percentile(places, 99.5, axis=0)
    inside = np.clip((places - low) / np.maximum(high - low, 1e-9), 0, 1) * (size - 20) + 10
    parts = [f'<rect x="0" y="0" width="{size}" height="{size}" fill="#fafafa" stroke="#cccccc"/>']
    order = sorted(range(len(styles)), key=lambda i: styles[i] in counted)
    for i in order:
        colour = COLOURS[counted.index(styles[i])] if styles[i] in counted else "#bbbbbb"
        parts.append(
            f'<circle cx="{inside[i, 0]:.1f}" cy="{size - inside[i, 1]:.1f}" r="2.2" fill="{colour}" opacity="0.6"/>'
        )
    for k, name in enumerate([*counted, "other"]):
        colour = COLOURS[k] if k < len(counted) else "#bbbbbb"
        parts.append(f'<circle cx="{size + 18}" cy="{20 + k * 20}" r="5" fill="{colour}"/>')
        parts.append(_text(size + 30, 24 + k * 20, name))
    parts.append(
        _text(
            4,
            size + 16,
            f"first two principal components: {shares[0]:.0%} and {shares[1]:.0%} of the variance",
        )
    )
    return _svg(parts, size + 24, title, int(size) + 140)


def principal(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """First two principal components of the rows, shape (n, 2), and their shares of the variance."""
    centred = table - table.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    # The sign of a component is arbitrary; the largest entry is made positive for reproducible maps.
    axes = axes * np.sign(axes[np.argmax(np.abs(axes), axis=0), [0, 1]])
    total = max(float(values.sum()), 1e-12)
    return centred @ axes, (float(values[-1]) / total, float(values[-2]) / total)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _svg(parts: list[str], height: float, title: str, width: int = _WIDTH) -> str:
    top = 28 if title else 6
    # XML forbids control characters, and titles come from arbitrary files.
    title = "".join(c for c in title if c.isprintable())
    head = (
        f'<text x="12" y="18" font-family="sans-serif" font-size="14" fill="#111111">{escape(title)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + top + 6:.0f}" '
        f'viewBox="0 0 {width} {height + top + 6:.0f}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{head if title else ""}'
        f'<g transform="translate(0 {top})">' + "".join(parts) + "</g></svg>\n"
    )
