"""The events of a MIDI file, read in one pass: the standard as files keep it and as they break it.

Standard: MIDI 1.0, Standard MIDI Files 1.0 (RP-001), RMID (RP-029). What is read beyond it: a header
of another length, bytes before the header (MacBinary), a chunk whose length is wrong or that breaks
off, undefined and system status bytes, and running status that goes on after a meta event. Each such
thing is counted in `MidiFile.repairs`. Costs about 0.5 us an event; limits hold while reading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError

MAX_NOTES: Final = 200_000
MAX_EVENTS: Final = 250_000
"""Events that are no notes, in a whole file."""
MAX_CHUNKS: Final = 1024
MAX_TICK: Final = 2**30
_MAX_TEXT: Final = 65_536
"""Bytes of one meta event or system-exclusive message."""
_WRAPPED: Final = 65_536
"""Bytes before the header among which it is sought."""
META: Final = 0xFF
SYSEX: Final = 0xF0
ESCAPE: Final = 0xF7
_SYSTEM_DATA: Final = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages, which do not belong in a file; all others have none."""


Event = tuple[int, int, int, int]
"""Tick, status with the channel, and two data bytes."""
Message = tuple[int, int, int, bytes]
"""Tick, `META`, `SYSEX` or `ESCAPE`, type of a meta event, and data."""


@dataclass(slots=True)
class Chunk:
    """One track chunk."""

    notes: NDArray[np.int64]
    """Rows of onset, end, channel, pitch, velocity, release velocity (-1 = ended by a note-on of velocity 0)."""
    events: list[Event] = field(default_factory=list)
    """Of channels, but for notes."""
    messages: list[Message] = field(default_factory=list)
    end: int = 0
    """Tick of its end-of-track event, or of its last event without one."""


@dataclass(frozen=True, slots=True)
class MidiFile:
    """All events of a file."""

    format: int
    ticks_per_quarter: int
    ticks_per_second: float | None
    """Of a file whose division is SMPTE time, else None."""
    chunks: tuple[Chunk, ...]
    repairs: tuple[str, ...]
    """What was passed over or mended, one short sentence each."""


def is_midi(start: bytes) -> bool:
    """Whether a file that begins so (128 bytes and more) is MIDI, bare or wrapped."""
    riff = start[:4] == b"RIFF" and start[8:12] == b"RMID"
    return start[:4] == b"MThd" or riff or start[128:132] == b"MThd"


def parse(data: bytes) -> MidiFile:
    """The events of a MIDI file's bytes.

    Raises:
        InputError: not MIDI, no track, a division of 0, or more events, notes or chunks than allowed.
    """
    found = Counter[str]()
    header = data.find(b"MThd", 0, _WRAPPED)
    if header < 0:
        raise InputError("not a MIDI file (no MThd in it); export it as Standard MIDI File")
    if header:
        found["bytes before the header passed over" if data[:4] != b"RIFF" else "RIFF wrapper taken off"] += 1
    length = int.from_bytes(data[header + 4 : header + 8], "big")
    if len(data) < header + 14:
        raise InputError("the MIDI file breaks off in its header; get it once more")
    kind, _, division = (int.from_bytes(data[header + i : header + i + 2], "big") for i in (8, 10, 12))
    if kind > 2:
        found["unknown format read as format 1"] += 1
        kind = 1
    quarter, per_second = _division(division)
    chunks: list[Chunk] = []
    budget = [MAX_NOTES, MAX_EVENTS]
    at = header + 8 + (length if 6 <= length <= len(data) - header else 6)
    while (at := _next_chunk(data, at, found)) >= 0:
        if len(chunks) == MAX_CHUNKS:
            raise InputError(f"more than {MAX_CHUNKS} tracks; allowed: {MAX_CHUNKS}")
        stop = _chunk_end(data, at, found)
        chunk, stopped = _read_chunk(data, at + 8, stop, budget, found)
        chunks.append(chunk)
        at = max(stop, stopped)
    if not chunks:
        raise InputError("the MIDI file has no track; export it once more")
    return MidiFile(kind, quarter, per_second, tuple(chunks), _told(found))


