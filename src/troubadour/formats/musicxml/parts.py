"""Parts as the part list declares them: names, instruments and the drums or programs they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from troubadour.music.drum_names import drum_at, drum_of_name, names_percussion
from troubadour.music.instrument_names import program_of_name, program_of_sound

Element = Any
_DRUM_CHANNEL: Final = 10
_STRICTLY_PERCUSSION: Final = re.compile(
    r"\bdrums?\b|drum ?(set|kit)|cymbal|percussion|schlagzeug", re.IGNORECASE
)
# Names that programs give without being asked.
_NO_NAME: Final = re.compile(r"(musicxml )?part( ?p?\d+)?|instrument ?\d*|staff ?\d*|", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One `score-instrument` with its `midi-instrument`."""

    name: str = ""
    sound: str = ""
    """An id of MusicXML's list of standard sounds."""
    channel: int = 0
    program: int | None = None
    """As written, 0 to 127."""
    unpitched: int | None = None
    """MIDI key of the drum, 0 to 127."""


@dataclass(slots=True)
class PartHead:
    """One `score-part`."""

    name: str = ""
    abbreviation: str = ""
    instruments: dict[str, Instrument] = field(default_factory=dict)
    """By id, in the order of the file."""

    def instrument(self, name: str) -> Instrument:
        """The instrument of an id; the first one where the id is empty or unknown."""
        return self.instruments.get(name) or next(iter(self.instruments.values()), Instrument())


def heads_of(root: Element) -> dict[str, PartHead]:
    """Every `score-part` of a document by its id."""
    return {item.get("id", ""): _head(item) for item in root.iter("score-part")}


def program_of(head: PartHead, instrument: Instrument) -> int:
    """The General MIDI program of an instrument.

    Many programs write 1 (piano) for every instrument, so a name or sound that means another one
    counts for more than that.
    """
    if instrument.program:
        return instrument.program
    told = [program_of_sound(instrument.sound) if instrument.sound else None]
    told += [program_of_name(n) for n in (instrument.name, head.name, head.abbreviation)]
    return next((program for program in told if program), 0)


def is_kit(head: PartHead, instrument: Instrument, percussion_clef: bool) -> bool:
    """Whether pitches of an instrument stand for drums.

    The channel alone decides nothing: programs that number channels by part give 10 to a violin.
    """
    names = (instrument.name, head.name, head.abbreviation)
    sounds = program_of_sound(instrument.sound) if instrument.sound else None
    melodic = sounds is not None or any(
        program_of_name(n) is not None and not names_percussion(n) for n in names if n
    )
    if melodic:
        return False
    if percussion_clef or instrument.channel == _DRUM_CHANNEL or instrument.unpitched is not None:
        return True
    return not instrument.program and any(_STRICTLY_PERCUSSION.search(n) for n in names)


def drum_of(
    head: PartHead,
    instrument: Instrument,
    place: tuple[str, int] | None,
    notehead: str,
    key: int | None = None,
) -> int:
    """The General MIDI drum of a note.

    Args:
        head: its part.
        instrument: its instrument.
        place: letter and octave of its place on the staff.
        notehead: value of `notehead`.
        key: MIDI pitch where the note has one.
    """
    if instrument.unpitched is not None:
        return instrument.unpitched
    # A pitch below the staff is a key of the drum channel, not a place.
    if key is not None and 27 <= key < 60:
        return key
    for name in (instrument.sound, instrument.name, head.name, head.abbreviation):
        drum = drum_of_name(name) if name else None
        if drum is not None:
            return drum
    return drum_at(*(place or ("C", 5)), notehead)


def label(head: PartHead) -> str:
    """The name of a part as people know it; its instrument's where it has none."""
    first = next(iter(head.instruments.values()), Instrument())
    for name in (head.name, first.name):
        if not _NO_NAME.fullmatch(name):
            return name
    return head.name


def changed(instrument: Instrument, item: Element) -> Instrument:
    """An instrument after a `midi-instrument` or `instrument-change` in the music."""
    sound = text(item, "instrument-sound")
    program = _one_based(text(item, "midi-program"))
    if sound and program is None:
        program = program_of_sound(sound)
    return Instrument(
        instrument.name,
        sound or instrument.sound,
        _integer(text(item, "midi-channel")) or instrument.channel,
        instrument.program if program is None else program,
        _one_based(text(item, "midi-unpitched")) if text(item, "midi-unpitched") else instrument.unpitched,
    )


def text(element: Element, path: str) -> str:
    """Text of a descendant with single spaces; empty where there is none."""
    return " ".join((element.findtext(path) or "").split())


def staves_of_tracks(root: Element) -> dict[tuple[str, int], tuple[int, int]]:
    """Place in the order of tracks, and first staff, by part and staff, where the file tells them.

    The writer says `P1.1+P1.2 P2.1` in a field of its own where a track has two staves, or where the
    staves of a part are not in the order of the tracks.
    """
    fields = root.findall("identification/miscellaneous/miscellaneous-field")
    told = next((f.text or "" for f in fields if f.get("name") == "tracks"), "")
    out: dict[tuple[str, int], tuple[int, int]] = {}
    for order, word in enumerate(told.split()[:1000]):
        staves = re.findall(r"([^+.]+)\.(\d)", word)
        for part, staff in staves:
            out[part, int(staff)] = (order, int(staves[0][1]))
    return out


def _head(item: Element) -> PartHead:
    found: dict[str, Instrument] = {}
    midi = {m.get("id", ""): m for m in item.findall("midi-instrument")}
    for one in item.findall("score-instrument"):
        name = one.get("id", "")
        plain = Instrument(text(one, "instrument-name"), text(one, "instrument-sound"))
        found[name] = changed(plain, midi[name]) if name in midi else plain
    for name, one in midi.items():
        found.setdefault(name, changed(Instrument(), one))
    shown = " ".join(t.text or "" for t in item.findall("part-name-display/display-text"))
    return PartHead(
        text(item, "part-name") or " ".join(shown.split()), text(item, "part-abbreviation"), found
    )


def _one_based(value: str) -> int | None:
    number = _integer(value)
    return None if number is None else min(127, max(0, number - 1))


def _integer(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[+-]?\d{1,6}", value) else None


__all__ = [
    "Element",
    "Instrument",
    "PartHead",
    "changed",
    "drum_of",
    "heads_of",
    "is_kit",
    "label",
    "program_of",
    "staves_of_tracks",
    "text",
]
