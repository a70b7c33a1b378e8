"""Marks of a score as MusicXML: what stands on notes, between them and at barlines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from troubadour.formats.engraving.chord_symbols import harmony_xml
from troubadour.formats.engraving.staves import PartLayout
from troubadour.formats.musicxml.write_notes import clean, lyric_xml
from troubadour.music.marks import FORM, WHOLE, Mark, MarkKind, Syllabic, transpose_chord
from troubadour.music.score import Score

ARTICULATIONS: Final = frozenset({
    "accent", "strong-accent", "staccato", "tenuto", "detached-legato", "staccatissimo", "spiccato", "scoop",
    "plop", "doit", "falloff", "breath-mark", "caesura", "stress", "unstress", "soft-accent",
})  # fmt: skip
ORNAMENTS: Final = frozenset({
    "trill-mark", "turn", "delayed-turn", "inverted-turn", "delayed-inverted-turn", "vertical-turn",
    "inverted-vertical-turn", "shake", "mordent", "inverted-mordent", "schleifer", "haydn",
})  # fmt: skip
TECHNICAL: Final = frozenset({
    "up-bow", "down-bow", "open-string", "thumb-position", "double-tongue", "triple-tongue", "stopped",
    "snap-pizzicato", "heel", "toe", "fingernails", "brass-bend", "flip", "smear", "golpe",
})  # fmt: skip
_NUMBERED: Final = frozenset({"fingering", "string", "fret"})
_DYNAMICS: Final = frozenset({
    "p", "pp", "ppp", "pppp", "ppppp", "pppppp", "f", "ff", "fff", "ffff", "fffff", "ffffff", "mp", "mf", "sf",
    "sfp", "sfpp", "fp", "rf", "rfz", "sfz", "sffz", "fz", "n", "pf", "sfzp",
})  # fmt: skip
_FERMATAS: Final = frozenset({"normal", "angled", "square", "double-angled", "double-square", "half-curve"})
_SYLLABIC: Final = {
    Syllabic.SINGLE: "single", Syllabic.BEGIN: "begin", Syllabic.MIDDLE: "middle", Syllabic.END: "end",
}  # fmt: skip
_LOUDNESS: Final = ("cresc", "dim", "decresc", "sempre p", "sempre f", "piu", "più", "meno f", "sotto")
_BAR_STYLES: Final = frozenset({
    "regular", "dotted", "dashed", "heavy", "light-light", "light-heavy", "heavy-light", "heavy-heavy", "tick",
    "short", "none",
})  # fmt: skip
_JUMPS: Final = {
    "fine": ("Fine", 'fine="yes"'), "dacapo": ("D.C.", 'dacapo="yes"'), "tocoda": ("To Coda", 'tocoda="coda"'),
    "dalsegno": ("D.S.", 'dalsegno="segno"'),
}  # fmt: skip


class Direction(NamedTuple):
    """Something that stands at a tick beside the notes of a part."""

    tick: int
    before: str
    """XML up to where an offset may stand."""
    after: str
    """XML after it."""
    staff: int = 0

    def xml(self, offset: int, staves: int) -> str:
        """The element, `offset` ticks after the place in the measure where it is put."""
        shift = f"<offset>{offset}</offset>" if offset else ""
        staff = f"<staff>{self.staff or 1}</staff>" if staves > 1 else ""
        return f"{self.before}{shift}{staff}{self.after}"


class PartMarks:
    """The marks of one part, by where they go."""

    def __init__(self, score: Score, part: PartLayout, *, first: bool, chords: bool) -> None:
        self.part = part
        self.tempo_words: dict[int, str] = {}
        """Words beside a metronome mark, by tick."""
        self.on_notes: dict[tuple[int, int], list[Mark]] = defaultdict(list)
        """Articulations, fermatas, slurs, lyrics and graces by (track, tick)."""
        self.slur_ends: dict[tuple[int, int], list[tuple[Mark, int]]] = defaultdict(list)
        self.slur_numbers: dict[Mark, int] = {}
        self.directions: list[Direction] = []
        self.clefs: list[Mark] = []
        self.has_dynamics = False
        self.has_shifts = False
        self._starts = set(zip(score.track.tolist(), score.onset.tolist(), strict=True))
        self._drawn: set[tuple[Mark, str]] = set()
        """Ends of slurs that are written."""
        fifths = part.transposition.fifths
        spans: list[Mark] = []
        slurs: list[Mark] = []
        for mark in score.marks:
            whole = chords if mark.kind is MarkKind.CHORD else first
            mine = mark.track in part.tracks or (mark.track == WHOLE and whole)
            if not mine:
                continue
            kind = mark.kind
            if kind is MarkKind.CHORD:
                symbol = transpose_chord(mark.text, -fifths) if fifths else mark.text
                self.directions.append(Direction(mark.tick, "\0" + symbol, ""))
            elif kind is MarkKind.SLUR:
                slurs.append(mark)
            elif kind in _ON_NOTES:
                self.on_notes[max(mark.track, part.tracks[0]), mark.tick].append(mark)
            elif kind is MarkKind.CLEF:
                self.clefs.append(mark)
            elif kind in (MarkKind.WEDGE, MarkKind.PEDAL, MarkKind.OCTAVE_SHIFT):
                spans.append(mark)
            else:
                self._direction(mark)
        self._spans(spans)
        self._slurs(score, slurs)
        self.directions.sort(key=lambda d: d.tick)

    def track_of(self, mark: Mark) -> int:
        """The track that carries a mark: its own, or the part's first for the whole piece."""
        return mark.track if mark.track >= 0 else self.part.tracks[0]

    def rest_fermata(self, tick: int) -> str:
        """A fermata over a rest that starts at a tick."""
        held = any(
            m.kind is MarkKind.FERMATA
            for track in self.part.tracks
            for m in self.on_notes.get((track, tick), ())
        )
        return '<fermata type="upright"/>' if held else ""

    def _direction(self, mark: Mark) -> None:
        kind, text = mark.kind, mark.text
        staff = 2 if mark.track == self.part.lower and self.part.lower >= 0 else 0
        if kind is MarkKind.DYNAMIC and text:
            self.has_dynamics = True
            sign = f"<{text}/>" if text in _DYNAMICS else f"<other-dynamics>{clean(text)}</other-dynamics>"
            self.add(mark.tick, f"<dynamics>{sign}</dynamics>", "below", staff=staff)
        elif kind is MarkKind.TEMPO_TEXT and text:
            self.tempo_words[mark.tick] = f'<words font-weight="bold">{clean(text)}</words>'
        elif kind is MarkKind.WORDS and text:
            # Between the staves of a keyboard, and wherever they say how loud, words stand below.
            below = self.part.staves > 1 or text.lower().startswith(_LOUDNESS)
            side = "below" if below and not staff else "above"
            self.add(mark.tick, f'<words font-style="italic">{clean(text)}</words>', side, staff=staff)
        elif kind is MarkKind.REHEARSAL and text:
            self.add(mark.tick, f"<rehearsal>{clean(text)}</rehearsal>", "above")
        elif kind is MarkKind.JUMP and text in ("segno", "coda"):
            self.add(mark.tick, f"<{text}/>", "above", f'<sound {text}="{text}"/>')
        elif kind is MarkKind.JUMP and text in _JUMPS:
            words, sound = _JUMPS[text]
            self.add(mark.tick, f"<words>{words}</words>", "above", f"<sound {sound}/>")

    def add(self, tick: int, kind: str, placement: str, sound: str = "", staff: int = 0) -> None:
        """Add a direction of some type at a tick."""
        head = f'<direction placement="{placement}"><direction-type>{kind}</direction-type>'
        self.directions.append(Direction(tick, head, f"{sound}</direction>", staff))

    def _spans(self, marks: Sequence[Mark]) -> None:
        for mark, number in _numbered([m for m in marks if m.end > m.tick]):
            staff = 2 if mark.track == self.part.lower and self.part.lower >= 0 else mark.number or 0
            if mark.kind is MarkKind.WEDGE:
                kind = mark.text if mark.text in ("crescendo", "diminuendo") else "crescendo"
                self.add(mark.tick, f'<wedge type="{kind}" number="{number}"/>', "below", staff=staff)
                self.add(mark.end, f'<wedge type="stop" number="{number}"/>', "below", staff=staff)
            elif mark.kind is MarkKind.PEDAL:
                self.add(mark.tick, '<pedal type="start" sign="yes"/>', "below", staff=self.part.staves)
                self.add(mark.end, '<pedal type="stop" sign="yes"/>', "below", staff=self.part.staves)
            else:
                self.has_shifts = True
                self.shift(mark.tick, mark.end, mark.value, number, staff)

    def shift(self, start: int, end: int, octaves: int, number: int, staff: int) -> None:
        """Add an octave line; positive octaves sound above what is written."""
        size = 8 if abs(octaves) == 1 else 15
        kind = "down" if octaves > 0 else "up"
        side = "above" if octaves > 0 else "below"
        head = f'<octave-shift type="{{}}" size="{size}" number="{number}"/>'
        self.add(start, head.format(kind), side, staff=staff)
        self.add(end, head.format("stop"), side, staff=staff)

    def _slurs(self, score: Score, marks: Sequence[Mark]) -> None:
        # A slur is written only where a note starts at each of its ends: one left open breaks the file.
        found = [
            m
            for m in marks
            if m.end > m.tick and (self.track_of(m), m.tick) in self._starts and self._end_track(m) >= 0
        ]
        rows = zip(score.track.tolist(), score.onset.tolist(), score.pitch.tolist(), strict=True)
        notes = set(rows)
        for mark, number in _numbered(found):
            track = self.track_of(mark)
            if mark.pitch >= 0 and (track, mark.tick, mark.pitch) not in notes:
                mark = mark._replace(pitch=-1)
            self.slur_numbers[mark] = number
            self.on_notes[track, mark.tick].append(mark)
            self.slur_ends[self._end_track(mark), mark.end].append((mark, number))

    def _end_track(self, slur: Mark) -> int:
        """The track with the slur's last note: its own, or the other hand's; -1 = none."""
        tracks = (self.track_of(slur), *self.part.tracks)
        return next((t for t in tracks if (t, slur.end) in self._starts), -1)

    def lyrics(self, track: int, tick: int) -> str:
        """Syllables under the notes at a tick."""
        found = [
            m for m in self.on_notes.get((track, tick), ()) if m.kind is MarkKind.LYRIC and m.text.strip()
        ]
        return "".join(
            lyric_xml(m.text, m.number, _SYLLABIC.get(m.value, "single"), m.end > m.tick)
            for m in sorted(found, key=lambda m: m.number)
        )

    def graces(self, track: int, tick: int) -> list[Mark]:
        """Grace notes before the notes at a tick, in order."""
        found = [m for m in self.on_notes.get((track, tick), ()) if m.kind is MarkKind.GRACE and m.pitch >= 0]
        return sorted(found, key=lambda m: m.number)

    def notations(self, track: int, tick: int, pitch: int, *, lead: bool, opens: bool, closes: bool) -> str:
        """What stands in the `notations` of a note.

        Args:
            lead: whether it is the note of its chord that carries marks of all notes at the tick.
            opens: whether this is the first of its tied values.
            closes: whether this is the last of them.
        """
        groups: dict[str, list[str]] = defaultdict(list)
        loose: list[str] = []
        for mark in self.on_notes.get((track, tick), ()):
            if mark.pitch != pitch and not (lead and mark.pitch < 0):
                continue
            if mark.kind is MarkKind.FERMATA:
                if closes:
                    shape = mark.text if mark.text in _FERMATAS and mark.text != "normal" else ""
                    loose.append(f'<fermata type="upright">{shape}</fermata>')
            elif mark.kind is MarkKind.SLUR:
                # With several voices on one track, one of them begins the slur.
                if not opens or (mark, "start") in self._drawn:
                    continue
                self._drawn.add((mark, "start"))
                loose.append(f'<slur type="start" number="{self.slur_numbers[mark]}"/>')
            elif opens:
                _group(mark, groups, loose)
        if opens and lead:
            for mark, number in self.slur_ends.get((track, tick), ()):
                if (mark, "stop") not in self._drawn:
                    self._drawn.add((mark, "stop"))
                    loose.insert(0, f'<slur type="stop" number="{number}"/>')
        inner = "".join(f"<{name}>{''.join(items)}</{name}>" for name, items in groups.items())
        return "".join(loose) + inner


