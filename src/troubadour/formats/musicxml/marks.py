"""Marks of one part of a MusicXML document: words, lyrics, articulation, slurs, chord symbols, form."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from troubadour.formats.musicxml.harmony import chord_symbols
from troubadour.music.marks import WHOLE, Mark, MarkKind, Syllabic

Element = Any
_JUMPS: Final = ("segno", "coda", "fine", "tocoda", "dacapo", "dalsegno")
_ON_NOTES: Final = {
    "articulations": MarkKind.ARTICULATION, "ornaments": MarkKind.ORNAMENT, "technical": MarkKind.TECHNICAL,
}  # fmt: skip


@dataclass(slots=True)
class Found:
    """A mark, or one end of one that lasts, before its place in the score is known."""

    measure: int
    position: float
    kind: MarkKind
    text: str = ""
    number: int = 0
    value: int = 0
    staff: int = 0
    """0 = the part's first track; -1 = the whole piece."""
    note: Any = None
    """The note it belongs to."""
    edge: str = ""
    """`start` or `stop` of something that lasts."""
    span: str = ""
    """What tells overlapping ones of a kind apart."""
    at_end: bool = False
    """Whether it stands at the end of its measure."""
    verse_end: bool = False
    """Whether a lyric is held over the notes after it."""


class MarkReader:
    """Collects the marks of one part."""

    def __init__(self) -> None:
        self.found: list[Found] = []

    def note(self, item: Element, note: Any, measure: int, position: float) -> None:
        """Lyrics and notations of a note that sounds (`note`), or of a rest (None)."""
        for block in item.findall("notations"):
            for child in block:
                if child.tag in _ON_NOTES:
                    for mark in child:
                        self._on_note(_ON_NOTES[child.tag], mark, note, measure, position)
                elif child.tag == "fermata":
                    shape = (child.text or "").strip()
                    text = "" if shape == "normal" else shape
                    self.found.append(Found(measure, position, MarkKind.FERMATA, text, note=note))
                elif child.tag == "arpeggiate":
                    self.found.append(Found(measure, position, MarkKind.ORNAMENT, "arpeggiate", note=note))
                elif child.tag == "slur" and child.get("type") in ("start", "stop"):
                    number = child.get("number", "1")
                    self.found.append(
                        Found(
                            measure, position, MarkKind.SLUR, number=_int(number, 1), note=note,
                            edge=child.get("type"), span=number,
                        )
                    )  # fmt: skip
        for lyric in item.findall("lyric"):
            self._lyric(lyric, note, measure, position)

    def grace(self, item: Element, pitch: int, order: int, measure: int, position: float, staff: int) -> None:
        """A grace note of a sounding pitch."""
        grace = item.find("grace")
        slash = int(grace is not None and grace.get("slash") == "yes")
        self.found.append(
            Found(measure, position, MarkKind.GRACE, number=order, value=slash, staff=staff, span=str(pitch))
        )

    def harmony(self, item: Element, fifths: int, measure: int, position: float) -> None:
        """Chord symbols of a `harmony` element."""
        for text in chord_symbols(item, fifths):
            self.found.append(
                Found(measure, position, MarkKind.CHORD, text, staff=_int(item.findtext("staff"), 0))
            )

    def direction(
        self,
        item: Element,
        sound: Element | None,
        tempo: bool,
        velocity: int | None,
        measure: int,
        position: float,
    ) -> None:
        """A `direction` or a `sound` by itself."""
        staff = _int(item.findtext("staff"), 0)
        jumps = [j for j in _JUMPS if sound is not None and sound.get(j)]
        for jump in jumps:
            self.found.append(Found(measure, position, MarkKind.JUMP, jump, staff=WHOLE))
        for block in item.findall("direction-type"):
            words = " ".join(" ".join((w.text or "").split()) for w in block.findall("words")).strip()
            if words and not jumps:
                kind = MarkKind.TEMPO_TEXT if tempo else MarkKind.WORDS
                whole = WHOLE if tempo else staff
                self.found.append(Found(measure, position, kind, words[:500], staff=whole))
            for child in block:
                self._directed(child, jumps, velocity, staff, measure, position)

    def _directed(
        self,
        child: Element,
        jumps: list[str],
        velocity: int | None,
        staff: int,
        measure: int,
        position: float,
    ) -> None:
        if child.tag == "rehearsal":
            text = " ".join((child.text or "").split())
            self.found.append(Found(measure, position, MarkKind.REHEARSAL, text, staff=WHOLE))
        elif child.tag in ("segno", "coda") and child.tag not in jumps:
            self.found.append(Found(measure, position, MarkKind.JUMP, child.tag, staff=WHOLE))
        elif child.tag == "dynamics":
            for mark in child:
                text = (mark.text or "").strip() if mark.tag == "other-dynamics" else mark.tag
                self.found.append(
                    Found(measure, position, MarkKind.DYNAMIC, text, value=velocity or 0, staff=staff)
                )
        elif child.tag in ("wedge", "pedal", "octave-shift"):
            kind = child.get("type", "")
            value = 0
            if child.tag == "octave-shift":
                octaves = (_int(child.get("size"), 8) + 6) // 7 - 1
                value = octaves if kind == "down" else -octaves
            edge = "stop" if kind in ("stop", "discontinue") else "start"
            if kind in ("continue", "change", "sostenuto", "resume"):
                return
            mark = {"wedge": MarkKind.WEDGE, "pedal": MarkKind.PEDAL}.get(child.tag, MarkKind.OCTAVE_SHIFT)
            text = kind if child.tag == "wedge" and edge == "start" else ""
            span = child.get("number", "1")
            self.found.append(
                Found(measure, position, mark, text, value=value, staff=staff, edge=edge, span=span)
            )

    def clef(self, item: Element, staff: int, measure: int, position: float) -> None:
        """A `clef`."""
        sign = (item.findtext("sign") or "").strip()
        text = (
            sign if sign in ("percussion", "TAB", "none", "jianpu") else sign + (item.findtext("line") or "")
        )
        change = _int(item.findtext("clef-octave-change"), 0)
        self.found.append(Found(measure, position, MarkKind.CLEF, text, staff, change, staff))

    def transposition(self, semitones: int, steps: int, measure: int, position: float) -> None:
        """A `transpose` of all staves."""
        self.found.append(Found(measure, position, MarkKind.TRANSPOSITION, "", steps, semitones))

    def barline(self, line: Element, measure: int) -> None:
        """Repeats, endings and bar styles."""
        at_end = line.get("location", "right") != "left"
        repeat, ending = line.find("repeat"), line.find("ending")
        if repeat is not None:
            backward = repeat.get("direction") == "backward"
            kind = MarkKind.REPEAT_END if backward else MarkKind.REPEAT_START
            times = _int(repeat.get("times"), 0)
            self.found.append(Found(measure, 0, kind, number=times, staff=WHOLE, at_end=backward))
        elif (line.findtext("bar-style") or "regular") != "regular":
            style = (line.findtext("bar-style") or "").strip()
            self.found.append(Found(measure, 0, MarkKind.BARLINE, style, staff=WHOLE, at_end=at_end))
        if ending is not None:
            edge = "start" if ending.get("type") == "start" else "stop"
            numbers = ending.get("number") or "1"
            first = _int((re.findall(r"\d+", numbers) or ["1"])[0], 1)
            is_open = int(ending.get("type") == "discontinue")
            self.found.append(
                Found(
                    measure, 0, MarkKind.ENDING, numbers, first, is_open, WHOLE, edge=edge, at_end=edge == "stop"
                )
            )  # fmt: skip
        for tag in ("segno", "coda"):
            if line.find(tag) is not None:
                self.found.append(Found(measure, 0, MarkKind.JUMP, tag, staff=WHOLE, at_end=at_end))

    def _on_note(self, kind: MarkKind, mark: Element, note: Any, measure: int, position: float) -> None:
        if mark.tag in ("wavy-line", "accidental-mark"):
            return
        text = mark.tag
        number = _int(mark.text, 0) if mark.tag in ("tremolo", "fingering", "string", "fret") else 0
        self.found.append(Found(measure, position, kind, text, number, note=note))

    def _lyric(self, item: Element, note: Any, measure: int, position: float) -> None:
        texts: list[str] = []
        syllabics: list[str] = []
        for child in item:
            if child.tag == "text":
                texts.append(child.text or "")
            elif child.tag == "elision":
                texts.append((child.text or "").strip() or "\u203f")
            elif child.tag == "syllabic":
                syllabics.append((child.text or "").strip())
            elif child.tag in ("laughing", "humming"):
                texts.append(f"({child.tag})")
        text = "".join(texts).strip()
        if not text:
            return
        first, last = (syllabics[0], syllabics[-1]) if syllabics else ("single", "single")
        begins, ends = first in ("single", "begin"), last in ("single", "end")
        value = Syllabic.SINGLE if begins and ends else Syllabic.BEGIN if begins else Syllabic.END
        value = value if begins or ends else Syllabic.MIDDLE
        extend = item.find("extend")
        held = extend is not None and extend.get("type", "start") == "start"
        verse = _int((re.findall(r"\d+", item.get("number", "1")) or ["1"])[-1], 1)
        self.found.append(
            Found(measure, position, MarkKind.LYRIC, text, verse, value, note=note, verse_end=held)
        )


