"""Write Standard MIDI Files from a score at any resolution, with its maps and its marks.

A score that was read from MIDI is written as it stood: same chunks and channels, same events at the
same ticks. A track of any other source gets a chunk and a channel of its own, its instrument's name,
program, volume and pan. An upbeat is written as notation programs do, as a short first bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.midi.text import encode
from troubadour.music.instruments import NAMES
from troubadour.music.marks import WHOLE, Mark, MarkKind, Syllabic
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.score import Key, Metre, Score

DEFAULT_RELEASE: Final = 64
"""Release velocity that is not worth a mark: the standard's, for keyboards that have none."""
_FILE_TICKS: Final = 480
"""Ticks a quarter of files from scores on the composing grid."""
_DRUM_CHANNEL: Final = 9
_CHANNELS: Final = tuple(c for c in range(16) if c != _DRUM_CHANNEL)
_VOLUME, _PAN, _PEDAL = 7, 10, 64
_TEXT, _COPYRIGHT, _NAME, _TEMPO, _KEY = 1, 2, 3, 0x51, 0x59
_TEXTS: Final = {
    MarkKind.TEXT: 1, MarkKind.CHORD: 1, MarkKind.TEMPO_TEXT: 1, MarkKind.WORDS: 1, MarkKind.CREDIT: 1,
    MarkKind.COPYRIGHT: 2, MarkKind.INSTRUMENT_NAME: 4, MarkKind.LYRIC: 5, MarkKind.MARKER: 6,
    MarkKind.REHEARSAL: 6, MarkKind.CUE: 7,
}  # fmt: skip
_LABELS: Final = {
    MarkKind.SUBTITLE: "Subtitle", MarkKind.COMPOSER: "Composer", MarkKind.LYRICIST: "Lyricist",
    MarkKind.ARRANGER: "Arranger",
}  # fmt: skip
# Order of events at one tick: names, maps, ends of notes, marks in their own order, notes, ends of those.
_FIRST, _MAPS, _OFF, _MARKS, _ON, _ENDED = range(6)
_Events = list[tuple[int, int, bytes]]
"""Tick, order, and the event without its delta time."""


def write_midi(score: Score, *, title: str = "", rights: str = "", note: str = "") -> bytes:
    """The bytes of a MIDI file.

    Marks that MIDI cannot hold are left out: `docs/formats.md` has the table. Chord symbols become
    text events, rehearsal marks markers, pedal marks controller 64.

    Args:
        score: at up to 32767 ticks a quarter; one at 24 that is not from MIDI is written at 480.
        title: name of the piece, for the first chunk; a score that was read from MIDI keeps its own.
        rights: for a copyright event.
        note: for a text event, such as that a machine composed the piece.

    Raises:
        InputError: more than 32767 ticks a quarter.
    """
    kind = next((m for m in score.marks if m.kind is MarkKind.FORMAT), None)
    quarter, scale = score.ticks_per_quarter, 1
    if quarter == TICKS_PER_QUARTER and kind is None:
        quarter, scale = _FILE_TICKS, _FILE_TICKS // TICKS_PER_QUARTER
    if quarter > 32767:
        raise InputError(f"score has {quarter} ticks a quarter; allowed in MIDI: 1 to 32767")
    places = _places(score)
    marks: dict[int, list[Mark]] = defaultdict(list)
    for mark in score.marks:
        marks[mark.track].append(mark)
    chunks: dict[int, _Events] = defaultdict(list)
    ends: dict[int, int] = defaultdict(int)
    first = chunks[0]
    encoding = kind.text if kind else "utf-8"
    own = next((m.text for m in score.marks if m.kind is MarkKind.TITLE), "" if kind else title)
    if own and not any(chunk == 0 for chunk, _ in places):
        first.append((0, _FIRST, _meta(_NAME, encode(own, encoding))))
    for number, text in ((_COPYRIGHT, rights), (_TEXT, note)):
        if text := "".join(c for c in text if c.isprintable()):
            first.append((0, _FIRST, _meta(number, encode(text, encoding))))
    elsewhere = {(m.text, m.tick) for m in score.marks if m.kind is MarkKind.RESTATED and m.value}
    first += [e for name, e in _maps(score) if (name, e[0]) not in elsewhere]
    if kind:
        ends[0] = max(kind.end, 0)
    named: set[int] = set()
    for index, track in enumerate(score.tracks):
        chunk, channel = places[index]
        where = next((m for m in marks[index] if m.kind is MarkKind.CHANNEL), None)
        name = track.name or ("" if where else _instrument(score, index))
        if name and chunk not in named:
            named.add(chunk)
            chunks[chunk].append((0, _FIRST, _meta(_NAME, encode(name, encoding))))
        chunks[chunk] += _sound(score, index, channel, marks[index])
        ends[chunk] = max(ends[chunk], where.end if where else 0)
    chunks[0] += [event for m in marks[WHOLE] for event in _events(m, -1, encoding)]
    maps: dict[tuple[str, int], _Events] = defaultdict(list)
    if any(m.kind is MarkKind.RESTATED for m in score.marks):
        for name, event in _maps(score):
            maps[name, event[0]].append(event)
    for m in score.marks:
        if m.kind is MarkKind.RESTATED:
            chunks[0 if m.track == WHOLE else places[m.track][0]] += maps[m.text, m.tick]
    for index, (chunk, channel) in enumerate(places):
        chunks[chunk] += [event for m in marks[index] for event in _events(m, channel, encoding)]
        chunks[chunk] += _notes(score, index, channel, marks[index])
    form = 0 if kind and kind.number == 0 and len(chunks) == 1 else 1
    header = b"MThd" + b"".join(n.to_bytes(w, "big") for n, w in ((6, 4), (form, 2), (len(chunks), 2)))
    bodies = [_chunk(chunks[c], ends[c], scale) for c in sorted(chunks)]
    return header + quarter.to_bytes(2, "big") + b"".join(bodies)


