"""Read ABC notation (standard 2.1): books of tunes, one or several voices each.

A tune is read as it is written, once through: repeat signs are not expanded, and of first and
second endings only the last is kept, so that who learns from it sees the form and not copies.
Grace notes, decorations, slurs and chord symbols are passed over.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.abc.bars import TICKS_PER_QUARTER, AbcEvent, Bar, assemble
from troubadour.formats.abc.fields import (
    clean_title,
    default_length,
    parse_key,
    parse_length,
    parse_metre,
    parse_tempo,
)
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.score import Key, Metre
from troubadour.music.styles import OTHERWISE_TEMPO, USUAL_TEMPO, style_of

_WHOLE: Final = 4 * TICKS_PER_QUARTER
MAX_BYTES: Final = 20_000_000
MAX_TUNE_CHARACTERS: Final = 200_000
MAX_NOTES: Final = 20_000
MAX_VOICES: Final = 32

# Every repetition that has to find its end is bounded: on hostile text the cost stays linear.
_TOKEN: Final = re.compile(
    r"""(?P<inline>\[[A-Za-z]:[^\]\n]{0,500}\])
    |(?P<text>"[^"\n]{0,500}")
    |(?P<decoration>![^!\n]{1,40}!|\+[a-z][^+\n|]{0,30}\+)
    |(?P<grace>\{[^}\n]{0,100}\})
    |(?P<ending>\[\s?[1-9][0-9,\-]*)
    |(?P<bar>:*\|+[\]:]*|\[\||::+)(?P<number>\s?[1-9](?:[,\-][1-9])*(?![0-9/]))?
    |\((?P<tuplet>\d)(?::(?P<in_time>\d?))?(?::(?P<notes>\d?\d?))?
    |(?P<accidental>\^\^?|__?|=)?(?P<note>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)
    |(?P<rest>[zxy])(?P<rest_length>\d*/*\d*)
    |(?P<bars_rest>Z)(?P<bars>\d{0,4})
    |(?P<open>\[)
    |(?P<close>\])(?P<chord_length>\d*/*\d*)
    |(?P<tie>-)
    |(?P<broken>>+|<+)""",
    re.X,
)
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS: Final = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_IN_TIME: Final = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


@dataclass(slots=True)
class _Voice:
    """A voice while it is read."""

    metre: Metre
    key: Key
    altered: dict[str, int]
    unit: int
    bars: list[Bar] = field(default_factory=list)
    events: list[AbcEvent] = field(default_factory=list)
    time: int = 0
    accidentals: dict[tuple[str, int], int] = field(default_factory=dict)
    tuplet: tuple[int, int, int] = (1, 1, 0)
    broken: tuple[int, int] | None = None
    chord: list[int] | None = None
    chord_unit: int | None = None
    skipping: bool = False
    graces: int = 0
    notes: int = 0


def read_abc_file(path: Path) -> Iterator[Piece | Unreadable]:
    """Every tune of an ABC file, UTF-8 or Latin-1.

    Raises:
        UnreadableFileError: the file cannot be opened, is too large, or is not text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(str(path), f"larger than {MAX_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error
    if b"\0" in data[:4096]:
        raise UnreadableFileError(str(path), "binary data, not ABC")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return read_abc(text, path.name)


def read_abc(text: str, name: str) -> Iterator[Piece | Unreadable]:
    """Every tune of a book, in order; one that cannot be read does not stop the others.

    Costs about 2 ms a tune.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    books = re.split(r"^(?=[ \t]*X:)", text, flags=re.M)
    found = False
    for book in books:
        if not book.lstrip().startswith("X:"):
            continue
        found = True
        number = book.lstrip()[2:].split("\n", 1)[0].strip()[:20]
        try:
            yield _read_tune(book, name, number)
        except (InputError, OverflowError, ZeroDivisionError, RecursionError) as error:
            yield Unreadable(f"{name}#{number}", str(error))
    if not found:
        yield Unreadable(name, "no ABC tune in it (no line starts with X:)")


def _read_tune(text: str, name: str, number: str) -> Piece:
    if len(text) > MAX_TUNE_CHARACTERS:
        raise InputError(f"tune of {len(text)} characters; allowed: {MAX_TUNE_CHARACTERS}")
    header, body = _split(text)
    if "K" not in header:
        raise InputError("no key field (K:), so the tune has no body")
    metre = parse_metre(header.get("M", [""])[0])
    unit = parse_length(header.get("L", [""])[0]) or default_length(metre)
    key, altered = parse_key(header["K"][-1])
    voices: dict[str, _Voice] = {}
    _read_body(body, voices, _Voice(metre, key, altered, round(unit * _WHOLE)))
    voices = {k: v for k, v in voices.items() if any(e.pitches for b in v.bars for e in b.events)}
    if not voices:
        raise InputError("no notes")
    titles = [clean_title(t) for t in header.get("T", [])] or [f"{name} {number}"]
    style = style_of(header.get("R", [""])[0], titles)
    tempo = parse_tempo(header["Q"][0], metre, unit) if "Q" in header else None
    bpm = tempo or float(USUAL_TEMPO.get(style, OTHERWISE_TEMPO))
    repairs: list[str] = []
    graces = sum(v.graces for v in voices.values())
    if graces:
        repairs.append(f"{graces} grace notes left out")
    score, irregular_share = assemble({name: voice.bars for name, voice in voices.items()}, bpm, repairs)
    return Piece(
        score,
        titles[0],
        composer=clean_title(header.get("C", [""])[0]),
        style=style,
        source=name,
        number=number,
        repairs=tuple(repairs),
        irregular_share=irregular_share,
    )


def _split(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """Fields of the header, and the lines of the body with fields brought inline."""
    header: dict[str, list[str]] = defaultdict(list)
    body: list[str] = []
    for raw in text.split("\n"):
        line = re.sub(r"(?<!\\)%.*", "", raw).strip()
        found = re.match(r"([A-Za-z]):(.*)", line)
        # A music line may start with a note and a repeat sign (`A:|`), which is no field.
        is_field = found is not None and not found[2].startswith(("|", ":"))
        if "K" not in header:
            if is_field and found is not None:
                header[found[1]].append(found[2].strip())
        elif is_field and found is not None:
            if found[1] in "KMLV":
                body.append(f"[{found[1]}:{found[2].strip()}]")
        elif line:
            body.append(line.rstrip("\\"))
    return header, body


def _read_body(lines: list[str], voices: dict[str, _Voice], start: _Voice) -> None:
    def open_voice(name: str) -> _Voice:
        if name not in voices:
            if len(voices) >= MAX_VOICES:
                raise InputError(f"more than {MAX_VOICES} voices")
            voices[name] = _Voice(start.metre, start.key, start.altered, start.unit)
        return voices[name]

    voice: _Voice | None = None
    for line in lines:
        for found in _TOKEN.finditer(line):
            inline = found["inline"]
            if inline and inline[1] == "V":
                voice = open_voice(inline[3:-1].strip().split(" ")[0][:40])
                continue
            if voice is None:
                voice = open_voice("")
            if inline:
                _field(voice, inline[1], inline[3:-1])
            else:
                _token(voice, found)
    for voice in voices.values():
        if voice.events or voice.time:
            _close(voice, "")


def _field(voice: _Voice, kind: str, text: str) -> None:
    if kind == "K":
        voice.key, voice.altered = parse_key(text)
    elif kind == "M":
        voice.metre = parse_metre(text)
    elif kind == "L":
        unit = parse_length(text)
        voice.unit = round(unit * _WHOLE) if unit else voice.unit


def _token(voice: _Voice, found: re.Match[str]) -> None:
    if found["note"]:
        pitch = _pitch(voice, found)
        length = _scaled(voice.unit, found["length"])
        if voice.chord is not None:
            voice.chord.append(pitch)
            voice.chord_unit = voice.chord_unit or length
        else:
            _place(voice, [pitch], length)
    elif found["rest"]:
        if found["rest"] != "y":  # y only spaces the print
            _place(voice, [], _scaled(voice.unit, found["rest_length"]))
    elif found["bars_rest"]:
        bar = voice.metre.bar_ticks(TICKS_PER_QUARTER)
        for _ in range(min(int(found["bars"] or 1), 999)):
            voice.time += bar
            _close(voice, "|")
    elif found["bar"]:
        _close(voice, found["bar"])
        if found["number"]:
            voice.skipping = found["number"].strip().startswith("1")
    elif found["ending"]:
        voice.skipping = found["ending"].strip("[ ").startswith("1")
    elif found["tuplet"]:
        _tuplet(voice, found)
    elif found["open"]:
        voice.chord, voice.chord_unit = [], None
    elif found["close"] and voice.chord is not None:
        pitches, voice.chord = sorted(set(voice.chord)), None
        _place(voice, pitches, _scaled(voice.chord_unit or voice.unit, found["chord_length"]))
    elif found["tie"]:
        if voice.events:
            voice.events[-1].tied = True
    elif found["broken"]:
        _break(voice, found["broken"])
    elif found["grace"]:
        voice.graces += sum(c.isalpha() for c in found["grace"])


def _pitch(voice: _Voice, found: re.Match[str]) -> int:
    name = found["note"].upper()
    octave = 4 + found["note"].islower() + found["octave"].count("'") - found["octave"].count(",")
    if found["accidental"]:
        voice.accidentals[name, octave] = _ACCIDENTALS[found["accidental"]]
    alter = voice.accidentals.get((name, octave), voice.altered.get(name, 0))
    pitch = 12 * (octave + 1) + _STEPS[name] + alter
    if not 0 <= pitch <= 127:
        raise InputError(f"note {found[0]!r} is out of range; allowed: MIDI pitches 0 to 127")
    return pitch


def _scaled(unit: int, text: str) -> int:
    """A unit length times `3/2`, `/`, `//`, `2` ...

    Raises:
        InputError: a length of zero, or an absurd one.
    """
    if not text:
        return unit
    above, slash, below = text.partition("/")
    if len(text) > 12:
        raise InputError(f"note length '{text[:20]}' is absurd")
    numerator = int(above) if above else 1
    slashes = slash + below
    digits = slashes.strip("/")
    denominator = int(digits) if digits else 2 ** slashes.count("/")
    if not numerator or not denominator or numerator > 10_000 or denominator > 1024:
        raise InputError(f"note length '{text}' is impossible")
    return max(1, unit * numerator // denominator)


def _place(voice: _Voice, pitches: list[int], length: int) -> None:
    in_time, notes, left = voice.tuplet
    if left:
        length = length * in_time // notes
        voice.tuplet = (in_time, notes, left - 1)
    if voice.broken is not None:
        length = length * voice.broken[0] // voice.broken[1]
        voice.broken = None
    voice.notes += 1
    if voice.notes > MAX_NOTES:
        raise InputError(f"more than {MAX_NOTES} notes in a voice")
    voice.events.append(AbcEvent(voice.time, length, pitches))
    voice.time += length


def _tuplet(voice: _Voice, found: re.Match[str]) -> None:
    notes = int(found["tuplet"])
    compound = voice.metre.numerator % 3 == 0 and voice.metre.numerator > 3
    in_time = int(found["in_time"]) if found["in_time"] else _IN_TIME.get(notes, 3 if compound else 2)
    if not notes or not in_time:
        raise InputError(f"tuplet '{found[0]}' is impossible")
    voice.tuplet = (in_time, notes, int(found["notes"] or notes))


def _break(voice: _Voice, signs: str) -> None:
    """`a>b`: the first longer, the second shorter; `<` the other way round."""
    if not voice.events:
        return
    parts = 2 ** min(len(signs), 4)
    mine, theirs = (2 * parts - 1, 1) if signs[0] == ">" else (1, 2 * parts - 1)
    last = voice.events[-1]
    length = last.length * mine // parts
    voice.time += length - last.length
    last.length = length
    voice.broken = (theirs, parts)


def _close(voice: _Voice, line: str) -> None:
    if (voice.events or voice.time) and not voice.skipping:
        voice.bars.append(Bar(voice.events, voice.time, voice.metre, voice.key, line))
    voice.events, voice.time = [], 0
    voice.accidentals = {}
    voice.tuplet, voice.broken = (1, 1, 0), None
    # A repeat sign, or the end of a section, ends the first ending that is left out.
    if voice.skipping and (":" in line or line.endswith("]")):
        voice.skipping = False
