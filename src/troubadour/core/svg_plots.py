"""Line and bar charts as SVG, readable on light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 560
_HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 34, 40
_COLOURS: Final = ("#3b6fb6", "#c8702a", "#4d9a57", "#8a5aa8")
_STYLE: Final = (
    "<style>text{font:12px sans-serif;fill:#555}.title{font-weight:bold}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>"
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of a chart: `x` and `y` of equal length."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


def lines(title: str, x_label: str, curves: Sequence[Curve]) -> str:
    """Line chart of curves over a common x axis; the y axis spans all values."""
    xs = [x for c in curves for x in c.x] or [0.0]
    ys = [y for c in curves for y in c.y] or [0.0]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin
    body = []
    for colour, curve in zip(_COLOURS, curves, strict=False):
        points = " ".join(
            f"{_across(x, left, right):.1f},{_up(y, low, high):.1f}"
            for x, y in zip(curve.x, curve.y, strict=True)
        )
        body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    body += _legend([c.label for c in curves])
    for share in (0.0, 0.5, 1.0):
        body.append(
            _text(
                _across(left + share * (right - left), left, right),
                _HEIGHT - 22,
                f"{left + share * (right - left):,.0f}",
            )
        )
    body.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label))
    return _picture(title, body, low, high)


def bars(title: str, labels: Sequence[str], groups: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Grouped bar chart; the y axis starts at zero."""
    high = max((v for _, values in groups for v in values), default=1.0) * 1.05 or 1.0
    slot = (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    each = 0.8 * slot / max(1, len(groups))
    body = []
    for g, (colour, (_, values)) in enumerate(zip(_COLOURS, groups, strict=False)):
        for i, value in enumerate(values):
            top = _up(value, 0.0, high)
            x = _LEFT + i * slot + 0.1 * slot + g * each
            body.append(
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{each:.1f}" height="{_HEIGHT - _BOTTOM - top:.1f}" fill="{colour}"/>'
            )
    stride = max(1, len(labels) // 14)
    for i in range(0, len(labels), stride):
        body.append(_text(_LEFT + (i + 0.5) * slot, _HEIGHT - 22, labels[i]))
    body += _legend([name for name, _ in groups])
    return _picture(title, body, 0.0, high)


def _picture(title: str, body: Sequence[str], low: float, high: float) -> str:
    frame = (
        f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="#999"/>'
        + _text(_LEFT, 18, title, "start", "title")
    )
    scale = [
        _text(_LEFT - 6, _up(v, low, high) + 4, f"{v:.3g}", "end") for v in (low, (low + high) / 2, high)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{_STYLE}{frame}{"".join(scale)}{"".join(body)}</svg>\n'
    )


def _legend(labels: Sequence[str]) -> list[str]:
    out = []
    for i, (colour, label) in enumerate(zip(_COLOURS, labels, strict=False)):
        x = _WIDTH - _RIGHT - 110 * (len(labels) - i)
        out.append(
            f'<rect x="{x}" y="24" width="10" height="10" fill="{colour}"/>'
            + _text(x + 14, 33, label, "start")
        )
    return out


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _across(x: float, left: float, right: float) -> float:
    return _LEFT + (x - left) / (right - left or 1.0) * (_WIDTH - _LEFT - _RIGHT)


def _up(y: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP)
