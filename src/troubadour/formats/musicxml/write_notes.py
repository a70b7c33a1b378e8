"""Single notes and rests as MusicXML elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from troubadour.formats.engraving.notation import Value
from troubadour.formats.engraving.percussion import drum_of
from troubadour.formats.engraving.written import StaffNote, WrittenChord
from troubadour.music.score import Key
from troubadour.music.theory.spelling import Spelling, signature, spell

_ACCIDENTALS: Final = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


@dataclass(slots=True)
class Written:
    """One written value of a voice: a chord, a part of a tied one, or a rest."""

    start: int
    """Ticks from the start of the piece."""
    value: Value
    chord: WrittenChord | None
    """None for a rest."""
    tied_back: bool = False
    tied_on: bool = False
    beams: Sequence[str] = ()
    tuplet: str = ""
    """`start`, `stop` or nothing."""
    hidden: bool = False
    """Whether a rest only fills time."""
    accidentals: dict[int, str] = field(default_factory=dict)
    """Of the chord's notes that need one, by place in the chord."""


@dataclass(frozen=True, slots=True)
class NotePlace:
    """Where a note is written."""

    part: str
    voice: int
    staff: int
    """From 1; 0 where the part has one staff."""
    stem: str
    is_drum: bool
    key: Key
    """As written."""
    shift: int
    """Semitones from sounding to written pitch."""
    plain: bool
    """Whether velocities need not be told."""
    unit: int
    """Ticks a division of the document."""


def rest_xml(item: Written, place: NotePlace, *, whole_bar: bool, notations: str = "") -> str:
    """A rest; one that only fills time becomes a `forward`."""
    staff = f"<staff>{place.staff}</staff>" if place.staff else ""
    head = f"<duration>{item.value.length // place.unit}</duration>"
    if item.hidden:
        return f"<forward>{head}<voice>{place.voice}</voice>{staff}</forward>"
    if whole_bar:
        held = f"<notations>{notations}</notations>" if notations else ""
        return f'<note><rest measure="yes"/>{head}<voice>{place.voice}</voice>{staff}{held}</note>'
    marks = _tuplet(item) + notations
    notation = f"<notations>{marks}</notations>" if marks else ""
    return (
        f"<note><rest/>{head}<voice>{place.voice}</voice>{_rhythm(item.value)}{_ratio(item.value)}"
        f"{staff}{notation}</note>"
    )


def chord_xml(
    item: Written, place: NotePlace, notations: Sequence[str] = (), lyrics: str = "", graces: str = ""
) -> list[str]:
    """The notes of a chord, the lowest first.

    Args:
        notations: what else belongs into the `notations` of each of its notes.
        lyrics: elements for its first note.
        graces: notes that come before.
    """
    out = [graces] if graces else []
    assert item.chord is not None
    for i, note in enumerate(item.chord.notes):
        marks = "".join(f'<tied type="{t}"/>' for t in _ties(item))
        if not i:
            marks += _tuplet(item)
        marks += notations[i] if i < len(notations) else ""
        stem = f"<stem>{place.stem}</stem>" if place.stem else ""
        beams = "".join(f'<beam number="{n}">{kind}</beam>' for n, kind in enumerate(item.beams, start=1))
        out.append(
            f"<note{_performance(note, item, place)}>{'<chord/>' if i else ''}{_head(note, place)}"
            f"<duration>{item.value.length // place.unit}</duration>{''.join(f'<tie type={t!r}/>' for t in _ties(item))}"
            f"{_instrument(note, place)}<voice>{place.voice}</voice>{_rhythm(item.value)}"
            f"{item.accidentals.get(i, '')}{_ratio(item.value)}{stem}{_notehead(note, place)}"
            f"{f'<staff>{place.staff}</staff>' if place.staff else ''}{beams if not i else ''}"
            f"{f'<notations>{marks}</notations>' if marks else ''}{lyrics if not i else ''}</note>"
        )
    return out


def grace_xml(pitches: Sequence[int], slashed: bool, place: NotePlace) -> str:
    """Grace notes, one after the other."""
    out = []
    beam = len(pitches) > 1
    for i, pitch in enumerate(pitches):
        kind = "begin" if i == 0 else "end" if i + 1 == len(pitches) else "continue"
        name = spell(pitch + place.shift, place.key)
        usual = signature(place.key.fifths).get(name.step, 0)
        sign = f"<accidental>{_ACCIDENTALS[name.alter]}</accidental>" if name.alter != usual else ""
        beams = "".join(f'<beam number="{n}">{kind}</beam>' for n in (1, 2)) if beam else ""
        slash = ' slash="yes"' if slashed and not beam else ""
        out.append(
            f"<note><grace{slash}/>{_pitch_xml(name)}"
            f"<voice>{place.voice}</voice><type>{'16th' if beam else 'eighth'}</type>{sign}"
            f"<stem>{place.stem or 'up'}</stem>{f'<staff>{place.staff}</staff>' if place.staff else ''}"
            f"{beams}</note>"
        )
    return "".join(out)


