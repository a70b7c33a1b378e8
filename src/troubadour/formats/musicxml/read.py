"""Read MusicXML (partwise), plain or compressed.

Each staff of a part becomes a track; voices within it are merged. Repeats are not expanded, and of
several endings only the last is kept. Grace and cue notes are left out.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import defusedxml.ElementTree as SafeXml
from defusedxml.common import DefusedXmlException

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.barlines import WrittenBar, lay_out
from troubadour.music.piece import Piece
from troubadour.music.quantise import VELOCITY_LEVELS
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track

TICKS_PER_QUARTER: Final = 10080
MAX_BYTES: Final = 30_000_000
"""Of the XML itself, compressed or not."""
MAX_ENTRIES: Final = 200
MAX_PARTS: Final = 64
MAX_NOTES: Final = 200_000
MAX_MEASURES: Final = 10_000

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DYNAMICS: Final = dict(zip(("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff"), VELOCITY_LEVELS, strict=True))
_PROGRAMS: Final = (
    ("violin", 40), ("viola", 41), ("cello", 42), ("violoncello", 42), ("contrabass", 43), ("double bass", 43),
    ("flute", 73), ("oboe", 68), ("clarinet", 71), ("bassoon", 70), ("horn", 60), ("trumpet", 56),
    ("trombone", 57), ("guitar", 24), ("organ", 19), ("harp", 46), ("soprano", 52), ("alto", 52),
    ("tenor", 52), ("bass", 52), ("voice", 52), ("choir", 52), ("canto", 52), ("piano", 0),
)  # fmt: skip

Element = Any


@dataclass(slots=True)
class _Note:
    measure: int
    start: int
    """Ticks from the start of its measure."""
    length: int
    pitch: int
    velocity: int
    staff: int
    tie_stop: bool
    tie_start: bool


@dataclass(slots=True)
class _Part:
    """What is known of a part while its measures are read."""

    programs: dict[str, int]
    drums: dict[str, int]
    notes: list[_Note] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    divisions: int = 1
    transpose: int = 0
    velocity: int = 80
    graces: int = 0


@dataclass(slots=True)
class _Maps:
    """Maps as they are met: (measure, ticks in it, value)."""

    metres: list[tuple[int, Metre]] = field(default_factory=list)
    keys: list[tuple[int, Key]] = field(default_factory=list)
    tempos: list[tuple[int, int, float]] = field(default_factory=list)


def read_musicxml_file(path: Path) -> Piece:
    """The piece in a `.musicxml`, `.xml` or `.mxl` file.

    Raises:
        UnreadableFileError: it cannot be opened or is no MusicXML; names the file and the cause.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(str(path), f"larger than {MAX_BYTES // 1_000_000} MB")
        return read_musicxml(path.read_bytes(), path.name)
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error


