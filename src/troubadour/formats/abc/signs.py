"""Signs beside the notes: decorations, chord symbols, words and repeats, between ABC and marks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from troubadour.formats.abc.text import plain_text
from troubadour.music.marks import Mark, MarkKind, Syllabic
from troubadour.music.score import Score

_A, _O, _T = MarkKind.ARTICULATION, MarkKind.ORNAMENT, MarkKind.TECHNICAL


class Sign(NamedTuple):
    """Kind and values of a mark without its place."""

    kind: MarkKind
    text: str = ""
    number: int = 0
    value: int = 0
    pitch: int = -1
    """Of a grace note."""


DECORATIONS: Final[dict[str, Sign]] = {
    ".": Sign(_A, "staccato"), "tenuto": Sign(_A, "tenuto"), "accent": Sign(_A, "accent"),
    "marcato": Sign(_A, "strong-accent"), "wedge": Sign(_A, "staccatissimo"), "breath": Sign(_A, "breath-mark"),
    "fermata": Sign(MarkKind.FERMATA), "invertedfermata": Sign(MarkKind.FERMATA, "inverted"),
    "trill": Sign(_O, "trill-mark"), "lowermordent": Sign(_O, "mordent"), "uppermordent": Sign(_O, "inverted-mordent"),
    "turn": Sign(_O, "turn"), "invertedturn": Sign(_O, "inverted-turn"), "arpeggio": Sign(_O, "arpeggiate"),
    "roll": Sign(_O, "roll"), "upbow": Sign(_T, "up-bow"), "downbow": Sign(_T, "down-bow"),
    "open": Sign(_T, "open-string"), "thumb": Sign(_T, "thumb-position"), "snap": Sign(_T, "snap-pizzicato"),
    "plus": Sign(_T, "stopped"), "segno": Sign(MarkKind.JUMP, "segno"), "coda": Sign(MarkKind.JUMP, "coda"),
    "fine": Sign(MarkKind.JUMP, "fine"), "D.C.": Sign(MarkKind.JUMP, "dacapo"), "D.S.": Sign(MarkKind.JUMP, "dalsegno"),
    "dacoda": Sign(MarkKind.JUMP, "tocoda"),
    **{d: Sign(MarkKind.DYNAMIC, d) for d in ("pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff", "sfz")},
    **{str(n): Sign(_T, "fingering", n) for n in range(6)},
}  # fmt: skip
"""Marks of the decorations that have one; all others are passed over."""
_NAMES: Final = {sign: name for name, sign in DECORATIONS.items()}
_SAME: Final = {
    ">": "accent", "emphasis": "accent", "^": "marcato", "mordent": "lowermordent", "pralltriller": "uppermordent",
    "+": "plus", "dacapo": "D.C.",
}  # fmt: skip
SHORTHAND: Final = {
    ".": ".", "~": "roll", "H": "fermata", "L": "accent", "M": "lowermordent", "O": "coda", "P": "uppermordent",
    "S": "segno", "T": "trill", "u": "upbow", "v": "downbow",
}  # fmt: skip
"""Letters of the standard's U: definitions."""
_CHORD: Final = re.compile(
    r"\(?[A-G][#b♯♭]?(?:maj|min|dim|aug|sus|add|alt|[mM0-9+°øΔ(),#b♯♭-])*(?:/[A-G][#b♯♭]?)?\)?|N\.?C\.?"
)
_USER: Final = re.compile(r"\s*([h-wH-W~])\s*=\s*(.*)")
_SYLLABLE: Final = re.compile(r"\s*((?:\\.|[^\s\-_*|\\])+)?(-|_|\*|\|)?")
_MAX_TEXT: Final = 200


def decoration(name: str) -> Sign | None:
    """The mark of a decoration without its `!`."""
    return DECORATIONS.get(_SAME.get(name, name))


