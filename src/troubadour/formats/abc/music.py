"""Read the music code of an ABC tune into voices (standard 2.1, sections 4 and 7)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.abc.bars import TICKS_PER_QUARTER, Part
from troubadour.formats.abc.book import DIRECTIVE, MUSIC, Line
from troubadour.formats.abc.fields import parse_key, parse_length, parse_metre, parse_properties, parse_tempo
from troubadour.formats.abc.signs import DECORATIONS, SHORTHAND, Sign, decoration, quoted, user_symbol
from troubadour.formats.abc.tokens import READ, TOKEN
from troubadour.formats.abc.voice import PROPAGATE, Voice
from troubadour.music.marks import MarkKind
from troubadour.music.score import Metre

WHOLE: Final = 4 * TICKS_PER_QUARTER
MAX_VOICES: Final = 32
MAX_TOTAL_NOTES: Final = 100_000
_REMARKS: Final = 20

_PLUS: Final = re.compile(r"\+([^+\s|\[\]:]{1,30})\+")
_MARKS_OF_LETTERS: Final = {letter: DECORATIONS[name] for letter, name in SHORTHAND.items()}
_TEMPO_TEXT: Final = re.compile(r'"([^"]*)"')
_OLD_CHORD: Final = re.compile(r"(?:[\^_=]*[A-Ga-g][,']*\d*/*\d*){2,}")


@dataclass(slots=True)
class Reading:
    """A tune's voices, and what holds for all of them, while the body is read."""

    start: Voice
    """Settings with which voices begin."""
    voices: dict[str, Voice] = field(default_factory=dict)
    current: Voice | None = None
    linebreak: str = ""
    """Characters that break lines of the score."""
    plus: bool = False
    """Whether `+` encloses decorations, whatever stands between."""
    letters: dict[str, Sign | None] = field(default_factory=lambda: dict(_MARKS_OF_LETTERS))
    """Marks of the letters that U: fields define."""
    sings: bool = False
    """Whether the tune has w: lines."""
    remarks: Counter[str] = field(default_factory=Counter)
    tempo: float | None = None
    """Of a Q: field in the body before any music."""

    def remark(self, sentence: str) -> None:
        """Note what was passed over or repaired."""
        if sentence in self.remarks or len(self.remarks) < _REMARKS:
            self.remarks[sentence] += 1

    def voice(self) -> Voice:
        """The voice that music goes to."""
        if self.current is None:
            # Music before any V: in the body belongs to the first voice.
            self.current = next(iter(self.voices.values()), None) or self.open_voice("")
        return self.current

    def open_voice(self, text: str) -> Voice:
        """The voice that a V: field names, with its properties.

        Raises:
            InputError: too many voices.
        """
        name = text.split(None, 1)[0][:40] if text.strip() else ""
        if name == "1" and name not in self.voices and "" in self.voices:
            self.voices = {(name if k == "" else k): v for k, v in self.voices.items()}
            self.voices[name].name = name
        if name not in self.voices:
            if len(self.voices) >= MAX_VOICES:
                raise InputError(f"more than {MAX_VOICES} voices; split the tune")
            s = self.start
            voice = Voice(
                name, s.metre, s.key, s.altered, s.unit, s.free, s.propagate, "", s.program, s.is_drum
            )
            voice.clef_octave, voice.octave, voice.transpose = s.clef_octave, s.octave, s.transpose
            voice.midi_transpose, voice.shift = s.midi_transpose, s.shift
            voice.marks.sings = self.sings
            self.voices[name] = voice
        if len(text) > len(name):
            self.voices[name].set_properties(parse_properties(text[len(name) :]))
        return self.voices[name]

    def targets(self) -> list[Voice]:
        """Voices that a field in the body holds for: the current one; before any, all of them."""
        return [self.start, *self.voices.values()] if self.current is None else [self.current]

    def field(self, kind: str, text: str) -> None:
        """Apply a field of the body, on a line of its own or inline."""
        if kind == "V":
            self.current = self.open_voice(text)
        elif kind == "K":
            found = parse_key(text)
            if not found.understood:
                self.remark(f"key 'K:{text[:40]}' cannot be read; taken as C major")
            properties = parse_properties(text)
            for voice in self.targets():
                voice.set_properties(properties)
                if found.given:
                    voice.set_key(found.key, found.altered)
        elif kind == "M":
            metre, free = self.metre(text)
            for voice in self.targets():
                voice.metre, voice.free = metre, free
        elif kind == "L":
            unit = parse_length(text)
            if unit is None:
                self.remark(f"unit length 'L:{text[:40]}' cannot be read; left out")
            for voice in self.targets():
                voice.unit = max(1, round(unit * WHOLE)) if unit else voice.unit
        elif kind == "Q":
            self._tempo(text)
        elif kind in ("I", DIRECTIVE):
            self.directive(text)
        elif kind == "w":
            self.voice().marks.words(text)
        elif kind == "U":
            if defined := user_symbol(text):
                self.letters[defined[0]] = defined[1]
        elif kind == "P":
            self.voice().marks.sign(Sign(MarkKind.REHEARSAL, text[:40]))
        elif kind == "m":
            self.remark("macros (m:) are not expanded")

    def metre(self, text: str) -> tuple[Metre, bool]:
        """A metre, and whether the music is in free metre; one that cannot be read counts as free."""
        free = not text or text.strip().lower() == "none"
        try:
            return parse_metre(text), free
        except InputError as error:
            self.remark(f"{error}; read without metre")
            return Metre(0, 4, 4), True

    def _tempo(self, text: str) -> None:
        at = self.current or self.start
        if found := _TEMPO_TEXT.search(text):
            self.voice().marks.sign(Sign(MarkKind.TEMPO_TEXT, found[1][:80]))
        bpm = parse_tempo(text, at.metre, Fraction(at.unit, WHOLE))
        if bpm is None:
            if any(c.isdigit() for c in text):
                self.remark(f"tempo 'Q:{text[:40]}' cannot be read or is out of 1 to 2000; left out")
        elif self.current is None:
            self.tempo = bpm
        else:
            self.current.set_tempo(bpm)

    def directive(self, text: str) -> None:
        """Apply a `%%` line or an I: field that touches the notes."""
        words = text.split()
        name = words[0].lower() if words else ""
        if name == "propagate-accidentals" and len(words) > 1 and words[1] in PROPAGATE:
            for voice in [self.start, *self.voices.values()]:
                voice.propagate = words[1]
        elif name == "linebreak":
            self.linebreak = "".join(w for w in words[1:] if len(w) == 1)
        elif name == "decoration" and len(words) > 1:
            self.plus = words[1] == "+"
        elif name == "midi":
            self._midi([w.lower() for w in words[1:]])
        elif name in ("abc-include", "include"):
            self.remark("included files (abc-include) are not opened")
        elif name in ("percmap", "map", "voicemap"):
            self.remark(f"note maps ({name}) are passed over")

    def _midi(self, words: list[str]) -> None:
        command, numbers = (
            (words[0] if words else ""),
            [int(w) for w in words[1:] if re.fullmatch(r"-?\d{1,3}", w)],
        )
        targets = self.targets()
        if command == "nobarlines":  # early music without barlines: an accidental holds for its note alone
            for voice in targets:
                voice.propagate = "not"
        if not numbers:
            return
        if command == "program" and 0 <= numbers[-1] <= 127:
            for voice in targets:
                voice.program = numbers[-1]
        elif command == "channel":
            for voice in targets:
                voice.is_drum = numbers[0] == 10
        elif command == "transpose":
            for voice in targets:
                voice.midi_transpose = numbers[0]
                voice.shift = 12 * (voice.clef_octave + voice.octave) + voice.transpose + numbers[0]

    def music(self, line: str) -> None:
        """Read a line of music code."""
        if self.linebreak:
            for sign in self.linebreak:
                if sign in "!$*":
                    line = line.replace(sign, " ")
        if "+" in line:
            line = _PLUS.sub(self._plus, line)
        for found in TOKEN.finditer(line):
            kind = found.lastgroup
            if kind == "inline":
                inline = found["inline"]
                self.field(inline[1], inline[3:-1].strip())
            elif kind == "text":
                if found["quote"]:
                    (self.current or self.voice()).marks.sign(quoted(found["text"][1:-1]))
                else:
                    self.remark("a quotation mark that nothing closes; the rest of its line is left out")
            elif kind == "sign":
                (self.current or self.voice()).marks.sign(self.letters.get(found["sign"]))
            elif kind == "decoration":
                (self.current or self.voice()).marks.sign(decoration(found["decoration"][1:-1]))
            elif kind is not None:
                READ[kind](self.current or self.voice(), found)

    def _plus(self, found: re.Match[str]) -> str:
        if not self.plus and decoration(found[1]) is None and _OLD_CHORD.fullmatch(found[1]):
            return f"[{found[1]}]"
        return f"!{found[1]}!"

    def finish(self) -> dict[str, Part]:
        """All voices that have notes."""
        parts = {}
        for voice in self.voices.values():
            part = voice.finish()
            if any(e.pitches for b in part.bars for e in b.events):
                parts[voice.name] = part
        for count, sentence in (
            (sum(v.graces for v in self.voices.values()), "grace notes left out"),
            (sum(v.microtones for v in self.voices.values()), "quarter tones brought to the semitone below"),
            (
                sum(v.open_chords for v in self.voices.values()),
                "chords without an end read as notes in a row",
            ),
        ):
            if count:
                self.remarks[f"{count} {sentence}"] += 1
        return parts


def read_lines(reading: Reading, lines: Sequence[Line]) -> None:
    """Read the lines of a tune's body.

    Raises:
        InputError: a note, length or tuplet is impossible, or a limit is passed.
    """
    for kind, text in lines:
        if kind == MUSIC:
            reading.music(text)
            if sum(v.notes for v in reading.voices.values()) > MAX_TOTAL_NOTES:
                raise InputError(f"more than {MAX_TOTAL_NOTES} notes; split the tune")
        else:
            reading.field(kind, text)