def _places(score: Score) -> list[tuple[int, int]]:
    """Chunk and channel of each track: where it was read from, else new ones."""
    said = {m.track: m for m in score.marks if m.kind is MarkKind.CHANNEL}
    free = [c for c in _CHANNELS if c not in {m.value for m in said.values()}] or list(_CHANNELS)
    chunk = max((m.number for m in said.values()), default=0)
    places, new = [], 0
    for index, track in enumerate(score.tracks):
        mark = said.get(index)
        if mark is None:
            chunk += 1
        channel = mark.value if mark else -1
        if channel < 0 and track.is_drum:
            channel = _DRUM_CHANNEL
        elif channel < 0 and (mark is None or bool((score.track == index).any())):
            channel = free[new % len(free)]
            new += 1
        places.append((mark.number if mark else chunk, channel))
    return places


def _instrument(score: Score, index: int) -> str:
    """Name of a track's instrument, numbered where several play it: `Violin 2`."""
    track = score.tracks[index]
    if track.is_drum:
        return "Drums"
    same = [i for i, t in enumerate(score.tracks) if not t.is_drum and t.program == track.program]
    name = NAMES[track.program].capitalize()
    return name if len(same) == 1 else f"{name} {same.index(index) + 1}"


def _maps(score: Score) -> Iterator[tuple[str, tuple[int, int, bytes]]]:
    """The events of the maps, each with its map's name."""
    implied = {m.text for m in score.marks if m.kind is MarkKind.IMPLIED}
    clicks = {m.tick: bytes((m.number, m.value)) for m in score.marks if m.kind is MarkKind.CLICK}
    for i, metre in enumerate(score.metres):
        if i or score.upbeat_ticks or "metre" not in implied or metre[1:] != (4, 4):
            upbeat = 0 if i else score.upbeat_ticks
            for event in _metre(metre, upbeat, score.ticks_per_quarter, clicks):
                yield "metre", event
    for key in score.keys[1 if "key" in implied else 0 :]:
        for event in _key(key):
            yield "key", event
    for i, tempo in enumerate(score.tempos):
        if i or "tempo" not in implied or tempo.bpm != 120:
            microseconds = min(round(60_000_000 / tempo.bpm), 0xFFFFFF)
            yield "tempo", (tempo.tick, _MAPS, _meta(_TEMPO, microseconds.to_bytes(3, "big")))


def _metre(metre: Metre, upbeat: int, quarter: int, clicks: dict[int, bytes]) -> _Events:
    out: _Events = []
    tick = metre.tick
    if upbeat:
        # An upbeat in a time signature of its own, in lowest terms.
        for bottom in (4, 8, 16, 32, 64):
            top, rest = divmod(upbeat * bottom, 4 * quarter)
            if not rest and top < 256:
                short = _meta(0x58, bytes((top, bottom.bit_length() - 1, 24, 8)))
                out.append((0, _MAPS, short))
                tick = upbeat
                break
        else:
            out.append((0, _MARKS, _meta(6, f"upbeat: {upbeat} of {quarter} a quarter".encode())))
    click = clicks.get(metre.tick, bytes((24, 8)))
    numbers = bytes((min(metre.numerator, 255), metre.denominator.bit_length() - 1))
    out.append((tick, _MAPS, _meta(0x58, numbers + click)))
    return out


def _key(key: Key) -> Iterator[tuple[int, int, bytes]]:
    minor = key.mode in ("minor", "dorian", "phrygian", "locrian")
    yield key.tick, _MAPS, _meta(_KEY, bytes((key.fifths & 0xFF, minor)))
    if key.mode not in ("major", "minor"):
        yield key.tick, _MARKS, _meta(6, f"key: {key.fifths} fifths {key.mode} ({key.name})".encode())