_ON_NOTES: Final = frozenset({
    MarkKind.ARTICULATION, MarkKind.ORNAMENT, MarkKind.TECHNICAL, MarkKind.FERMATA, MarkKind.LYRIC, MarkKind.GRACE,
})  # fmt: skip


def _group(mark: Mark, groups: dict[str, list[str]], loose: list[str]) -> None:
    text = mark.text
    if mark.kind is MarkKind.ARTICULATION and text in ARTICULATIONS:
        groups["articulations"].append(f"<{text}/>")
    elif mark.kind is MarkKind.ORNAMENT and text in ORNAMENTS:
        groups["ornaments"].append(f"<{text}/>")
    elif mark.kind is MarkKind.ORNAMENT and text == "tremolo":
        groups["ornaments"].append(f'<tremolo type="single">{min(max(mark.number, 1), 8)}</tremolo>')
    elif mark.kind is MarkKind.ORNAMENT and text == "arpeggiate":
        loose.append("<arpeggiate/>")
    elif mark.kind is MarkKind.TECHNICAL and text in TECHNICAL:
        groups["technical"].append(f"<{text}/>")
    elif mark.kind is MarkKind.TECHNICAL and text in _NUMBERED:
        groups["technical"].append(f"<{text}>{mark.number}</{text}>")