def lyric_xml(text: str, verse: int, syllabic: str, extend: bool) -> str:
    """One syllable."""
    line = "<extend/>" if extend else ""
    return (
        f'<lyric number="{max(verse, 1)}"><syllabic>{syllabic}</syllabic>'
        f"<text>{clean(text)}</text>{line}</lyric>"
    )


class Accidentals:
    """Which accidentals the notes of a staff need, bar by bar."""

    def __init__(self) -> None:
        self._before: set[tuple[str, int]] = set()

    def bar(self, items: Sequence[Written], key: Key, shift: int) -> None:
        """Set the accidentals of all notes of one bar of a staff, in time order."""
        said: dict[tuple[str, int], int] = {}
        signs = signature(key.fifths)
        warned = self._before
        tied: set[tuple[str, int]] = set()
        for item in sorted((i for i in items if i.chord), key=lambda i: i.start):
            assert item.chord is not None
            for n, note in enumerate(item.chord.notes):
                name = spell(note.pitch + shift, key)
                place = (name.step, name.octave)
                usual = signs.get(name.step, 0)
                if item.tied_back:
                    if name.alter != usual and item.chord.start < item.start:
                        tied.add(place)
                    continue
                if said.get(place, usual) != name.alter:
                    item.accidentals[n] = f"<accidental>{_ACCIDENTALS[name.alter]}</accidental>"
                elif place in warned and place not in said:
                    # Altered in the bar before: a reminder.
                    sign = _ACCIDENTALS[name.alter]
                    item.accidentals[n] = (
                        f'<accidental cautionary="yes" parentheses="yes">{sign}</accidental>'
                    )
                said[place] = name.alter
        self._before = tied | {place for place, alter in said.items() if alter != signs.get(place[0], 0)}


def clean(text: str) -> str:
    """Text without control characters, escaped for XML."""
    return escape("".join(c for c in text if c.isprintable()))


def _rhythm(value: Value) -> str:
    return f"<type>{value.kind}</type>{'<dot/>' * value.dots}"


def _ratio(value: Value) -> str:
    if value.region is None:
        return ""
    return (
        f"<time-modification><actual-notes>{value.region.actual}</actual-notes>"
        f"<normal-notes>{value.region.normal}</normal-notes></time-modification>"
    )


def _tuplet(item: Written) -> str:
    if not item.tuplet:
        return ""
    return f'<tuplet type="{item.tuplet}"/>'


def _ties(item: Written) -> list[str]:
    return (["stop"] if item.tied_back else []) + (["start"] if item.tied_on else [])


def _performance(note: StaffNote, item: Written, place: NotePlace) -> str:
    loud = "" if place.plain else f' dynamics="{note.velocity / 0.9:.2f}"'
    if note.release and not item.tied_on:
        loud += f' release="{note.release // place.unit}"'
    return loud


def _head(note: StaffNote, place: NotePlace) -> str:
    if place.is_drum:
        drum = drum_of(note.pitch)
        return (
            f"<unpitched><display-step>{drum.step}</display-step>"
            f"<display-octave>{drum.octave}</display-octave></unpitched>"
        )
    return _pitch_xml(spell(note.pitch + place.shift, place.key))


def _pitch_xml(name: Spelling) -> str:
    alter = f"<alter>{name.alter}</alter>" if name.alter else ""
    return f"<pitch><step>{name.step}</step>{alter}<octave>{name.octave}</octave></pitch>"


def _instrument(note: StaffNote, place: NotePlace) -> str:
    return f'<instrument id="{place.part}-D{note.pitch}"/>' if place.is_drum else ""


def _notehead(note: StaffNote, place: NotePlace) -> str:
    head = drum_of(note.pitch).head if place.is_drum else ""
    return f"<notehead>{head}</notehead>" if head else ""


def mark_tuplets(line: Sequence[Written]) -> None:
    """Note where tuplets of a line begin and end."""
    for i, item in enumerate(line):
        region = item.value.region
        if region is None:
            continue
        first = i == 0 or line[i - 1].value.region != region
        last = i + 1 == len(line) or line[i + 1].value.region != region
        if first != last:
            item.tuplet = "start" if first else "stop"