def placed(
    found: Iterable[Found], starts: dict[int, int], ends: dict[int, int], tracks: dict[int, int]
) -> list[Mark]:
    """Marks with their ticks and tracks; ends of what lasts are joined to its starts.

    Args:
        found: marks of one part.
        starts: first tick of each measure that was kept.
        ends: tick after the last of each measure.
        tracks: track by staff; 0 is the part's first one.
    """
    marks: list[Mark] = []
    edges: list[tuple[int, int, Found, Mark]] = []
    held: list[tuple[Found, int]] = []
    sung: dict[tuple[int, int], list[int]] = defaultdict(list)
    for order, one in enumerate(found):
        if one.measure not in starts:
            continue
        tick = ends[one.measure] if one.at_end else starts[one.measure] + max(0, round(one.position))
        track = WHOLE if one.staff == WHOLE else tracks.get(one.staff, tracks.get(0, WHOLE))
        pitch = int(one.span) if one.kind is MarkKind.GRACE else -1
        if one.note is not None:
            if one.note.row is None:
                continue
            row = one.note.row
            if one.edge != "stop" or row[0] > 0:
                tick = row[0]
            track, pitch = row[4], row[2]
        mark = Mark(tick, track, one.kind, one.text, one.number, one.value, -1, pitch)
        if one.edge:
            edges.append((tick, order, one, mark))
            continue
        if one.kind is MarkKind.LYRIC:
            sung[track, one.number].append(tick)
            if one.verse_end:
                held.append((one, len(marks)))
        marks.append(mark)
    for one, index in held:
        mark = marks[index]
        following = [t for t in sung[mark.track, mark.number] if t > mark.tick]
        marks[index] = mark._replace(end=min(following, default=mark.tick + one.note.row[1]))
    return marks + _spans(edges)


def _spans(edges: list[tuple[int, int, Found, Mark]]) -> list[Mark]:
    """Starts with the ends that follow them; what has no end is left out."""
    marks: list[Mark] = []
    opened: dict[tuple[MarkKind, str, int], Mark] = {}
    edges.sort(key=lambda e: (e[0], e[2].edge == "start", e[1]))
    for tick, _, one, mark in edges:
        name = (one.kind, one.span, one.staff if one.kind is MarkKind.OCTAVE_SHIFT else 0)
        if one.edge == "start":
            opened[name] = mark
        elif name in opened:
            start = opened.pop(name)
            if tick > start.tick:
                value = mark.value if one.kind is MarkKind.ENDING else start.value
                marks.append(start._replace(end=tick, value=value))
    return marks


def _int(text: str | None, default: int) -> int:
    value = (text or "").strip()
    return int(value) if re.fullmatch(r"-?\d{1,4}", value) else default


__all__ = ["Found", "MarkReader", "placed"]
