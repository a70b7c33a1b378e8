"""Marks of an ABC tune while it is read: signs, slurs, words and repeats find their notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from troubadour.formats.abc.signs import Sign, syllables
from troubadour.music.marks import WHOLE, Mark, MarkKind, Syllabic

MAX_MARKS: Final = 50_000
"""Of a voice; more are left out."""
_MAX_WAITING: Final = 20
_AT_BAR_END: Final = (MarkKind.WORDS, MarkKind.JUMP, MarkKind.FERMATA, MarkKind.ARTICULATION)
_NOT_ON_RESTS: Final = (MarkKind.ARTICULATION, MarkKind.ORNAMENT, MarkKind.TECHNICAL, MarkKind.GRACE)


class _Event(Protocol):
    @property
    def start(self) -> int: ...

    @property
    def pitches(self) -> list[int]: ...


class _Bar(Protocol):
    @property
    def line(self) -> str: ...


class AbcPlace(NamedTuple):
    """A note, chord or rest of a voice."""

    bar: int
    """Index of the written bar."""
    event: _Event


@dataclass(slots=True)
class _Placed:
    place: AbcPlace
    sign: Sign
    end: AbcPlace | None = None


@dataclass(slots=True)
class VoiceMarks:
    """Marks of one voice."""

    sings: bool = False
    """Whether the tune has words at all; else its notes are not kept for them."""
    waiting: list[Sign] = field(default_factory=list)
    """Signs for the next note."""
    placed: list[_Placed] = field(default_factory=list)
    open_slurs: list[AbcPlace | None] = field(default_factory=list)
    last: AbcPlace | None = None
    notes: list[AbcPlace] = field(default_factory=list)
    """Notes that take syllables."""
    sung: int = 0
    """Notes that already have had their words."""
    verse: int = 0
    verse_from: int = 0
    within: set[int] = field(default_factory=set)
    """Verses whose last line ended within a word."""

    def sign(self, sign: Sign | None) -> None:
        """Keep a sign for the next note."""
        if sign is not None and len(self.waiting) < _MAX_WAITING:
            self.waiting.append(sign)

    def event(self, bar: int, event: _Event, main: bool) -> None:
        """A note, chord or rest has been placed.

        Args:
            main: whether it stands in the voice's first layer.
        """
        if not (self.waiting or self.open_slurs or self.sings):
            self.last = None
            return
        place = AbcPlace(bar, event)
        if self.waiting and len(self.placed) < MAX_MARKS:
            for sign in self.waiting:
                if event.pitches or sign.kind not in _NOT_ON_RESTS:
                    self.placed.append(_Placed(place, sign))
            self.waiting = []
        if event.pitches:
            if self.open_slurs and None in self.open_slurs:
                self.open_slurs = [place if slur is None else slur for slur in self.open_slurs]
            if self.sings and main:
                self.notes.append(place)
            self.last = place

    def slur(self, sign: str) -> None:
        """`(` or `)`."""
        if sign == "(":
            if len(self.open_slurs) < _MAX_WAITING:
                self.open_slurs.append(None)
        elif self.open_slurs:
            start = self.open_slurs.pop()
            if start is None or self.last is None or start.event is self.last.event:
                return
            if len(self.placed) < MAX_MARKS:
                self.placed.append(_Placed(start, Sign(MarkKind.SLUR), self.last))

    def bar(self, bar: int, events: Sequence[_Event]) -> None:
        """A bar has ended: signs at its end belong to its last note."""
        if self.waiting and events and len(self.placed) < MAX_MARKS:
            for sign in self.waiting:
                if sign.kind in _AT_BAR_END:
                    self.placed.append(_Placed(AbcPlace(bar, events[-1]), sign))
            self.waiting = [sign for sign in self.waiting if sign.kind not in _AT_BAR_END]

    def words(self, text: str) -> None:
        """A w: line: words for the notes since the one before, or another verse."""
        if self.sung < len(self.notes) or not self.verse:
            self.verse, self.verse_from, self.sung = 1, self.sung, len(self.notes)
        else:
            self.verse += 1
        at = self.verse_from
        before: _Placed | None = None
        inside = self.verse in self.within
        self.within.discard(self.verse)
        open_word = False
        for part in syllables(text, inside=inside):
            if part == "|":
                while self.verse_from < at < self.sung and self.notes[at - 1].bar == self.notes[at].bar:
                    at += 1
            elif at >= self.sung or len(self.placed) >= MAX_MARKS:
                return
            else:
                if isinstance(part, Sign):
                    before = _Placed(self.notes[at], part._replace(number=self.verse))
                    self.placed.append(before)
                    open_word = part.value in (Syllabic.BEGIN, Syllabic.MIDDLE)
                elif part == "_" and before is not None:
                    before.end = self.notes[at]
                else:
                    open_word = False
                at += 1
        if open_word and at == self.sung:
            self.within.add(self.verse)


def marks_of(
    voices: Sequence[VoiceMarks], lead: Sequence[_Bar], at: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[Mark]:
    """Marks of a tune.

    Args:
        lead: bars of the longest voice.
        at: first tick of each bar that is read.
        ends: last tick of each.
    """
    for track, voice in enumerate(voices):
        for placed in voice.placed:
            (bar, event), sign, end = placed.place, placed.sign, placed.end
            if bar not in at or (end is not None and end.bar not in at):
                continue
            tick = at[bar] + event.start
            whole = sign.kind in (MarkKind.TEMPO_TEXT, MarkKind.REHEARSAL, MarkKind.JUMP)
            stop = max(tick, at[end.bar] + end.event.start) if end is not None else -1
            yield Mark(tick, WHOLE if whole else track, *sign[:4], stop, sign.pitch)
    yield from _repeats(lead, at, ends)


def _repeats(lead: Sequence[_Bar], at: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Mark]:
    owed = False  # the repeat sign stood at an ending that is not read
    last = max(at)
    for i, bar in enumerate(lead):
        closes = ":|" in bar.line or "::" in bar.line
        if i in at:
            section = closes or "||" in bar.line or "]" in bar.line or "|:" in bar.line or i == last
            if closes or (owed and section):
                yield Mark(ends[i], WHOLE, MarkKind.REPEAT_END)
                owed = False
        elif closes:
            owed = True
        if ("|:" in bar.line or "::" in bar.line) and i in ends and i + 1 in at:
            yield Mark(at[i + 1], WHOLE, MarkKind.REPEAT_START)