def quoted(text: str) -> Sign | None:
    """The mark of a text in quotation marks: a chord symbol, a fingering, or words."""
    text = plain_text(text).strip()[:_MAX_TEXT]
    if _CHORD.fullmatch(text):
        return Sign(MarkKind.CHORD, text)
    if len(text) == 1 and text in "012345":
        return DECORATIONS[text]
    words = text.lstrip("^_<>@").strip() if text[:1] in tuple("^_<>@") else text
    return Sign(MarkKind.WORDS, words) if words else None


def user_symbol(text: str) -> tuple[str, Sign | None] | None:
    """A letter and its mark, as a U: field defines it."""
    found = _USER.match(text)
    if not found:
        return None
    meaning = found[2].strip()
    if meaning[:1] == '"':
        return found[1], quoted(meaning.strip('"'))
    return found[1], decoration(meaning.strip("!+"))


def syllables(text: str, *, inside: bool = False) -> Iterator[Sign | str]:
    """The parts of a w: line: syllables, `_` (held), `*` (no syllable) and `|` (next bar).

    Args:
        inside: whether the line before ended within a word.
    """
    place = 0
    text = re.sub(r"^\s*\d+[.):]?\s+", "", text)  # number of the verse
    while place < len(text):
        found = _SYLLABLE.match(text, place)
        if found is None or found.end() == place:
            place += 1
            continue
        place = found.end()
        word, sign = found[1], found[2]
        if word:
            plain = plain_text(re.sub(r"\\([-_*|~])", r"\1", word.replace("~", " ").replace("\\ ", "\\~")))
            goes_on = sign == "-"
            value = (Syllabic.MIDDLE if inside else Syllabic.BEGIN) if goes_on else Syllabic.END
            if not goes_on and not inside:
                value = Syllabic.SINGLE
            inside = goes_on
            yield Sign(MarkKind.LYRIC, plain[:_MAX_TEXT], 0, value)
            if sign and sign != "-":
                yield sign
        elif sign:
            inside = inside and sign != "*"
            yield "_" if sign == "-" else sign


class _Written(Protocol):
    """A note or rest as it is written."""

    start: int
    pitches: tuple[int, ...]
    tied_in: bool