def _division(division: int) -> tuple[int, float | None]:
    """Ticks a quarter, and ticks a second where the division is SMPTE time."""
    if division < 0x8000:
        if not division:
            raise InputError("division is 0; allowed: 1 to 32767 ticks a quarter, or SMPTE time")
        return division, None
    frames, per_frame = 256 - (division >> 8), division & 0xFF
    if frames not in (24, 25, 29, 30) or not per_frame:
        raise InputError(
            f"division is {frames} frames a second of {per_frame} ticks; allowed: 24, 25, 29 (29.97) or 30 frames"
        )
    nominal = 30 if frames == 29 else frames
    return max(nominal * per_frame // 2, 1), (30_000 / 1001 if frames == 29 else frames) * per_frame


def _next_chunk(data: bytes, at: int, found: Counter[str]) -> int:
    """Where the next track chunk starts; -1 = there is none."""
    while data[at : at + 4] != b"MTrk":
        name = data[at : at + 4]
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        if len(name) == 4 and name.isalnum() and at + 8 + length <= len(data):
            at += 8 + length  # a chunk of another kind: the standard says to pass over it
            continue
        # Padding, or the rest of a chunk that is longer than its length says.
        nxt = data.find(b"MTrk", at)
        if nxt < 0:
            return -1
        if data[at:nxt].strip(b"\0"):
            found["bytes between tracks passed over"] += 1
        at = nxt
    return at


def _chunk_end(data: bytes, at: int, found: Counter[str]) -> int:
    """Where a track chunk ends; where its length cannot be right, at the next one."""
    stop = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    if stop == len(data) or data[stop : stop + 4] == b"MTrk":
        return stop
    if stop < len(data) and data[stop : stop + 4].isalnum():
        return stop
    nxt = data.find(b"MTrk", at + 4)
    if stop > len(data) or nxt >= 0 or data[stop:].strip(b"\0"):
        found["track of a wrong length"] += 1
    else:
        return stop
    return nxt if nxt >= 0 else len(data)


def _read_chunk(data: bytes, at: int, stop: int, budget: list[int], found: Counter[str]) -> tuple[Chunk, int]:
    """The events of one chunk, and where its end-of-track event ends."""
    chunk = Chunk(np.empty((0, 6), dtype=np.int64))
    events, messages = chunk.events, chunk.messages
    onsets: list[int] = []
    ends: list[int] = []
    sounds: list[int] = []  # channel, pitch, velocity and release velocity in one number
    sounding: dict[int, deque[tuple[int, int]]] = {}
    tick = running = 0
    notes_left, events_left = budget
    try:
        while at < stop:
            byte = data[at]
            at += 1
            if byte < 0x80:
                tick += byte
            else:
                delta, at = _varying(data, at - 1)
                tick += delta
                if tick > MAX_TICK:
                    raise InputError(f"ends after tick {tick}; allowed: 2^30")
            status = data[at]
            if status >= 0x80:
                at += 1
            else:
                status = running
            if status < 0xF0:
                if not status:  # a data byte without a status
                    found["data bytes without a status passed over"] += 1
                    at += 1
                    continue
                running = status
                first = data[at]
                kind = status & 0xF0
                if kind == 0xC0 or kind == 0xD0:
                    second = 0
                    at += 1
                else:
                    second = data[at + 1]
                    at += 2
                if at > stop:
                    raise IndexError
                if first | second > 127:
                    found["data bytes above 127 lowered"] += 1
                    first, second = min(first, 127), min(second, 127)
                if kind == 0x90 and second:
                    key = (status & 15) << 7 | first
                    struck = sounding.get(key)
                    if struck is None:
                        sounding[key] = deque(((tick, second),))
                    else:
                        struck.append((tick, second))
                    notes_left -= 1
                    if notes_left < 0:
                        raise InputError(f"more than {MAX_NOTES} notes; allowed: {MAX_NOTES}")
                elif kind == 0x80 or kind == 0x90:
                    key = (status & 15) << 7 | first
                    struck = sounding.get(key)
                    if not struck:
                        continue
                    onset, velocity = struck.popleft()
                    onsets.append(onset)
                    ends.append(tick)
                    sounds.append(key << 15 | velocity << 8 | (second if kind == 0x80 else 255))
                else:
                    events.append((tick, status, first, second))
                    events_left -= 1
                    if events_left < 0:
                        raise InputError(f"more than {MAX_EVENTS} events; allowed: {MAX_EVENTS}")
                continue
            if status in (META, SYSEX, ESCAPE):
                first = 0
                if status == META:
                    first = data[at]
                    at += 1
                size, at = _varying(data, at)
                if at + size > stop:
                    raise IndexError
                if status == META and first == 0x2F:
                    at += size
                    chunk.end = tick
                    break
                messages.append((tick, status, first, data[at : at + min(size, _MAX_TEXT)]))
                at += size
                events_left -= 1
                if events_left < 0:
                    raise InputError(f"more than {MAX_EVENTS} events; allowed: {MAX_EVENTS}")
                continue
            found["status bytes without meaning in a file passed over"] += 1
            at += _SYSTEM_DATA.get(status, 0)
        else:
            chunk.end = tick
    except IndexError:
        found["track breaks off"] += 1
        chunk.end = tick
        at = stop
    budget[:] = notes_left, events_left
    chunk.notes = _notes(onsets, ends, sounds)
    if any(sounding.values()):
        _end_hanging(chunk, sounding, found)
    return chunk, at


def _notes(onsets: list[int], ends: list[int], sounds: list[int]) -> NDArray[np.int64]:
    sound = np.array(sounds, dtype=np.int64)
    release = sound & 255
    release[release == 255] = -1
    columns = (np.array(onsets), np.array(ends), sound >> 22, sound >> 15 & 127, sound >> 8 & 127, release)
    return np.stack(columns, axis=1).astype(np.int64)


def _varying(data: bytes, at: int) -> tuple[int, int]:
    """A number of varying length, and where it ends. More than four bytes are damage."""
    value = 0
    for i in range(at, at + 4):
        byte = data[i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, i + 1
    raise IndexError


def _end_hanging(chunk: Chunk, sounding: dict[int, deque[tuple[int, int]]], found: Counter[str]) -> None:
    """Give an end to notes that have none.

    A pitch that was struck more often than it ended is one that each new note stops; the last one
    sounds until the track ends.
    """
    hanging = {key: struck for key, struck in sounding.items() if struck}
    ended: dict[int, list[list[int]]] = {key: [] for key in hanging}
    kept: list[list[int]] = []
    for note in chunk.notes.tolist():
        ended.get(note[2] << 7 | note[3], kept).append(note)
    for key, struck in hanging.items():
        channel, pitch = divmod(key, 128)
        ends = sorted((note[1], note[5]) for note in ended[key])
        starts = sorted([(note[0], note[4]) for note in ended[key]] + list(struck))
        for i, (onset, velocity) in enumerate(starts):
            following = starts[i + 1][0] if i + 1 < len(starts) else chunk.end
            place = bisect_right(ends, (onset, 128))
            if place < len(ends) and ends[place][0] <= following:
                end, release = ends[place]
            else:
                end, release = following, 64
                if i + 1 < len(starts):
                    found["notes struck again before their end"] += 1
                else:
                    found["notes without an end sound until the track ends"] += 1
            kept.append([onset, end, channel, pitch, velocity, release])
    chunk.notes = np.array(kept, dtype=np.int64)


def _told(found: Counter[str]) -> tuple[str, ...]:
    return tuple(what if n == 1 else f"{what} ({n})" for what, n in found.items())
