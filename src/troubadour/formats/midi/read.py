"""Read Standard MIDI Files: notes, maps, and all else as marks, so that nothing is lost.

Each channel of each track chunk becomes a track of the score, with the program that its first note
sounds in; later programs, controllers, bends, texts and system-exclusive messages are marks at their
exact tick. MIDI cannot say that a bar is an upbeat, nor name modes other than major and minor: the
writer puts both into marker texts (`key: D dorian`), which sequencers show and which are read back.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.midi.events import ESCAPE, MAX_NOTES, META, Chunk, Event, MidiFile, parse
from troubadour.formats.midi.text import decode, encoding_of
from troubadour.formats.midi.write import DEFAULT_RELEASE
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.piece import Piece
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track

MAX_BYTES: Final = 10_000_000
MAX_TRACKS: Final = 64
"""Tracks with notes."""
MAX_SECONDS: Final = 3 * 3600
_MARKER: Final = re.compile(r"key: (-?\d) fifths (\w+)")
_UPBEAT: Final = re.compile(r"upbeat: (\d+) of (\d+) a quarter")
_CHORD: Final = re.compile(
    r"[A-G][#b♯♭]?(?:m|M|maj|min|dim|aug|sus|add|alt|ø|°|Δ|\+|-|6|7|9|11|13|[#b♯♭]?5|[#b]9|[#b]11|[#b]13|2|4|\(|\)|,"
    r"|omit|no|3)*(?:/[A-G][#b♯♭]?)?"
)
_TEXTS: Final = {
    1: MarkKind.TEXT, 2: MarkKind.COPYRIGHT, 4: MarkKind.INSTRUMENT_NAME, 5: MarkKind.LYRIC, 6: MarkKind.MARKER,
    7: MarkKind.CUE,
}  # fmt: skip
_NAME, _PORT, _TEMPO, _SMPTE, _METRE, _KEY, _SEQUENCER = 3, 0x21, 0x51, 0x54, 0x58, 0x59, 0x7F


def read_midi_file(path: Path) -> Piece:
    """The piece in a MIDI file.

    Raises:
        UnreadableFileError: it cannot be opened, is damaged, or passes a limit.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(str(path), f"larger than {MAX_BYTES // 1_000_000} MB")
        return read_midi(path.read_bytes(), path.name)
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error