class Signs:
    """A score's marks as ABC has them.

    A sign belongs to all notes of its track that start at its tick; ABC cannot say to which.
    """

    def __init__(self, score: Score) -> None:
        self.before: dict[tuple[int, int], str] = defaultdict(str)
        self.after: dict[tuple[int, int], str] = defaultdict(str)
        self.words: dict[tuple[int, int, int], Mark] = {}
        self.verses: dict[int, set[int]] = defaultdict(set)
        self.repeats: dict[int, str] = defaultdict(str)
        self.endings: dict[int, str] = {}
        """Numbers of endings by their first tick."""
        self.ending_stops: set[int] = set()
        """Ends of last endings in ticks; a double bar marks them."""
        self.rehearsal: dict[int, str] = {}
        self.graces: dict[tuple[int, int], list[Mark]] = defaultdict(list)
        """Grace notes by track and tick."""
        self.marks = score.marks
        onsets = {(int(t), int(o)) for t, o in zip(score.track, score.onset, strict=True)}
        for mark in score.marks:
            self._add(mark, onsets, score.end_ticks)

    def _add(self, mark: Mark, onsets: set[tuple[int, int]], end: int) -> None:
        place = (max(mark.track, 0), mark.tick)
        if mark.kind is MarkKind.LYRIC and mark.track >= 0:
            self.words[mark.track, mark.tick, max(mark.number, 1)] = mark
            self.verses[mark.track].add(max(mark.number, 1))
        elif mark.kind is MarkKind.GRACE:
            if place in onsets and mark.pitch >= 0:
                self.graces[place].append(mark)
        elif mark.kind is MarkKind.REPEAT_START:
            self.repeats[mark.tick] += "s"
        elif mark.kind is MarkKind.REPEAT_END:
            self.repeats[mark.tick] += "e"
        elif mark.kind is MarkKind.ENDING:
            self.endings[mark.tick] = ",".join(re.findall(r"[1-9]\d?", mark.text)) or str(max(mark.number, 1))
            if mark.value:
                self.ending_stops.add(mark.end)
        elif mark.kind is MarkKind.REHEARSAL:
            self.rehearsal[mark.tick] = _quotable(mark.text).replace("]", ")")
        elif mark.kind is MarkKind.SLUR:
            if place in onsets and (place[0], mark.end) in onsets and mark.end > mark.tick:
                self.before[place] += "("
                self.after[place[0], mark.end] += ")"
        elif mark.tick >= end:
            return
        elif mark.kind is MarkKind.CHORD:
            self.before[place] = f'"{_quotable(mark.text)}"' + self.before[place]
        elif mark.kind is MarkKind.WORDS:
            self.before[place] = f'"^{_quotable(mark.text)}"' + self.before[place]
        else:
            name = _NAMES.get(Sign(mark.kind, mark.text, mark.number if mark.kind is _T else 0))
            written = "." if name == "." else f"!{name}!"
            if name and written not in self.before[place]:
                # Slurs open right before the note.
                head = self.before[place].rstrip("(")
                self.before[place] = head + written + self.before[place][len(head) :]

    def tempo_text(self) -> str:
        """Text of the tempo at the start, ready for Q:."""
        found = next((m for m in self.marks if m.kind is MarkKind.TEMPO_TEXT and m.tick == 0), None)
        return f'"{_quotable(found.text)}" ' if found else ""

    def cuts(self, track: int) -> frozenset[int]:
        """Ticks that carry a sign of a track."""
        return frozenset(tick for t, tick in (*self.before, *self.after) if t == track)

    def around(self, track: int, tick: int, *, starts: bool) -> tuple[str, str]:
        """Signs before and after the notes at a tick.

        Args:
            starts: whether the notes begin here; else they are the rest of tied ones.
        """
        before, after = self.before.get((track, tick), ""), self.after.get((track, tick), "")
        return (before if starts else before.replace("(", "")), after

    def before_bar(self, tick: int) -> str:
        """Signs before a bar: an ending, a rehearsal mark, and a repeat sign at the start of the piece."""
        text = f"[{self.endings[tick]} " if tick in self.endings else ""
        text += f"[P:{self.rehearsal[tick]}]" if tick in self.rehearsal else ""
        return ("|:" if not tick and "s" in self.repeats.get(0, "") else "") + text

    def barline(self, tick: int, *, last: bool) -> str:
        """The barline at a tick."""
        kinds = self.repeats.get(tick, "")
        if "e" in kinds:
            return "::" if "s" in kinds and not last else ":|"
        if last:
            return "|]"
        if "s" in kinds:
            return "|:"
        return "||" if tick in self.ending_stops else "|"

    def word_lines(self, track: int, items: Sequence[_Written]) -> list[str]:
        """A w: line for each verse of a track."""
        lines = []
        for verse in sorted(self.verses.get(track, ())):
            out: list[str] = []
            held = -1
            for item in items:
                if not item.pitches:
                    continue
                mark = self.words.get((track, item.start, verse)) if not item.tied_in else None
                if mark is not None:
                    held = mark.end
                    out.append(_syllable(mark))
                elif out and out[-1] != "* " and (item.tied_in or item.start <= held):
                    out[-1] = out[-1].rstrip(" ") + "_ "
                else:
                    out.append("* ")
            lines.append("w: " + "".join(out).rstrip())
        return lines


def _quotable(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain.replace("\\", "\\\\").replace('"', "&quot;").replace("%", "\\%")[: 2 * _MAX_TEXT]


def _syllable(mark: Mark) -> str:
    plain = "".join(c if c.isprintable() else " " for c in mark.text).strip() or "~"
    plain = plain.replace("\\", "\\\\").replace("%", "\\%").replace("&", "\\&")
    plain = re.sub(r"[-_*|]", lambda found: "\\" + found[0], plain).replace(" ", "~")
    return plain + ("-" if mark.value in (Syllabic.BEGIN, Syllabic.MIDDLE) else " ")


__all__ = ["DECORATIONS", "SHORTHAND", "Sign", "Signs", "decoration", "quoted", "syllables", "user_symbol"]