def read_musicxml(data: bytes, name: str) -> Piece:
    """The piece in MusicXML bytes. Costs about 10 ms for a chorale.

    Raises:
        UnreadableFileError: damaged, hostile, too large, or not MusicXML.
    """
    try:
        root = _parse(_unzip(data) if data[:2] == b"PK" else data)
        return _Reader(root, name).piece()
    except DefusedXmlException as error:
        raise UnreadableFileError(name, f"refused: {type(error).__name__}") from error
    except SafeXml.ParseError as error:
        raise UnreadableFileError(name, f"not well-formed XML: {error}") from error
    except (InputError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableFileError(name, str(error)) from error


def _parse(data: bytes) -> Element:
    try:
        # A DOCTYPE is usual in MusicXML; entities and anything external are not.
        return SafeXml.fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except LookupError as error:
        raise InputError(str(error)) from error  # it declares an encoding that nobody knows


def _unzip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _score_in(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # The last three: cut short; an unknown version or compression; encrypted.
        raise InputError(f"damaged or unusual archive: {error or 'it ends too early'}") from error


def _score_in(archive: zipfile.ZipFile) -> bytes:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise InputError(f"archive of {len(entries)} entries; allowed: {MAX_ENTRIES}")
    names = [e.filename for e in entries]
    wanted = next((n for n in names if n.endswith((".xml", ".musicxml")) and "META-INF" not in n), None)
    if "META-INF/container.xml" in names:
        tree = _parse(_inflate(archive, "META-INF/container.xml", 100_000))
        roots = [e.get("full-path") for e in tree.iter() if e.tag.endswith("rootfile")]
        wanted = next((r for r in roots if r in names), wanted)
    if wanted is None:
        raise InputError("archive without a score")
    return _inflate(archive, wanted, MAX_BYTES)


def _inflate(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"'{name[:80]}' is compressed in a way that MusicXML does not use")
    with archive.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"'{name}' inflates to more than {limit // 1000} kB")
    return data


class _Reader:
    """One score-partwise document."""

    def __init__(self, root: Element, name: str) -> None:
        if root.tag != "score-partwise":
            raise InputError(f"root element is '{root.tag}'; only score-partwise MusicXML can be read")
        self._root, self._name = root, name
        self._maps = _Maps()

    def piece(self) -> Piece:
        declared = {p.get("id", ""): p for p in self._root.iter("score-part")}
        elements = self._root.findall("part")
        if len(elements) > MAX_PARTS:
            raise InputError(f"{len(elements)} parts; allowed: {MAX_PARTS}")
        if not elements:
            raise InputError("no parts")
        parts: list[tuple[str, _Part]] = []
        for i, element in enumerate(elements):
            head = declared.get(element.get("id", ""))
            part = _Part(*_instruments(head))
            self._read_part(element, part, lead=i == 0)
            parts.append((_text(head, "part-name") if head is not None else "", part))
        return self._assemble(parts)

    # Measures ---------------------------------------------------------------------------------

    def _read_part(self, element: Element, part: _Part, lead: bool) -> None:
        measures = element.findall("measure")
        if len(measures) > MAX_MEASURES:
            raise InputError(f"{len(measures)} measures; allowed: {MAX_MEASURES}")
        for number, measure in enumerate(measures):
            position, last, longest = 0, 0, 0
            for item in measure:
                if item.tag == "note":
                    if item.find("grace") is not None or item.find("cue") is not None:
                        part.graces += 1
                        continue
                    length = self._ticks(item, part)
                    if item.find("chord") is not None:
                        self._note(item, part, number, position - last, length)
                    else:
                        self._note(item, part, number, position, length)
                        position += length
                        last = length
                elif item.tag == "backup":
                    position = max(0, position - self._ticks(item, part))
                elif item.tag == "forward":
                    position += self._ticks(item, part)
                elif item.tag == "attributes":
                    self._attributes(item, part, number, lead)
                elif item.tag in ("direction", "sound"):
                    self._direction(item, part, number, position, lead)
                longest = max(longest, position)
            part.lengths.append(longest)

    def _ticks(self, item: Element, part: _Part) -> int:
        text = item.findtext("duration")
        if text is None:
            return 0
        value = float(text)
        if not 0 <= value <= 1e7:
            raise InputError(f"duration is {text}; allowed: 0 or more")
        return round(value * TICKS_PER_QUARTER / part.divisions)

    def _note(self, item: Element, part: _Part, measure: int, start: int, length: int) -> None:
        if item.find("rest") is not None or length <= 0:
            return
        instrument = item.find("instrument")
        pitch_element = item.find("pitch")
        if pitch_element is not None:
            pitch = _pitch(pitch_element) + part.transpose
        elif instrument is not None and instrument.get("id", "") in part.drums:
            pitch = part.drums[instrument.get("id", "")]
        elif item.find("unpitched") is not None:
            pitch = 38  # the snare, where the file does not say which drum it is
        else:
            return
        if len(part.notes) >= MAX_NOTES:
            raise InputError(f"more than {MAX_NOTES} notes")
        if not 0 <= pitch <= 127:
            raise InputError(f"pitch {pitch} in measure {measure + 1}; allowed: 0 to 127")
        loud = item.get("dynamics")
        velocity = min(127, max(1, round(float(loud) * 0.9))) if loud else part.velocity
        ties = {t.get("type") for t in item.findall("tie")}
        staff = int(item.findtext("staff") or 1)
        part.notes.append(
            _Note(measure, start, length, pitch, velocity, staff, "stop" in ties, "start" in ties)
        )

    def _attributes(self, item: Element, part: _Part, measure: int, lead: bool) -> None:
        divisions = item.findtext("divisions")
        if divisions is not None:
            value = int(float(divisions))
            if not 1 <= value <= 100_000:
                raise InputError(f"divisions is {divisions}; allowed: 1 to 100000")
            part.divisions = value
        transpose = item.find("transpose")
        if transpose is not None:
            octaves = int(float(transpose.findtext("octave-change") or 0))
            part.transpose = int(float(transpose.findtext("chromatic") or 0)) + 12 * octaves
        if not lead:
            return
        key, time = item.find("key"), item.find("time")
        if key is not None and key.findtext("fifths") is not None:
            mode = (key.findtext("mode") or "major").strip().lower()
            mode = {"aeolian": "minor", "ionian": "major"}.get(mode, mode)
            fifths = int(key.findtext("fifths"))
            if not -7 <= fifths <= 7:
                raise InputError(f"key of {fifths} fifths; allowed: -7 to 7")
            self._maps.keys.append((measure, Key(0, fifths, mode if mode in MODES else "major")))
        if time is not None and time.findtext("beats") is not None:
            beats = [
                int(n) for n in re.findall(r"\d+", " ".join(b.text or "" for b in time.findall("beats")))
            ]
            kind = int(time.findtext("beat-type") or 4)
            if not beats or not 1 <= sum(beats) <= 64 or kind not in (1, 2, 4, 8, 16, 32, 64):
                raise InputError(f"metre {sum(beats)}/{kind}; allowed: 1 to 64 over 1, 2, 4 ... 64")
            self._maps.metres.append((measure, Metre(0, sum(beats), kind)))

    def _direction(self, item: Element, part: _Part, measure: int, position: int, lead: bool) -> None:
        for marks in item.iter("dynamics"):
            for mark in marks:
                part.velocity = _DYNAMICS.get(mark.tag, part.velocity)
        sound = item if item.tag == "sound" else item.find("sound")
        tempo = sound.get("tempo") if sound is not None else None
        if tempo is not None and (lead or not self._maps.tempos) and 1 <= float(tempo) <= 1000:
            self._maps.tempos.append((measure, position, float(tempo)))

    # Score ------------------------------------------------------------------------------------

    def _assemble(self, parts: list[tuple[str, _Part]]) -> Piece:
        n_measures = max(len(p.lengths) for _, p in parts)
        if not n_measures:
            raise InputError("no measures")
        lengths = [
            max((p.lengths[i] for _, p in parts if i < len(p.lengths)), default=0) for i in range(n_measures)
        ]
        kept, ends = self._kept_measures(n_measures)
        metre_at = _running(self._maps.metres, n_measures, Metre(0, 4, 4))
        written = [WrittenBar(lengths[i], metre_at[i], ends[i]) for i in kept]
        grid = lay_out(written, TICKS_PER_QUARTER)
        starts = dict(zip(kept, grid.starts, strict=True))
        rows: list[tuple[int, int, int, int, int]] = []
        tracks: list[Track] = []
        for name, part in parts:
            by_staff: dict[int, list[_Note]] = defaultdict(list)
            for note in part.notes:
                by_staff[note.staff].append(note)
            for staff, notes in sorted(by_staff.items()):
                rows += _joined(notes, starts, len(tracks))
                tracks.append(_track(name, part, staff if len(by_staff) > 1 else 0))
        if not rows:
            raise InputError("no notes")
        score = Score.from_notes(
            rows,
            ticks_per_quarter=TICKS_PER_QUARTER,
            tracks=tuple(tracks),
            tempos=_tempos(self._maps.tempos, starts),
            metres=tuple(grid.metres),
            keys=_keys(_running(self._maps.keys, n_measures, Key(0, 0, "major")), starts),
            upbeat_ticks=grid.upbeat_ticks,
        )
        return self._described(score, grid.irregular, len(written), sum(p.graces for _, p in parts))

    def _kept_measures(self, n_measures: int) -> tuple[list[int], list[bool]]:
        """Measures without first endings, and which of all measures end a section."""
        first = self._root.find("part")
        inside, skip, ends = False, [False] * n_measures, [False] * n_measures
        for i, measure in enumerate(first.findall("measure")):
            closing = False
            for line in measure.findall("barline"):
                ending = line.find("ending")
                if ending is not None and ending.get("type") == "start":
                    inside = (ending.get("number") or "1").strip().startswith("1")
                elif ending is not None:
                    closing = inside
                heavy = line.findtext("bar-style") in ("light-light", "light-heavy", "heavy-light")
                ends[i] |= line.find("repeat") is not None or heavy
            skip[i] = inside
            inside = inside and not closing
        ends[-1] = True
        kept = [i for i in range(n_measures) if not skip[i]]
        return kept or list(range(n_measures)), ends

    def _described(self, score: Score, irregular: int, bars: int, graces: int) -> Piece:
        root = self._root
        repairs = [f"{graces} grace or cue notes left out"] if graces else []
        if irregular:
            repairs.append(f"irregular bars: {irregular} of {bars}")
        credits = [c.findtext("credit-words") or "" for c in root.findall("credit")]
        title = (
            _text(root, "work/work-title")
            or _text(root, "movement-title")
            or next((" ".join(c.split()) for c in credits if c.strip()), "")
            or self._name
        )
        movement = _text(root, "movement-title")
        if movement and movement not in title:
            title = f"{title}: {movement}"
        creators = root.findall("identification/creator")
        composer = next((c.text or "" for c in creators if c.get("type") == "composer"), "")
        return Piece(
            score,
            title[:200],
            composer=" ".join(composer.split())[:200],
            source=self._name,
            licence=_text(root, "identification/rights")[:200],
            repairs=tuple(repairs),
            irregular_share=irregular / bars if bars else 0.0,
        )


def _instruments(head: Element | None) -> tuple[dict[str, int], dict[str, int]]:
    """MIDI programs and drum pitches by instrument id."""
    programs: dict[str, int] = {}
    drums: dict[str, int] = {}
    for item in [] if head is None else head.findall("midi-instrument"):
        name = item.get("id", "")
        unpitched, program = item.findtext("midi-unpitched"), item.findtext("midi-program")
        if unpitched:
            drums[name] = min(127, max(0, int(unpitched) - 1))
        elif program:
            programs[name] = min(127, max(0, int(program) - 1))
    return programs, drums


def _track(name: str, part: _Part, staff: int) -> Track:
    label = f"{name} {staff}".strip() if staff else name
    if part.drums and not part.programs:
        return Track(0, True, label)
    # Many programs write "1" (piano) for everything, so a telling name counts for more than that.
    declared = next(iter(part.programs.values()), 0)
    lowered = name.lower()
    told = next((program for word, program in _PROGRAMS if word in lowered), 0)
    return Track(declared or told, False, label)


def _pitch(element: Element) -> int:
    step = (element.findtext("step") or "").strip()
    if step not in _STEPS:
        raise InputError(f"step is '{step}'; allowed: A to G")
    alter = round(float(element.findtext("alter") or 0))
    return 12 * (int(element.findtext("octave") or 4) + 1) + _STEPS[step] + alter


def _joined(notes: list[_Note], starts: dict[int, int], track: int) -> list[tuple[int, int, int, int, int]]:
    """Notes as rows with absolute onsets, ties joined."""
    placed = sorted(
        ((starts[n.measure] + n.start, n) for n in notes if n.measure in starts), key=lambda p: p[0]
    )
    rows: list[list[int]] = []
    sounding: dict[int, list[int]] = {}
    for onset, note in placed:
        before = sounding.get(note.pitch)
        if note.tie_stop and before is not None and before[0] + before[1] == onset:
            before[1] += note.length
            row = before
        else:
            row = [onset, note.length, note.pitch, note.velocity, track]
            rows.append(row)
        if note.tie_start:
            sounding[note.pitch] = row
        else:
            sounding.pop(note.pitch, None)
    return [(r[0], r[1], r[2], r[3], r[4]) for r in rows]


def _running(changes: list[tuple[int, Any]], count: int, default: Any) -> list[Any]:
    """The value in force in each measure."""
    values: list[Any] = []
    pending = sorted(changes, key=lambda c: c[0])
    current = pending[0][1] if pending and pending[0][0] == 0 else default
    for i in range(count):
        while pending and pending[0][0] <= i:
            current = pending.pop(0)[1]
        values.append(current)
    return values


def _keys(by_measure: list[Key], starts: dict[int, int]) -> tuple[Key, ...]:
    keys: list[Key] = []
    for measure, start in starts.items():
        key = by_measure[measure]
        if not keys:
            keys.append(key)
        elif key[1:] != keys[-1][1:] and start > keys[-1].tick:
            keys.append(key._replace(tick=start))
    return tuple(keys)


def _tempos(found: list[tuple[int, int, float]], starts: dict[int, int]) -> tuple[Tempo, ...]:
    tempos: list[Tempo] = []
    placed = sorted((starts[m] + p, bpm) for m, p, bpm in found if m in starts)
    for tick, bpm in placed:
        if tempos and tempos[-1].tick == tick:
            tempos.pop()
        tempos.append(Tempo(tick, bpm))
    if not tempos or tempos[0].tick > 0:
        first = tempos[0].bpm if tempos and tempos[0].tick < 4 * TICKS_PER_QUARTER else 100.0
        tempos = [Tempo(0, first), *(t for t in tempos if t.bpm != first or t.tick >= 4 * TICKS_PER_QUARTER)]
    return tuple(tempos)


def _text(element: Element, path: str) -> str:
    return " ".join((element.findtext(path) or "").split())