def _numbered(marks: Iterable[Mark]) -> list[tuple[Mark, int]]:
    """Spans with the numbers 1 to 6 that tell those which sound together apart."""
    busy: dict[int, int] = {}
    out: list[tuple[Mark, int]] = []
    for mark in sorted(marks, key=lambda m: (m.tick, m.end)):
        free = [n for n in range(1, 7) if busy.get(n, -1) < mark.tick]
        if not free:
            continue
        busy[free[0]] = mark.end
        out.append((mark, free[0]))
    return out


def harmony_or_direction(item: Direction, offset: int, staves: int) -> str:
    """The XML of a direction or of a chord symbol."""
    if item.before.startswith("\0"):
        return harmony_xml(item.before[1:], offset, 1 if staves > 1 else 0)
    return item.xml(offset, staves)


def form_marks(score: Score) -> list[Mark]:
    """Repeats, endings and barlines."""
    return [m for m in score.marks if m.kind in FORM]


def barlines(form: Sequence[Mark], start: int, end: int, *, first: bool, last: bool) -> tuple[str, str]:
    """Left and right barline of a bar as XML, empty where nothing is special.

    Args:
        form: what `form_marks` finds.
    """
    left_style = left_ending = left_repeat = ""
    right_style, right_ending, right_repeat = ("light-heavy" if last else ""), "", ""
    for mark in form:
        kind = mark.kind
        if kind is MarkKind.REPEAT_START and mark.tick == start:
            left_style, left_repeat = "heavy-light", '<repeat direction="forward"/>'
        elif kind is MarkKind.REPEAT_END and mark.tick == end:
            times = f' times="{mark.number}"' if mark.number > 2 else ""
            right_style, right_repeat = "light-heavy", f'<repeat direction="backward"{times}/>'
        elif kind is MarkKind.ENDING and mark.end > mark.tick:
            numbers = _ending_numbers(mark)
            if mark.tick == start:
                left_ending = f'<ending number="{numbers}" type="start">{clean(mark.text)}</ending>'
            if mark.end == end or (last and start < mark.end):
                how = "discontinue" if mark.value else "stop"
                right_ending = f'<ending number="{numbers}" type="{how}"/>'
        elif kind is MarkKind.BARLINE and mark.text in _BAR_STYLES:
            if mark.tick == end and not last:
                right_style = right_style or mark.text
            elif first and mark.tick == start:
                left_style = left_style or mark.text
    return (
        _barline("left", left_style, left_ending, left_repeat),
        _barline("right", right_style, right_ending, right_repeat),
    )


def _ending_numbers(mark: Mark) -> str:
    numbers = "".join(c if c.isdigit() else " " for c in mark.text).split()
    return ", ".join(numbers) if numbers else str(max(mark.number, 1))


def _barline(side: str, style: str, ending: str, repeat: str) -> str:
    if not (style or ending or repeat):
        return ""
    shape = f"<bar-style>{style}</bar-style>" if style else ""
    return f'<barline location="{side}">{shape}{ending}{repeat}</barline>'
