"""Pages for print: verovio's systems with title, composer, page numbers and rights, as plain SVG.

Programs that make PDF and PNG know no fonts inside an SVG, so musical signs within texts become
outlines, taken from the font that verovio draws with.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from defusedxml import ElementTree as SafeXml

_TEXT: Final = re.compile(r"<text\b[^>]*(?<!/)>(?:(?!</text>).)*</text>", re.S)
_MUSIC_FONT: Final = "Leipzig"
_EM: Final = 1000.0
_FONT_FACE: Final = re.compile(r"<style[^>]*>@font-face.*?</style>", re.S)
PAGE_MM: Final = (210.0, 297.0)
"""Width and height of a page (ISO A4)."""
TOP_MM: Final = 30.0
"""Room above the music for the title or the running head."""
_WIDER: Final = 1.06
"""Width of a serif font's text, in that of Times."""
_WIDE_SANS: Final = 1.2
"""Likewise of DejaVu Sans."""
BOTTOM_MM: Final = 16.0
SIDE_MM: Final = 15.0


@dataclass(frozen=True, slots=True)
class Titles:
    """What stands on the pages beside the music."""

    title: str
    subtitle: str = ""
    composer: str = ""
    part: str = ""
    """Name of the part, at the left; empty on a score."""
    rights: str = ""
    """At the foot of the first page."""


def page_svg(music: str, titles: Titles, number: int, count: int, font: str = "serif") -> str:
    """One page of A4 as SVG, in millimetres.

    Args:
        music: verovio's page without margins, as SVG with a `viewBox`.
        number: of the page, from 1.
        count: pages in all.
        font: family of the titles and of all text in the music.
    """
    width, height = PAGE_MM
    inner = outlined(_FONT_FACE.sub("", music), _WIDE_SANS if "Sans" in font else _WIDER)
    inner = re.sub(r"font-family=\"[^\"]*\"", f'font-family="{font}"', inner)
    inner = re.sub(r"font-family: ?[^;}\"]*", f"font-family:{font}", inner)
    place = (
        f'<svg x="{SIDE_MM:g}" y="{TOP_MM:g}" width="{width - 2 * SIDE_MM:g}" '
        f'height="{height - TOP_MM - BOTTOM_MM:g}"'
    )
    inner = re.sub(r"<svg\b", place, inner, count=1)
    inner = re.sub(r"^<\?xml.*?\?>", "", inner.strip())
    lines: list[str] = []

    def line(x: float, y: float, size: float, anchor: str, text: str, style: str = "") -> None:
        if text:
            lines.append(
                f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" '
                f'font-family="{font}"{style}>{escape(text)}</text>'
            )

    if number == 1:
        line(width / 2, 17, 6.4, "middle", titles.title[:70], ' font-weight="bold"')
        line(width / 2, 23.5, 4.2, "middle", titles.subtitle[:90])
        line(SIDE_MM, 27, 4.0, "start", titles.part[:40])
        line(width - SIDE_MM, 27, 3.6, "end", titles.composer[:60], ' font-style="italic"')
        line(width / 2, height - 9, 2.7, "middle", titles.rights[:130])
    else:
        head = titles.title[:60] + (f" ({titles.part[:30]})" if titles.part else "")
        line(width / 2, 17, 3.4, "middle", head, ' font-style="italic"')
    if count > 1:
        line(width - SIDE_MM, height - 9, 3.0, "end", f"{number} / {count}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}">'
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>{inner}{"".join(lines)}</svg>'
    )


def without_size(page: str) -> str:
    """A page without its size in millimetres, which programs that draw pixels do not know."""
    return re.sub(r'width="[0-9.]+mm" height="[0-9.]+mm" ', "", page, count=1)


def outlined(svg: str, wider: float = _WIDER) -> str:
    """An SVG of verovio whose musical signs within texts are outlines.

    Args:
        wider: width of the texts' font, in that of Times.
    """
    return _TEXT.sub(
        lambda found: _outline(found[0], wider) if f'"{_MUSIC_FONT}"' in found[0] else found[0], svg
    )


def _outline(text: str, wider: float) -> str:
    """One `text` element as a group of texts and outlines, set one after the other."""
    element = SafeXml.fromstring(re.sub(r"xlink:", "", text))
    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    runs: list[tuple[str, dict[str, str]]] = []
    _runs(element, {}, runs)
    widths = [_width(t, style, wider) for t, style in runs]
    anchor = next((s["text-anchor"] for _, s in runs if "text-anchor" in s), "start")
    x -= {"middle": 0.5, "end": 1.0}.get(anchor, 0.0) * sum(widths)
    out: list[str] = []
    for (said, style), width in zip(runs, widths, strict=True):
        size = _size(style)
        if style.get("font-family") == _MUSIC_FONT:
            place = x
            for sign in said:
                path, advance = _glyph(ord(sign))
                scale = size / _EM
                out.append(f'<g transform="translate({place:.1f},{y:.1f}) scale({scale:.4f})">{path}</g>')
                place += advance * scale
        else:
            kept = "".join(f' {k}="{v}"' for k, v in style.items() if k in ("font-weight", "font-style"))
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}px" xml:space="preserve"{kept}>'
                f"{escape(said)}</text>"
            )
        x += width
    return f"<g>{''.join(out)}</g>"


def _runs(element: Any, style: dict[str, str], out: list[tuple[str, dict[str, str]]]) -> None:
    keys = ("font-size", "font-family", "font-weight", "font-style", "text-anchor")
    mine = {**style, **{k: v for k, v in element.attrib.items() if k in keys}}
    if element.text and element.text.strip():
        out.append((element.text.strip("\n"), mine))
    for child in element:
        _runs(child, mine, out)


def _size(style: dict[str, str]) -> float:
    return float(re.sub(r"[^0-9.]", "", style.get("font-size", "405")) or 405)


def _width(text: str, style: dict[str, str], wider: float) -> float:
    scale = _size(style) / _EM
    if style.get("font-family") == _MUSIC_FONT:
        return sum(_glyph(ord(c))[1] for c in text) * scale
    bold = "-bold" if style.get("font-weight") == "bold" else ""
    italic = "-italic" if style.get("font-style") == "italic" else ""
    widths = _advances(f"text/Times{bold}{italic}.xml")
    # Some letters have no width in verovio's table.
    plain = sum(
        widths.get(ord(c)) or (250.0 if c.isspace() else 720.0 if c.isupper() else 450.0) for c in text
    )
    # A word is parted from the sign after it.
    return (plain * wider + (250.0 if len(text.strip()) > 4 else 0.0)) * scale


def _data() -> Path:
    import verovio

    return Path(os.path.dirname(verovio.__file__), "data")


@lru_cache(maxsize=512)
def _glyph(code: int) -> tuple[str, float]:
    """Outline and advance of a sign of the music font, in thousandths of its size."""
    file = _data() / _MUSIC_FONT / f"{code:04X}.xml"
    if not file.is_file():
        return "", 300.0
    return re.sub(r' id="[^"]*"', "", file.read_text()), _advances(f"{_MUSIC_FONT}.xml").get(code, 300.0)


@lru_cache(maxsize=8)
def _advances(name: str) -> dict[int, float]:
    root = SafeXml.fromstring((_data() / name).read_text())
    em = float(root.get("units-per-em") or _EM)
    return {int(g.get("c"), 16): float(g.get("h-a-x") or 0) * _EM / em for g in root.iter("g") if g.get("c")}