def read_midi(data: bytes, name: str) -> Piece:
    """The piece in the bytes of a MIDI file, bare or in RMID or MacBinary.

    Of a damaged file all up to the break is read; `Piece.repairs` says so. The patterns of format 2
    come one after the other. SMPTE time becomes quarters at 120 a minute.

    Raises:
        UnreadableFileError: not MIDI, without notes, or more than 10 MB, 200,000 notes, 250,000 other
            events, 64 tracks with notes or 3 hours.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableFileError(name, f"larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return _Reading(parse(data)).piece(name)
    except InputError as error:
        raise UnreadableFileError(name, str(error)) from error


class _Reading:
    """One file on its way to a piece."""

    def __init__(self, file: MidiFile) -> None:
        self.file = file
        self.repairs = Counter[str]()
        self.tempos: list[Tempo] = []
        self.metres: list[Metre] = []
        self.keys: list[Key] = []
        self.stated: dict[str, list[int]] = {"tempo": [], "metre": [], "key": []}
        """Of each entry of the maps the track in whose chunk it stands."""
        self.first = WHOLE
        """The track of the first chunk, if it has one."""
        self.upbeat = 0
        self.rows: list[NDArray[np.int64]] = []
        self.tracks: list[Track] = []
        self.marks: list[Mark] = []
        texts = [m[3] for c in file.chunks for m in c.messages if m[1] == META and 1 <= m[2] <= 15]
        self.encoding = encoding_of(texts)

    def piece(self, name: str) -> Piece:
        """The piece with its title and repairs."""
        start = 0
        for number, chunk in enumerate(self.file.chunks):
            self._chunk(number, chunk, start)
            if self.file.format == 2:
                start += chunk.end
        if self.file.format == 2 and len(self.file.chunks) > 1:
            self.repairs[f"format 2: {len(self.file.chunks)} patterns put one after the other"] += 1
        if not self.rows:
            raise InputError("no notes")
        if len(self.rows) > MAX_TRACKS:
            raise InputError(f"{len(self.rows)} tracks with notes; allowed: {MAX_TRACKS}")
        score = self._score()
        if score.seconds > MAX_SECONDS:
            raise InputError(f"lasts {score.seconds / 3600:.1f} hours; allowed: {MAX_SECONDS // 3600}")
        repairs = [what if n == 1 else f"{n} {what}" for what, n in self.repairs.items()]
        return Piece(score, self._title(name), source=name, repairs=(*self.file.repairs, *repairs))

    def _title(self, name: str) -> str:
        title = next((m.text for m in self.marks if m.kind is MarkKind.TITLE), "")
        if not title and len(self.tracks) == 1:
            title = self.tracks[0].name
        title = "".join(c for c in title if c.isprintable()).strip()[:200]
        return title or name.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    def _score(self) -> Score:
        quarter = self.file.ticks_per_quarter
        if self.file.ticks_per_second is not None:
            # The tempo at which a quarter lasts as long as its ticks; tempo events change nothing here.
            self.tempos = [Tempo(0, 60 * self.file.ticks_per_second / quarter)]
            self.stated["tempo"] = [self.first]
            self.repairs["SMPTE time read as quarters at a steady tempo"] += 1
        said: dict[str, list[Any]] = {"tempo": self.tempos, "metre": self.metres, "key": self.keys}
        implied = [name for name, entries in said.items() if all(e.tick for e in entries)]
        self.marks += [Mark(0, WHOLE, MarkKind.IMPLIED, name) for name in implied]
        for name, entries in said.items():
            self._restated(name, entries)
        metres = _rising(self.metres, Metre(0, 4, 4))
        return Score.from_notes(
            np.concatenate(self.rows),
            ticks_per_quarter=quarter,
            tracks=tuple(self.tracks),
            tempos=tuple(_rising(self.tempos, Tempo(0, 120.0))),
            metres=tuple(metres),
            keys=tuple(_rising(self.keys, self._first_key())),
            upbeat_ticks=self.upbeat if self.upbeat < metres[0].bar_ticks(quarter) else 0,
            marks=tuple(self.marks),
        )

    def _restated(self, name: str, entries: list[Any]) -> None:
        """Marks for map entries that stand elsewhere than once in the first chunk."""
        last = {entry.tick: entry for entry in sorted(entries, key=lambda e: e.tick)}
        places: dict[int, list[int]] = defaultdict(list)
        for entry, track in zip(entries, self.stated[name], strict=True):
            if entry == last[entry.tick]:
                places[entry.tick].append(track)
            elif isinstance(entry, Tempo):  # written before the one that holds
                data = round(60_000_000 / entry.bpm).to_bytes(3, "big").hex()
                self.marks.append(Mark(entry.tick, track, MarkKind.SEQUENCER, data, _TEMPO))
            elif isinstance(entry, Key):
                data = bytes((entry.fifths & 0xFF, int(entry.mode == "minor"))).hex()
                self.marks.append(Mark(entry.tick, track, MarkKind.SEQUENCER, data, _KEY))
        for tick, tracks in places.items():
            home = self.first if self.first in tracks else None
            if home is not None:
                tracks.remove(home)
            for i, track in enumerate(tracks):
                only = int(home is None and i == 0)
                self.marks.append(Mark(tick, track, MarkKind.RESTATED, name, 0, only))

    def _first_key(self) -> Key:
        """A key that is named late holds from the start."""
        return min(self.keys, default=Key(0, 0, "major"))._replace(tick=0)

    def _chunk(self, number: int, chunk: Chunk, start: int) -> None:
        """Take one chunk in, from tick `start` on."""
        notes = chunk.notes
        counts = np.bincount(notes[:, 2], minlength=16)
        programs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        sounding = set(np.flatnonzero(counts).tolist())
        for tick, status, first, _ in chunk.events:
            sounding.add(status & 15)
            if status & 0xF0 == 0xC0:
                programs[status & 15].append((tick, first))
        channels = sorted(sounding)
        names = [data for _, status, kind, data in chunk.messages if status == META and kind == _NAME]
        name = decode(names[0], self.encoding) if names else ""
        first_track = len(self.tracks)
        alone = number == 0 and not channels
        here = WHOLE if alone else first_track
        if number == 0:
            kind, end = self.file.format, chunk.end if alone else -1
            self.first = here
            self.marks.append(Mark(0, WHOLE, MarkKind.FORMAT, self.encoding, min(kind, 1), 0, end))
        for channel in channels or ([-1] if not alone else []):
            index = len(self.tracks)
            self.marks.append(Mark(0, index, MarkKind.CHANNEL, "", number, channel, chunk.end + start))
            mine = notes if len(channels) == 1 else notes[notes[:, 2] == channel]
            begins = int(mine[:, 0].min()) if len(mine) else 0
            before = [program for tick, program in programs[channel] if tick <= begins] or [0]
            if not programs[channel] or channel == 9 or programs[channel][0][0] <= begins:
                program = before[-1]
            else:
                program = programs[channel][0][1]
            self._notes(mine, index, start)
            self.tracks.append(Track(program, channel == 9, name))
        if alone and names:
            self.marks.append(Mark(start, WHOLE, MarkKind.TITLE, name))
        track_of = {channel: first_track + i for i, channel in enumerate(channels)}
        marks = [_channel_mark(event, start, track_of[event[1] & 15]) for event in chunk.events]
        said = [data for _, status, kind, data in chunk.messages if status == META and kind == 1]
        chords = sum(_CHORD.fullmatch(decode(text, self.encoding)) is not None for text in said)
        self._chords = chords > 1 and 2 * chords >= len(said)
        before_texts = len(self.marks)
        named = False
        for tick, status, kind, data in chunk.messages:
            if status != META:
                way = int(status == ESCAPE)
                self.marks.append(Mark(tick + start, here, MarkKind.SYSEX, data.hex(), way))
            elif kind == _NAME and not named:
                named = True  # the track's own name, or the title
            else:
                self._meta(kind, data, tick + start, here, number)
        if marks:
            # At one tick texts come first, then what sets a channel up.
            self.marks[before_texts:] += marks

    def _notes(self, notes: NDArray[np.int64], track: int, start: int) -> None:
        if not len(notes):
            return
        onset, length, release = notes[:, 0] + start, notes[:, 1] - notes[:, 0], notes[:, 5]
        short = int((length < 1).sum())
        if short:
            self.repairs["notes without a length made one tick long"] += short
            for row in np.flatnonzero(length < 1).tolist():
                tick, pitch = int(onset[row]), int(notes[row, 3])
                self.marks.append(Mark(tick, track, MarkKind.INSTANT, pitch=pitch))
        usual = int(np.bincount(release + 1).argmax()) - 1
        if usual != DEFAULT_RELEASE:
            self.marks.append(Mark(0, track, MarkKind.RELEASE, value=usual))
        rows = np.stack([onset, np.maximum(length, 1), notes[:, 3], notes[:, 4]], axis=1)
        self.rows.append(np.concatenate([rows, np.full((len(rows), 1), track)], axis=1))
        for row in np.flatnonzero(release != usual).tolist():
            tick, pitch = int(onset[row]), int(notes[row, 3])
            self.marks.append(Mark(tick, track, MarkKind.RELEASE, "", 0, int(release[row]), -1, pitch))

    def _meta(self, kind: int, data: bytes, tick: int, track: int, number: int) -> None:
        if kind in _TEXTS:
            self._text(decode(data, self.encoding), _TEXTS[kind], tick, track, number)
        elif kind == _TEMPO and len(data) >= 3:
            bpm = 60_000_000 / max(int.from_bytes(data[:3], "big"), 1)
            if 1 <= bpm <= 2000:
                self.tempos.append(Tempo(tick, bpm))
                self.stated["tempo"].append(track)
            else:
                self.repairs[f"tempo of {bpm:.0f} quarters a minute passed over"] += 1
        elif kind == _METRE and len(data) >= 2 and 1 <= data[0] <= 64 and data[1] <= 6:
            self.metres.append(Metre(tick, data[0], 2 ** data[1]))
            self.stated["metre"].append(track)
            if len(data) >= 4 and tuple(data[2:4]) != (24, 8):
                self.marks.append(Mark(tick, WHOLE, MarkKind.CLICK, "", data[2], data[3]))
        elif kind == _KEY and len(data) >= 2 and -7 <= (fifths := (data[0] ^ 128) - 128) <= 7 and data[1] < 2:
            self.keys.append(Key(tick, fifths, "minor" if data[1] else "major"))
            self.stated["key"].append(track)
        elif kind == _PORT and data:
            self.marks.append(Mark(tick, track, MarkKind.PORT, value=data[0]))
        elif kind == _SMPTE:
            self.marks.append(Mark(tick, track, MarkKind.SMPTE_OFFSET, data.hex()))
        elif kind in (_METRE, _KEY, _TEMPO):
            self.repairs["unreadable tempo, metre or key passed over"] += 1
        else:
            number = 0 if kind == _SEQUENCER else kind
            self.marks.append(Mark(tick, track, MarkKind.SEQUENCER, data.hex(), number))

    def _text(self, text: str, kind: MarkKind, tick: int, track: int, number: int) -> None:
        if said := _UPBEAT.match(text):
            if int(said[2]):
                self.upbeat = int(said[1]) * self.file.ticks_per_quarter // int(said[2])
            return
        if (said := _MARKER.match(text)) and abs(int(said[1])) <= 7 and said[2] in MODES:
            self.keys.append(Key(tick, int(said[1]), said[2]))
            self.stated["key"].append(track)
            return
        if kind is MarkKind.TEXT and self._chords and _CHORD.fullmatch(text):
            kind = MarkKind.CHORD
        if number == 0 and kind in (MarkKind.MARKER, MarkKind.COPYRIGHT, MarkKind.CUE):
            track = WHOLE
        self.marks.append(Mark(tick, track, kind, text, 1 if kind is MarkKind.LYRIC else 0))


def _channel_mark(event: Event, start: int, track: int) -> Mark:
    tick, status, first, second = event
    kind = status & 0xF0
    if kind == 0xB0:
        values = (tick + start, track, MarkKind.CONTROLLER, "", first, second, -1, -1)
    elif kind == 0xE0:
        bend = (second << 7 | first) - 8192
        values = (tick + start, track, MarkKind.PITCH_BEND, "", 0, bend, -1, -1)
    elif kind == 0xA0:
        values = (tick + start, track, MarkKind.KEY_PRESSURE, "", 0, second, -1, first)
    else:
        pressure = MarkKind.CHANNEL_PRESSURE if kind == 0xD0 else MarkKind.PROGRAM
        values = (tick + start, track, pressure, "", 0, first, -1, -1)
    return Mark._make(values)


def _rising(entries: Iterable[Any], default: Any) -> list[Any]:
    """Sorted by tick, of each tick the last; before the first one the default holds."""
    by_tick = {entry.tick: entry for entry in sorted(entries, key=lambda e: e.tick)}
    return list(({0: default} | by_tick).values())


__all__ = ["MAX_BYTES", "MAX_NOTES", "MAX_TRACKS", "read_midi", "read_midi_file"]
