"""One part of a MusicXML document, read measure by measure: notes, and what stands between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from troubadour.core.errors import InputError
from troubadour.formats.musicxml.loudness import Loudness, Wedge, marked, percent
from troubadour.formats.musicxml.maps import (
    PartMaps,
    PartTransposition,
    WrittenKey,
    metre_of,
    number_in,
    signature_of,
    tempo_of,
    transposition_of,
)
from troubadour.formats.musicxml.marks import MarkReader
from troubadour.formats.musicxml.parts import PartHead, changed, drum_of, is_kit, program_of
from troubadour.music.theory.names import NATURALS

Element = Any
TICKS_PER_QUARTER: Final = 10080
_TYPES: Final = {
    "maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5,
    "16th": 0.25, "32nd": 0.125, "64th": 0.0625, "128th": 0.03125, "256th": 0.015625,
}  # fmt: skip
_NOT_DEFINED: Final = 100_000


@dataclass(slots=True)
class Note:
    """A note that sounds."""

    measure: int
    start: int
    """Ticks from the start of its measure."""
    length: int
    pitch: int
    """As it sounds; on a drum track the General MIDI drum."""
    velocity: int
    """0 where the dynamics of the part decide."""
    staff: int
    voice: str
    tie_stop: bool
    tie_start: bool
    is_drum: bool
    program: int
    row: list[int] | None = None
    """(onset, duration, pitch, velocity, track) in the score, shared by tied notes."""
    release: int = 0
    """Ticks by which it sounds longer than it is written."""


@dataclass(slots=True)
class PartReader:
    """What is known of a part while its measures are read."""

    head: PartHead
    remarks: Counter[str]
    """Shared by all parts."""
    notes: list[Note] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Ticks of each measure."""
    maps: PartMaps = field(default_factory=PartMaps)
    loudness: list[Loudness] = field(default_factory=list)
    wedges: list[Wedge] = field(default_factory=list)
    tablatures: set[int] = field(default_factory=set)
    """Staves with a tablature clef."""
    marks: MarkReader = field(default_factory=MarkReader)
    _divisions: float = 1.0
    _transpositions: dict[int, PartTransposition] = field(default_factory=dict)
    """By staff; 0 is every staff without its own."""
    _percussion: dict[int, bool] = field(default_factory=dict)
    """Staves with a percussion clef."""
    _written: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Written signature by staff, 0 as above."""
    _bar: float = 4.0 * TICKS_PER_QUARTER
    _kinds: dict[tuple[str, bool, bool], tuple[bool, int]] = field(default_factory=dict)
    _onset: float = 0.0
    """Of the chord that is being read."""
    _graces: int = 0
    """Grace notes that wait for their note."""

    def read(self, cell: Element, measure: int) -> None:
        """Read one measure.

        Raises:
            InputError: a value that MusicXML does not allow and that cannot be passed over.
        """
        position = longest = self._onset = 0.0
        for item in cell:
            tag = item.tag
            if tag == "note":
                position = self._note(item, measure, position)
            elif tag == "backup":
                position -= self._length(item)
                if position < 0:
                    if position < -1:
                        self.remarks["steps back beyond the start of a measure stopped there"] += 1
                    position = 0.0
            elif tag == "forward":
                position += self._length(item)
            elif tag == "attributes":
                self._attributes(item, measure, position)
            elif tag in ("direction", "sound"):
                self._direction(item, measure, position)
            elif tag == "harmony":
                fifths = self._transposition(1).key(0)
                self.marks.harmony(item, fifths, measure, self._offset(item, position))
            elif tag == "barline":
                self.marks.barline(item, measure)
            if position > longest:
                longest = position
        self.lengths.append(round(longest))

    def _length(self, item: Element) -> float:
        """Ticks of a note, `forward` or `backup`."""
        text = item.findtext("duration")
        if text is None:
            return self._length_of_type(item)
        value = number_in(text)
        if not 0 <= value <= 1e7:
            raise InputError(f"duration is {text}; allowed: 0 or more")
        return value * TICKS_PER_QUARTER / self._divisions

    @staticmethod
    def _length_of_type(item: Element) -> float:
        """Ticks of a note without a `duration`, by what is printed."""
        length = _TYPES.get((item.findtext("type") or "").strip(), 0.0) * TICKS_PER_QUARTER
        dots = len(item.findall("dot"))
        actual = number_in(item.findtext("time-modification/actual-notes"), 1.0)
        normal = number_in(item.findtext("time-modification/normal-notes"), 1.0)
        return length * (2 - 0.5 ** min(dots, 8)) * normal / max(actual, 1.0)

    # Notes ------------------------------------------------------------------------------------

    def _note(self, item: Element, measure: int, position: float) -> float:
        """Read a note and return the position after it."""
        fields = {child.tag: child for child in item}
        if "grace" in fields:
            self._grace(item, fields, measure, position)
            return position
        length = self._length(item)
        rest = fields.get("rest")
        if rest is not None and rest.get("measure") == "yes":
            length = min(length, self._bar)  # some programs write a whole note's length in every metre
        if "chord" in fields:
            start, after = self._onset, position
        else:
            self._onset = start = position
            after = position + length
        if "cue" in fields:
            self.remarks["grace or cue notes left out"] += 1
            return after
        self._graces = 0
        onset = round(start)
        stop = round(start + length)
        if "notations" in fields:
            self._notations(item, measure, start)
        if rest is not None or stop <= onset:
            if "notations" in fields:
                self.marks.note(item, None, measure, start)
            return after
        staff = round(number_in(fields["staff"].text, 1)) if "staff" in fields else 1
        pitch, is_drum, program = self._sound(fields, staff, measure)
        if pitch < 0:
            return after
        loud = item.get("dynamics")
        velocity = percent(number_in(loud)) if loud else 0
        kind = "tie" if "tie" in fields else "notations/tied"
        ties = {t.get("type") for t in item.findall(kind)} if kind == "tie" or "notations" in fields else ()
        voice = fields["voice"].text or "" if "voice" in fields else ""
        note = Note(
            measure, onset, stop - onset, pitch, velocity, staff, voice, "stop" in ties, "start" in ties,
            is_drum, program,
        )  # fmt: skip
        if item.get("release"):
            note.release = round(number_in(item.get("release")) * TICKS_PER_QUARTER / self._divisions)
        self.notes.append(note)
        if "notations" in fields or "lyric" in fields:
            self.marks.note(item, note, measure, start)
        doubled = self._transposition(staff).doubled if self._transpositions else 0
        if doubled and not is_drum and 0 <= pitch + doubled <= 127:
            self.remarks["notes doubled at the octave, as the part's transposition says"] += 1
            self.notes.append(
                Note(
                    measure, onset, stop - onset, pitch + doubled, velocity, staff, voice, note.tie_stop,
                    note.tie_start, False, program,
                )
            )  # fmt: skip
        return after

    def _grace(self, item: Element, fields: dict[str, Element], measure: int, position: float) -> None:
        """Count a grace note and keep it as a mark."""
        self.remarks["grace or cue notes left out"] += 1
        staff = round(number_in(fields["staff"].text, 1)) if "staff" in fields else 1
        if "pitch" in fields and "cue" not in fields:
            pitch = self._sound(fields, staff, measure)[0]
            self._graces += 1
            self.marks.grace(item, pitch, self._graces, measure, position, staff)

    def _sound(self, fields: dict[str, Element], staff: int, measure: int) -> tuple[int, bool, int]:
        """(pitch or -1, whether it is a drum, program) of a note."""
        named = fields["instrument"].get("id", "") if "instrument" in fields else ""
        pitched = fields.get("pitch")
        place = fields.get("unpitched") if pitched is None else pitched
        if place is None:
            return -1, False, 0
        clef = self._percussion.get(staff, False)
        known = self._kinds.get((named, clef, pitched is not None))
        if known is None:
            instrument = self.head.instrument(named)
            kit = pitched is None or is_kit(self.head, instrument, clef)
            known = kit, 0 if kit else program_of(self.head, instrument)
            self._kinds[named, clef, pitched is not None] = known
        is_drum, program = known
        if pitched is not None:
            step, octave, pitch = _pitch(pitched, self.remarks)
            if not is_drum:
                if self._transpositions:
                    pitch += self._transposition(staff).semitones
                self.maps.pitched = True
        else:
            step = (place.findtext("display-step") or "C").strip()
            octave, pitch = round(number_in(place.findtext("display-octave"), 5)), None
        if is_drum:
            head = fields["notehead"].text or "normal" if "notehead" in fields else "normal"
            instrument = self.head.instrument(named)
            pitch = drum_of(self.head, instrument, (step, octave), head.strip(), pitch)
        if pitch is None or not 0 <= pitch <= 127:
            raise InputError(f"pitch {pitch} in measure {measure + 1}; allowed: 0 to 127")
        return pitch, is_drum, program

    def _notations(self, item: Element, measure: int, position: float) -> None:
        for notations in item.findall("notations"):
            for child in notations:
                if child.tag == "dynamics":
                    marks = [mark.tag for mark in child]
                    self.loudness += marked(marks, None, measure, position)
                elif child.tag == "ornaments" and len(child):
                    self.remarks["ornaments and tremolos not played out"] += 1

    # Attributes -------------------------------------------------------------------------------

    def _transposition(self, staff: int) -> PartTransposition:
        found = self._transpositions
        return found.get(staff) or found.get(0) or PartTransposition() if found else PartTransposition()

    def _attributes(self, item: Element, measure: int, position: float) -> None:
        divisions = item.findtext("divisions")
        if divisions is not None:
            value = number_in(divisions)
            if not 1e-6 <= value <= 1_000_000:
                raise InputError(f"divisions is {divisions.strip()[:40]}; allowed: above 0, up to 1000000")
            self._divisions = value
        for clef in item.findall("clef"):
            staff, sign = _staff(clef) or 1, (clef.findtext("sign") or "").strip()
            self._percussion[staff] = sign == "percussion"
            if sign == "TAB":
                self.tablatures.add(staff)
            self.marks.clef(clef, staff, measure, position)
        transposed = item.findall("transpose")
        for transpose in transposed:
            if not _staff(transpose):
                self._transpositions.clear()
            self._transpositions[_staff(transpose)] = found = transposition_of(transpose)
            steps = round(number_in(transpose.findtext("diatonic")))
            self.marks.transposition(found.semitones, steps, measure, position)
        keys = item.findall("key")
        for key in keys:
            signature = signature_of(key, self.remarks)
            if signature is not None:
                if not _staff(key):
                    self._written.clear()
                self._written[_staff(key)] = signature
        if (keys or transposed) and self._written:
            self._key(measure, position)
        for time in item.findall("time")[:1]:
            metre = metre_of(time, self.remarks)
            self.maps.metres.append((measure, metre))
            if metre is not None:
                self._bar = float(metre.bar_ticks(TICKS_PER_QUARTER))

    def _key(self, measure: int, position: float) -> None:
        """Take down the signature of the upper staff that has one, as it sounds."""
        staff = min(self._written)
        fifths, mode = self._written[staff]
        transposition = self._transposition(staff or 1)
        self.maps.transposing |= transposition.semitones % 12 != 0
        sounding = WrittenKey(measure, position, transposition.key(fifths), mode)
        keys = self.maps.keys
        if keys and (keys[-1].measure, keys[-1].position) == (measure, position):
            keys.pop()
        if not keys or (keys[-1].fifths, keys[-1].mode) != (sounding.fifths, sounding.mode):
            keys.append(sounding)

    def _offset(self, item: Element, position: float) -> float:
        """The position that an `offset` child moves."""
        offset = item.findtext("offset")
        if not offset:
            return position
        return max(0.0, position + number_in(offset) * TICKS_PER_QUARTER / self._divisions)

    # Directions -------------------------------------------------------------------------------

    def _direction(self, item: Element, measure: int, position: float) -> None:
        sound = item if item.tag == "sound" else item.find("sound")
        position = self._offset(item, position)
        current = self.maps.tempos[-1][2] if self.maps.tempos else 100.0
        tempo = tempo_of(item, sound, current)
        if tempo is not None:
            self.maps.tempos.append((measure, position, tempo))
        told = sound.get("dynamics") if sound is not None else None
        velocity = percent(number_in(told)) if told else None
        marks = [mark.tag for block in item.findall("direction-type/dynamics") for mark in block]
        if marks or velocity is not None:
            self.loudness += marked(marks, velocity, measure, position)
        self.marks.direction(item, sound, tempo is not None, velocity, measure, position)
        for wedge in item.findall("direction-type/wedge"):
            self.wedges.append(Wedge(measure, position, wedge.get("type", ""), wedge.get("number", "1")))
        if sound is not None and len(sound):
            for change in (*sound.findall("instrument-change"), *sound.findall("midi-instrument")):
                name = change.get("id", "")
                self.head.instruments[name] = changed(self.head.instrument(name), change)
                self._kinds.clear()


def _staff(item: Element) -> int:
    return round(number_in(item.get("number")))


def _pitch(element: Element, remarks: Counter[str]) -> tuple[str, int, int]:
    """(letter, octave, MIDI pitch as written)."""
    step, octave, pitch, exact = _pitch_of(
        element.findtext("step"), element.findtext("alter"), element.findtext("octave")
    )
    if not exact:
        remarks["microtones rounded to semitones"] += 1
    return step, octave, pitch


@lru_cache(maxsize=1024)
def _pitch_of(letter: str | None, alteration: str | None, height: str | None) -> tuple[str, int, int, bool]:
    """(letter, octave, MIDI pitch, whether it is a whole number of semitones)."""
    step = (letter or "").strip()
    if step not in NATURALS:
        raise InputError(f"step is '{step[:20]}'; allowed: A to G")
    alter, octave = number_in(alteration), number_in(height, 4)
    if not -2 <= octave <= 12:
        raise InputError(f"octave is {octave:g}; allowed: 0 to 9")
    pitch = round(12 * (octave + 1)) + NATURALS[step] + round(alter)
    return step, round(octave), pitch, alter.is_integer()


__all__ = ["TICKS_PER_QUARTER", "Note", "PartReader"]