def _sound(score: Score, index: int, channel: int, marks: list[Mark]) -> Iterator[tuple[int, int, bytes]]:
    """Program, volume and pan of a track; a track that was read from MIDI has its own."""
    track = score.tracks[index]
    said = any(m.kind is MarkKind.PROGRAM for m in marks)
    read = any(m.kind is MarkKind.CHANNEL for m in marks)
    if channel >= 0 and not said and not track.is_drum and (track.program or not read):
        yield 0, _MAPS, bytes((0xC0 | channel, track.program))
    if not read:
        yield 0, _MAPS, bytes((0xB0 | channel, _VOLUME, 100))
        yield 0, _MAPS, bytes((0xB0 | channel, _PAN, 64))


def _notes(score: Score, index: int, channel: int, marks: list[Mark]) -> Iterator[tuple[int, int, bytes]]:
    usual = DEFAULT_RELEASE
    instant = {(m.tick, m.pitch) for m in marks if m.kind is MarkKind.INSTANT}
    single: dict[tuple[int, int], int] = {}
    for mark in marks:
        if mark.kind is MarkKind.RELEASE:
            if mark.pitch < 0:
                usual = mark.value
            else:
                single[mark.tick, mark.pitch] = mark.value
    on, off = 0x90 | channel, 0x80 | channel
    for onset, length, pitch, velocity, _ in score.notes()[score.track == index].tolist():
        release = single.get((onset, pitch), usual) if single else usual
        end = bytes((on, pitch, 0)) if release < 0 else bytes((off, pitch, release))
        yield onset, _ON, bytes((on, pitch, velocity))
        if instant and (onset, pitch) in instant and length == 1:
            yield onset, _ENDED, end
        else:
            yield onset + length, _OFF, end


def _events(mark: Mark, channel: int, encoding: str) -> Iterator[tuple[int, int, bytes]]:
    if mark.kind is MarkKind.PEDAL and channel >= 0:
        yield mark.tick, _MARKS, bytes((0xB0 | channel, _PEDAL, 127))
        if mark.end >= 0:
            yield mark.end, _MARKS, bytes((0xB0 | channel, _PEDAL, 0))
    # A tempo or key that another one of its tick replaces comes before it.
    order = _FIRST if mark.kind is MarkKind.SEQUENCER and mark.number in (_TEMPO, _KEY) else _MARKS
    for event in _event(mark, channel, encoding):
        yield mark.tick, order, event


def _event(mark: Mark, channel: int, encoding: str) -> Iterator[bytes]:
    """The MIDI event of a mark, if there is one."""
    kind, value = mark.kind, mark.value
    if kind in _TEXTS:
        if kind is not MarkKind.LYRIC or mark.number <= 1:
            goes_on = kind is MarkKind.LYRIC and value in (Syllabic.BEGIN, Syllabic.MIDDLE)
            text = mark.text + ("-" if goes_on and not mark.text.endswith("-") else "")
            yield _meta(_TEXTS[kind], encode(text, encoding))
    elif kind in _LABELS:
        yield _meta(_TEXT, encode(f"{_LABELS[kind]}: {mark.text}", encoding))
    elif kind is MarkKind.SYSEX:
        data = bytes.fromhex(mark.text)
        yield (b"\xf7" if mark.number else b"\xf0") + _varying(len(data)) + data
    elif kind is MarkKind.SEQUENCER:
        yield _meta(mark.number or 0x7F, bytes.fromhex(mark.text))
    elif kind is MarkKind.SMPTE_OFFSET:
        yield _meta(0x54, bytes.fromhex(mark.text))
    elif kind is MarkKind.PORT:
        yield _meta(0x21, bytes((value & 0xFF,)))
    elif mark.track == WHOLE or channel < 0:
        return
    elif kind is MarkKind.CONTROLLER:
        yield bytes((0xB0 | channel, mark.number, value))
    elif kind is MarkKind.PROGRAM:
        yield bytes((0xC0 | channel, value))
    elif kind is MarkKind.PITCH_BEND:
        yield bytes((0xE0 | channel, value + 8192 & 127, value + 8192 >> 7))
    elif kind is MarkKind.CHANNEL_PRESSURE:
        yield bytes((0xD0 | channel, value))
    elif kind is MarkKind.KEY_PRESSURE:
        yield bytes((0xA0 | channel, mark.pitch, value))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _varying(len(data)) + data


def _varying(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


def _chunk(events: _Events, end: int, scale: int) -> bytes:
    """One track chunk with delta times; `end` is where it ends at least."""
    out = bytearray()
    now = 0
    for tick, _, event in sorted(events, key=lambda e: e[:2]):
        delta = (tick - now) * scale
        if delta < 128:
            out.append(delta)
        else:
            out += _varying(delta)
        out += event
        now = tick
    out += _varying(max(end - now, 0) * scale) + b"\xff\x2f\x00"
    return b"MTrk" + len(out).to_bytes(4, "big") + bytes(out)
