"""State of one voice of an ABC tune while its music is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.abc.bars import (
    GOES_ON,
    MAX_QUARTERS,
    PROGRAM,
    TICKS_PER_QUARTER,
    AbcBar,
    AbcEvent,
    Change,
    Ending,
    Part,
)
from troubadour.formats.abc.fields import Properties, sounding
from troubadour.formats.abc.marks import VoiceMarks
from troubadour.music.score import Key, Metre, Tempo, Track
from troubadour.music.theory.names import NATURALS

MAX_NOTES: Final = 20_000
MAX_BARS: Final = 5_000
MAX_LAYERS: Final = 16
MAX_CHORD: Final = 64
_ACCIDENTALS: Final = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_IN_TIME: Final = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
PROPAGATE: Final = ("pitch", "octave", "not")


@dataclass(slots=True)
class _Tuplet:
    in_time: int
    notes: int
    left: int
    explicit: bool
    """Whether the number of notes is written: such a tuplet may go on after a barline."""
    carry: int = 0
    """Remainder of the division, so that a whole tuplet has its exact length."""


@dataclass(slots=True)
class _Chord:
    pitches: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    ties: set[int] = field(default_factory=set)
    unit: int = 0
    """Length of the first note or rest."""


@dataclass(slots=True)
class Voice:
    """A voice while it is read; lengths in ticks."""

    name: str
    metre: Metre
    key: Key
    altered: dict[str, int]
    unit: int
    free: bool = False
    propagate: str = "pitch"
    label: str = ""
    program: int = PROGRAM
    is_drum: bool = False
    clef_octave: int = 0
    octave: int = 0
    transpose: int = 0
    midi_transpose: int = 0
    shift: int = 0
    """Semitones from written to sounding pitch."""
    bars: list[AbcBar] = field(default_factory=list)
    events: list[AbcEvent] = field(default_factory=list)
    time: int = 0
    length: int = 0
    """Of the open bar, where an overlay goes back to its start."""
    last: AbcEvent | None = None
    changes: list[Change] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    ending: tuple[int, int] | None = None
    accidentals: dict[str, int] = field(default_factory=dict)
    written: list[tuple[str, int]] = field(default_factory=list)
    """Names (with octave) and alterations of the last event's notes."""
    held: dict[str, int] = field(default_factory=dict)
    """The same of notes that a tie holds on."""
    holds: dict[int, dict[str, int]] = field(default_factory=dict)
    """`held` of the other layers."""
    tuplet: _Tuplet | None = None
    broken: tuple[int, int] | None = None
    chord: _Chord | None = None
    in_grace: bool = False
    graces: int = 0
    grace_run: int = 0
    """Grace notes since the brace."""
    slashed: bool = False
    """Whether the grace notes are acciaccaturas (`{/`)."""
    microtones: int = 0
    open_chords: int = 0
    notes: int = 0
    total: int = 0
    """Ticks of all closed bars."""
    bar_key: Key | None = None
    layer: int = 0
    back: int = 0
    """Bars that an overlay still has to write before it reaches the open bar."""
    from_closed: bool = False
    """Whether the overlay began after a barline."""
    marks: VoiceMarks = field(default_factory=VoiceMarks)
    opens_repeat: bool = False

    def set_properties(self, properties: Properties) -> None:
        """Take over what a V: or K: field names."""
        clef_octave, octave, transpose, name, is_drum = properties
        self.clef_octave = self.clef_octave if clef_octave is None else clef_octave
        self.octave = self.octave if octave is None else octave
        self.transpose = self.transpose if transpose is None else transpose
        self.label = self.label if name is None else name
        self.is_drum = self.is_drum if is_drum is None else is_drum
        self.shift = 12 * (self.clef_octave + self.octave) + self.transpose + self.midi_transpose

    def set_key(self, key: Key, altered: dict[str, int]) -> None:
        """Change the key from here on."""
        if self.events or self.time:
            self.bar_key = self.bar_key or self.key
            self.changes.append(Change(len(self.bars), self.time, sounding(key, self.transpose)))
        self.key, self.altered = key, altered

    def set_tempo(self, bpm: float) -> None:
        """Change the tempo from here on."""
        self.changes.append(Change(len(self.bars), self.time, Tempo(0, bpm)))

    def pitch_of(self, accidental: str | None, note: str, marks: str) -> int:
        """Sounding pitch of a written note.

        Raises:
            InputError: it is out of MIDI's range.
        """
        name = note.upper()
        octave = 4 + (name != note)
        if marks:
            octave += marks.count("'") - marks.count(",")
        place = f"{name}{octave}"
        scope = name if self.propagate == "pitch" else place
        if accidental:
            alter = _ACCIDENTALS.get(accidental)
            if alter is None:  # `^/`, `_3/2`: the semitone towards the natural
                alter = self._microtone(accidental)
            if self.propagate != "not":
                self.accidentals[scope] = alter
        elif place in self.held:
            alter = self.held[place]
        else:
            alter = self.accidentals.get(scope, self.altered.get(name, 0))
        pitch = 12 * (octave + 1) + NATURALS[name] + alter + self.shift
        if not 0 <= pitch <= 127:
            raise InputError(
                f"note '{accidental or ''}{note}{marks[:20]}' sounds as MIDI pitch {pitch}; allowed: 0 to 127 "
                "(change its octave marks, or octave= and transpose= of the voice)"
            )
        self.written.append((place, alter))
        return pitch

    def _microtone(self, accidental: str) -> int:
        self.microtones += 1
        above, _, below = accidental[1:].partition("/")
        size = int(above or 1) // max(1, int(below or 2))
        return min(size, 2) * (1 if accidental[0] == "^" else -1)

    def place(
        self,
        pitches: list[int],
        length: int,
        lengths: list[int] | None = None,
        ties: set[int] | None = None,
    ) -> None:
        """Put notes or a rest at the current time."""
        tuplet = self.tuplet
        event = AbcEvent(self.time, length, pitches, lengths, False, ties, self.layer)
        if tuplet is not None:
            event.length, tuplet.carry = divmod(length * tuplet.in_time + tuplet.carry, tuplet.notes)
            if lengths is not None:
                event.lengths = [n * tuplet.in_time // tuplet.notes for n in lengths]
            tuplet.left -= 1
            if not tuplet.left:
                self.tuplet = None
        if self.broken is not None:
            event.scale(*self.broken)
            self.broken = None
        self.notes += max(1, len(pitches))
        if self.notes > MAX_NOTES:
            raise InputError(f"more than {MAX_NOTES} notes in a voice; split the tune")
        (self.bars[-self.back].events if self.back else self.events).append(event)
        self.marks.event(len(self.bars) - self.back, event, not self.layer)
        self.last = event
        self.time += event.length

    def tie(self) -> None:
        """Tie the last notes, or the last note of an open chord."""
        if self.chord is not None:
            if self.chord.pitches:
                self.chord.ties.add(self.chord.pitches[-1])
                self.held_later(self.written[-1:])
        elif self.last is not None:
            self.last.tied = True
            self.held_later(self.written)

    def held_later(self, written: list[tuple[str, int]]) -> None:
        """Keep alterations for the next note, over a barline too."""
        self.held = {**self.held, **dict(written)} if self.chord is not None else dict(written)

    def start_tuplet(self, text: str, notes: str, in_time: str | None, count: str | None) -> None:
        """`(p:q:r`.

        Raises:
            InputError: a zero in it.
        """
        n = int(notes)
        default = _IN_TIME.get(n, 3 if self.metre.compound else 2) if n < 10 else 2 ** (n.bit_length() - 1)
        time, left = int(in_time or default), int(count or n)
        if not n or not time or not left:
            raise InputError(f"tuplet '{text}' has a zero; a tuplet looks like (3 or (3:2:3")
        self.tuplet = _Tuplet(time, n, left, bool(count))

    def dot(self, signs: str) -> None:
        """`a>b`: the first longer, the second shorter; `<` the other way round."""
        last = self.last
        if last is None or self.chord is not None:
            return
        parts = 2 ** min(len(signs), 4)
        mine, theirs = (2 * parts - 1, 1) if signs[0] == ">" else (1, 2 * parts - 1)
        before = last.length
        last.scale(mine, parts)
        self.time += last.length - before
        self.broken = (theirs, parts)

    def open_chord(self) -> None:
        """Begin a chord."""
        self.close_chord_unfinished()
        self.chord = _Chord()
        self.written = []

    def close_chord(self, numerator: int, denominator: int) -> None:
        """End a chord; its notes' lengths are multiplied."""
        chord, self.chord = self.chord, None
        if chord is None or not chord.unit:
            return
        if len(chord.pitches) > MAX_CHORD:
            raise InputError(f"chord of {len(chord.pitches)} notes; allowed: {MAX_CHORD}")
        length = max(1, chord.unit * numerator // denominator)
        by_pitch: dict[int, int] = {}
        for pitch, own in zip(chord.pitches, chord.lengths, strict=True):
            by_pitch[pitch] = max(by_pitch.get(pitch, 1), own * numerator // denominator)
        pitches = sorted(by_pitch)
        lengths = [by_pitch[p] for p in pitches]
        same = all(n == length for n in lengths)
        held = self.held if chord.ties else {}
        self.place(pitches, length, None if same else lengths, chord.ties or None)
        self.held = {place: alter for place, alter in self.written if place in held} if held else {}

    def close_chord_unfinished(self) -> None:
        """A bracket that nothing closes is no chord: its notes follow one another."""
        chord, self.chord = self.chord, None
        if chord is not None and chord.pitches:
            self.open_chords += 1
            for pitch, length in zip(chord.pitches, chord.lengths, strict=True):
                self.place([pitch], length)

    def rest_bars(self, count: int) -> None:
        """Whole bars of rest.

        Raises:
            InputError: the voice gets too long.
        """
        bar = self.metre.bar_ticks(TICKS_PER_QUARTER)
        if count > MAX_BARS or self.total + count * bar > MAX_QUARTERS * TICKS_PER_QUARTER:
            raise InputError(
                f"{count} bars of rest make the tune longer than {MAX_QUARTERS} quarter notes or {MAX_BARS} bars; "
                "shorten the rest"
            )
        for i in range(count):
            self.time += bar
            if i < count - 1:
                self.close("|")

    def overlay(self, count: int) -> None:
        """Go back `count` bars (`&`, `&&`) and write another layer."""
        self.close_chord_unfinished()
        self.holds[self.layer] = self.held
        self.layer += 1
        if self.layer >= MAX_LAYERS:
            raise InputError(f"more than {MAX_LAYERS} overlays (&) in a bar; write them as voices (V:)")
        if not self.back:
            self.from_closed = not (self.events or self.time)
            self.length = max(self.length, self.time)
        self.back = min(count if self.from_closed else count - 1, len(self.bars))
        self.time = 0
        self.held = self.holds.pop(self.layer, {})
        self.accidentals, self.tuplet, self.broken, self.last = {}, None, None, None

    def close(self, line: str) -> None:
        """End the open bar.

        Raises:
            InputError: the voice gets too long.
        """
        if self.chord is not None:
            self.close_chord_unfinished()
        self.accidentals = {}
        self.in_grace = False
        self.broken = None
        if self.tuplet is not None and not self.tuplet.explicit:
            self.tuplet = None
        if self.back:
            self.back -= 1
            self.time = 0
            if not self.back and self.from_closed:
                self._main_layer()
                self.from_closed = False
            return
        if self.marks.waiting:
            self.marks.bar(len(self.bars), self.events)
        if self.events or self.time or self.length:
            length = self.length or self.time
            self.bars.append(
                AbcBar(
                    self.events,
                    length,
                    self.metre,
                    sounding(self.bar_key or self.key, self.transpose),
                    line,
                    self.free,
                )
            )
            self.total += length
            if self.total > MAX_QUARTERS * TICKS_PER_QUARTER or len(self.bars) > MAX_BARS:
                raise InputError(
                    f"longer than {MAX_QUARTERS} quarter notes or {MAX_BARS} bars; split the tune"
                )
            self.events, self.time, self.length, self.bar_key = [], 0, 0, None
            self._main_layer()
        elif not self.bars:
            self.opens_repeat = self.opens_repeat or line.endswith(":")
        elif ":" in line and ":" not in self.bars[-1].line:
            self.bars[-1].line += line
        # A repeat sign, or the end of a section, ends an ending; a double bar the last one.
        if self.ending is not None and (
            ":" in line or line.endswith("]") or (line == "||" and self.ending[0] > 1)
        ):
            self._end_ending()

    def _main_layer(self) -> None:
        if self.layer:
            self.holds[self.layer] = self.held
            self.layer = 0
            self.held = self.holds.pop(0, {})

    def start_ending(self, number: int) -> None:
        """A variant ending begins at the open bar."""
        if self.events or self.time:
            self.close(GOES_ON)
        self._end_ending()
        self.ending = (number, len(self.bars))

    def _end_ending(self) -> None:
        if self.ending is not None and len(self.bars) > self.ending[1]:
            self.endings.append(Ending(*self.ending, len(self.bars)))
        self.ending = None

    def finish(self) -> Part:
        """The voice as a part."""
        if self.events or self.time or self.chord is not None:
            self.close("")
        self._end_ending()
        track = Track(0 if self.is_drum else self.program, self.is_drum, self.label or self.name)
        return Part(track, self.bars, self.changes, self.endings, self.marks, self.opens_repeat)
