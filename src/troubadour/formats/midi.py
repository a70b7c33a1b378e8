"""Read and write Standard MIDI Files, through symusic.

MIDI cannot say that a bar is an upbeat, nor name modes other than major and minor. An upbeat is
written as notation programs do, as a short first bar in a time signature of its own; modes, and
upbeats that no time signature fits, go into marker texts (`key: D dorian`), which sequencers show
and which are read back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import symusic

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.music.piece import Piece
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track

MAX_BYTES: Final = 10_000_000
MAX_NOTES: Final = 200_000
MAX_TRACKS: Final = 64
"""Tracks with notes."""
MAX_SECONDS: Final = 3 * 3600
_FILE_TICKS: Final = 480
_TEXT: Final = 1
_COPYRIGHT: Final = 2
_MOST_TEXT: Final = 127  # so that its length is one byte
_MARKER: Final = re.compile(r"key: (-?\d) fifths (\w+)")
_UPBEAT: Final = re.compile(r"upbeat: (\d+) of 24 a quarter")


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
    """The piece in the bytes of a MIDI file.

    Raises:
        UnreadableFileError: not MIDI, damaged, empty, more than 200,000 notes, 64 tracks with
            notes or 3 hours.
    """
    if data[:4] != b"MThd":
        raise UnreadableFileError(name, "not a MIDI file (it does not start with MThd)")
    division = int.from_bytes(data[12:14], "big")
    if len(data) < 14 or not 1 <= division < 2**15:
        raise UnreadableFileError(name, f"division is {division}; allowed: 1 to 32767 ticks a quarter")
    try:
        found = symusic.Score.from_midi(data, sanitize_data=True)
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise UnreadableFileError(name, f"damaged MIDI: {error}") from error
    try:
        return _piece(found, name)
    except InputError as error:
        raise UnreadableFileError(name, str(error)) from error


def _piece(found: Any, name: str) -> Piece:
    tracks = [t for t in found.tracks if len(t.notes)]
    notes = sum(len(t.notes) for t in tracks)
    if not notes:
        raise InputError("no notes")
    if len(tracks) > MAX_TRACKS:
        raise InputError(f"{len(tracks)} tracks with notes; allowed: {MAX_TRACKS}")
    if notes > MAX_NOTES:
        raise InputError(f"{notes} notes; allowed: {MAX_NOTES}")
    end = int(found.end())
    if end >= 2**30:
        raise InputError(f"ends at tick {end}; allowed: below 2^30")
    rows: list[tuple[int, int, int, int, int]] = []
    repaired = 0
    for index, track in enumerate(tracks):
        columns = track.notes.numpy()
        for onset, duration, pitch, velocity in zip(
            columns["time"].tolist(),
            columns["duration"].tolist(),
            columns["pitch"].tolist(),
            columns["velocity"].tolist(),
            strict=True,
        ):
            repaired += duration < 1 or velocity < 1
            rows.append((max(onset, 0), max(duration, 1), pitch, min(max(velocity, 1), 127), index))
    metres, upbeat = _metres(found)
    keys = _keys(found)
    tempos = _rising([Tempo(int(t.time), float(t.qpm)) for t in found.tempos if 1 <= t.qpm <= 2000])
    for text, tick in ((str(m.text), int(m.time)) for m in found.markers):
        if said := _UPBEAT.match(text):
            upbeat = int(said[1]) * found.ticks_per_quarter // TICKS_PER_QUARTER
        elif said := _MARKER.match(text):
            fifths, mode = int(said[1]), said[2]
            if -7 <= fifths <= 7 and mode in MODES:
                keys = [k for k in keys if k.tick != tick] + [Key(tick, fifths, mode)]
    score = Score.from_notes(
        rows,
        ticks_per_quarter=int(found.ticks_per_quarter),
        tracks=tuple(Track(int(t.program), bool(t.is_drum), _text(t.name)) for t in tracks),
        tempos=tuple(tempos or [Tempo(0, 120.0)]),
        metres=tuple(metres),
        keys=tuple(_rising(keys) or [Key(0, 0, "major")]),
        upbeat_ticks=upbeat if upbeat < metres[0].bar_ticks(int(found.ticks_per_quarter)) else 0,
    )
    if score.seconds > MAX_SECONDS:
        raise InputError(f"lasts {score.seconds / 3600:.1f} hours; allowed: {MAX_SECONDS // 3600}")
    repairs = [f"{repaired} notes without length or loudness repaired"] if repaired else []
    title = next((_text(t.name) for t in found.tracks if _text(t.name)), "")
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    generic = not title or (len(score.tracks) > 1 and title in {t.name for t in score.tracks})
    return Piece(score, stem if generic else title, source=name, repairs=tuple(repairs))


def _metres(found: Any) -> tuple[list[Metre], int]:
    """Time signatures that a score can hold; nonsense ones are passed over."""
    metres = [
        Metre(int(t.time), int(t.numerator), int(t.denominator))
        for t in found.time_signatures
        if 1 <= t.numerator <= 64 and t.denominator in (1, 2, 4, 8, 16, 32, 64)
    ]
    metres = _rising(metres) or [Metre(0, 4, 4)]
    return metres, 0


def _keys(found: Any) -> list[Key]:
    return [
        Key(int(k.time), int(k.key), "minor" if k.tonality else "major")
        for k in found.key_signatures
        if -7 <= k.key <= 7
    ]


def _rising(entries: list[Any]) -> list[Any]:
    """Sorted by tick, the last of each tick, the first one at 0; what repeats itself is left out."""
    by_tick = {entry.tick: entry for entry in sorted(entries, key=lambda e: e.tick) if entry.tick >= 0}
    kept: list[Any] = []
    for entry in by_tick.values():
        if not kept or entry[1:] != kept[-1][1:]:
            kept.append(entry)
    if kept and kept[0].tick > 0:
        kept[0] = kept[0]._replace(tick=0)
    return kept


def write_midi(score: Score, *, title: str = "", rights: str = "", note: str = "") -> bytes:
    """A format 1 MIDI file of a quantised score.

    Reading it back and quantising gives the same score. More than 15 pitched tracks share
    channels; those on one channel then sound with the program of the last.

    Args:
        rights: for the file's copyright event; printable ASCII is kept.
        note: for its text event, such as that a machine composed the piece.

    Raises:
        InputError: the score is not quantised.
    """
    if score.ticks_per_quarter != TICKS_PER_QUARTER:
        raise InputError(f"score has {score.ticks_per_quarter} ticks a quarter; quantise it first")
    scale = _FILE_TICKS // TICKS_PER_QUARTER
    out: Any = symusic.Score(_FILE_TICKS)
    upbeat = score.upbeat_ticks
    for i, metre in enumerate(score.metres):
        tick = metre.tick * scale
        if not i and upbeat:
            # An upbeat of n 32nds in a time signature of its own, in lowest terms.
            top, bottom = upbeat // 3, 32
            while not top % 2 and bottom > 4:
                top, bottom = top // 2, bottom // 2
            if upbeat % 3 == 0:
                out.time_signatures.append(symusic.TimeSignature(0, top, bottom))
                tick = upbeat * scale
            else:
                out.markers.append(symusic.TextMeta(0, f"upbeat: {upbeat} of 24 a quarter"))
        out.time_signatures.append(symusic.TimeSignature(tick, metre.numerator, metre.denominator))
    for key in score.keys:
        minor = key.mode in ("minor", "dorian", "phrygian", "locrian")
        out.key_signatures.append(symusic.KeySignature(key.tick * scale, key.fifths, int(minor)))
        if key.mode not in ("major", "minor"):
            text = f"key: {key.fifths} fifths {key.mode} ({key.name})"
            out.markers.append(symusic.TextMeta(key.tick * scale, text))
    for tempo in score.tempos:
        out.tempos.append(symusic.Tempo(tempo.tick * scale, qpm=tempo.bpm))
    for index, track in enumerate(score.tracks):
        name = track.name or (title if len(score.tracks) == 1 else f"{title} {index + 1}".strip())
        part: Any = symusic.Track(name, track.program, track.is_drum)
        mine = score.track == index
        for onset, duration, pitch, velocity, _ in score.notes()[mine].tolist():
            part.notes.append(symusic.Note(onset * scale, duration * scale, pitch, velocity))
        out.tracks.append(part)
    return _with_texts(bytes(out.dumps_midi()), {_COPYRIGHT: rights, _TEXT: note})


def _with_texts(data: bytes, texts: dict[int, str]) -> bytes:
    """Meta events of text at the start of the first track, where the standard wants the copyright.

    symusic writes none of them.
    """
    events = b""
    for kind, text in texts.items():
        said = "".join(c for c in text if c.isprintable()).encode("ascii", "replace")[:_MOST_TEXT]
        if said:
            events += bytes([0, 0xFF, kind, len(said)]) + said
    if not events:
        return data
    start = data.index(b"MTrk")
    length = int.from_bytes(data[start + 4 : start + 8], "big") + len(events)
    return data[: start + 4] + length.to_bytes(4, "big") + events + data[start + 8 :]


def _text(value: object) -> str:
    return "".join(c for c in str(value) if c.isprintable()).strip()[:200]
