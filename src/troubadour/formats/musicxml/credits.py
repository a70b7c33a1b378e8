"""Titles, creators, rights and credits of a MusicXML document."""

from __future__ import annotations

from typing import Any, Final

from troubadour.formats.musicxml.parts import text
from troubadour.music.marks import WHOLE, Mark, MarkKind

Element = Any
_MOST: Final = 1000
"""Characters of one credit that are kept."""
_CREATORS: Final = {
    "composer": MarkKind.COMPOSER, "lyricist": MarkKind.LYRICIST, "poet": MarkKind.LYRICIST,
    "translator": MarkKind.LYRICIST, "arranger": MarkKind.ARRANGER,
}  # fmt: skip


def title_of(root: Element) -> str:
    """Title of the work and of the movement; the first credit where there is none."""
    credits = (" ".join(c) for c in (_words(c) for c in root.findall("credit")))
    title = text(root, "work/work-title") or text(root, "movement-title")
    title = title or next((c for c in credits if c), "")
    movement = text(root, "movement-title")
    return f"{title}: {movement}" if movement and movement not in title else title


def composer_of(root: Element) -> str:
    """The first creator who is a composer, or of no stated type."""
    creators = root.findall("identification/creator")
    for kind in ("composer", None):
        found = next((c.text or "" for c in creators if c.get("type") == kind), "")
        if found.strip():
            return " ".join(found.split())
    return ""


def credit_marks(root: Element) -> list[Mark]:
    """Marks of the whole piece for what its head and its first page say."""
    found: list[tuple[MarkKind, str, int]] = []
    work, movement = text(root, "work/work-title"), text(root, "movement-title")
    if work or movement:
        found.append((MarkKind.TITLE, work or movement, 0))
    if work and movement and movement != work:
        found.append((MarkKind.SUBTITLE, movement, 0))
    for creator in root.findall("identification/creator"):
        kind = _CREATORS.get((creator.get("type") or "composer").strip().lower())
        if kind is not None and (creator.text or "").strip():
            found.append((kind, " ".join((creator.text or "").split()), 0))
    for rights in root.findall("identification/rights"):
        if (rights.text or "").strip():
            found.append((MarkKind.COPYRIGHT, " ".join((rights.text or "").split()), 0))
    for credit in root.findall("credit"):
        page = credit.get("page") or "1"
        for words in _words(credit):
            found.append((MarkKind.CREDIT, words, int(page) if page.isdecimal() and len(page) < 5 else 1))
    return [Mark(0, WHOLE, kind, words[:_MOST], number) for kind, words, number in found]


def _words(credit: Element) -> list[str]:
    words = (" ".join((w.text or "").split()) for w in credit.findall("credit-words"))
    return [w for w in words if w]


__all__ = ["composer_of", "credit_marks", "title_of"]
