"""Scores: immutable symbolic music as sorted note columns, maps and marks."""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.core.errors import InputError
from troubadour.music.marks import Mark, MarkKind, in_order, transpose_chord
from troubadour.music.theory.keys import MODES, Key, simplest_signature
from troubadour.music.theory.metre import Metre

Column = NDArray[np.int32]


class Tempo(NamedTuple):
    """A tempo from `tick` on."""

    tick: int
    bpm: float
    """Quarter notes a minute, in every metre."""


class Track(NamedTuple):
    """The part of one instrument. Names are labels and do not count in comparisons of scores."""

    program: int = 0
    """General MIDI program, 0 to 127 (0 = piano). Ignored for drums."""
    is_drum: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """An immutable piece of symbolic music.

    Note columns have one entry a note and are sorted by (onset, track, pitch, duration, velocity).
    All times are integer ticks of 1 / `ticks_per_quarter` of a quarter. The first bar starts at tick 0;
    `upbeat_ticks` is its length if it is an upbeat (anacrusis), else 0. Each of the maps (tempos,
    metres, keys) has an entry at tick 0 and is sorted by tick. Marks hold everything else that a source
    contains; `==` and `hash` ignore them, `same_marks` compares them.

    Raises:
        InputError: a value of a column or map is out of range; the message names it and the range.
    """

    ticks_per_quarter: int
    onset: Column
    """Start of each note in ticks, >= 0."""
    duration: Column
    """Length of each note in ticks, >= 1."""
    pitch: Column
    """MIDI pitch, 0 to 127 (60 = middle C); the General MIDI drum on a drum track."""
    velocity: Column
    """1 to 127."""
    track: Column
    """Index into `tracks`."""
    tracks: tuple[Track, ...]
    tempos: tuple[Tempo, ...] = (Tempo(0, 120.0),)
    metres: tuple[Metre, ...] = (Metre(0, 4, 4),)
    keys: tuple[Key, ...] = (Key(0, 0, "major"),)
    upbeat_ticks: int = 0
    marks: tuple[Mark, ...] = ()
    """Sorted by (tick, track); marks at one place keep their order."""

    def __post_init__(self) -> None:
        columns = [
            np.asarray(getattr(self, name), dtype=np.int32).reshape(-1)
            for name in ("onset", "duration", "pitch", "velocity", "track")
        ]
        if len({len(c) for c in columns}) > 1:
            raise InputError(f"note columns differ in length: {[len(c) for c in columns]}")
        onset, duration, pitch, velocity, track = columns
        _check_range("onset", onset, 0, 2**30)
        _check_range("duration", duration, 1, 2**30)
        _check_range("pitch", pitch, 0, 127)
        _check_range("velocity", velocity, 1, 127)
        _check_range("track", track, 0, len(self.tracks) - 1)
        if not 1 <= self.ticks_per_quarter <= 2**15:
            raise InputError(f"ticks_per_quarter is {self.ticks_per_quarter}; allowed: 1 to 32768")
        order = np.lexsort((velocity, duration, pitch, track, onset))
        for name, column in zip(("onset", "duration", "pitch", "velocity", "track"), columns, strict=True):
            ordered = np.ascontiguousarray(column[order])
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)
        for name in ("tempos", "metres", "keys", "tracks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("tempos", "metres", "keys"):
            ticks = [entry.tick for entry in getattr(self, name)]
            if not ticks or ticks[0] != 0 or any(b <= a for a, b in pairwise(ticks)):
                raise InputError(f"{name} must start at tick 0 and rise; ticks are {ticks[:8]}")
        for tempo in self.tempos:
            if not 1.0 <= tempo.bpm <= 2000.0:
                raise InputError(f"tempo is {tempo.bpm} quarters a minute; allowed: 1 to 2000")
        for metre in self.metres:
            if metre.numerator < 1 or metre.denominator not in (1, 2, 4, 8, 16, 32, 64):
                raise InputError(f"metre is {metre.name}; allowed: n/1, n/2, n/4 ... n/64, n >= 1")
        for key in self.keys:
            if not -7 <= key.fifths <= 7 or key.mode not in MODES:
                raise InputError(f"key is {key}; allowed: fifths -7 to 7, mode one of {MODES}")
        if self.upbeat_ticks < 0 or (
            self.upbeat_ticks and self.upbeat_ticks >= self.metres[0].bar_ticks(self.ticks_per_quarter)
        ):
            raise InputError(f"upbeat_ticks is {self.upbeat_ticks}; allowed: 0 to less than one bar")
        if self.marks:
            object.__setattr__(self, "marks", in_order(self.marks, len(self.tracks)))
        elif self.marks != ():
            object.__setattr__(self, "marks", ())

    def __len__(self) -> int:
        """Number of notes."""
        return len(self.onset)

    def __eq__(self, other: object) -> bool:
        """Whether columns, maps and the instruments of the tracks are equal; names and marks do not count."""
        if not isinstance(other, Score):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return (
            self.ticks_per_quarter,
            self.upbeat_ticks,
            tuple((0 if t.is_drum else t.program, t.is_drum) for t in self.tracks),
            self.tempos,
            self.metres,
            self.keys,
            self.onset.tobytes(),
            self.duration.tobytes(),
            self.pitch.tobytes(),
            self.velocity.tobytes(),
            self.track.tobytes(),
        )

    def same_marks(self, other: Score) -> bool:
        """Whether both have the same marks, in any order at one place, and the same track names."""
        names = [t.name for t in self.tracks] == [t.name for t in other.tracks]
        return names and sorted(self.marks) == sorted(other.marks)

    @classmethod
    def from_notes(
        cls,
        notes: ArrayLike,
        *,
        ticks_per_quarter: int,
        tracks: tuple[Track, ...] = (Track(),),
        **maps: Any,
    ) -> Self:
        """Build from rows (onset, duration, pitch, velocity, track), shape (n, 5)."""
        rows = np.asarray(notes, dtype=np.int32).reshape(-1, 5)
        return cls(
            ticks_per_quarter, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4], tracks, **maps
        )

    def notes(self) -> Column:
        """All notes as rows (onset, duration, pitch, velocity, track), shape (n, 5)."""
        return np.stack([self.onset, self.duration, self.pitch, self.velocity, self.track], axis=1)

    @property
    def end_ticks(self) -> int:
        """Tick at which the last note ends; 0 for a score without notes."""
        return int((self.onset + self.duration).max()) if len(self) else 0

    def bar_starts(self) -> Column:
        """First ticks of all bars up to the one in which the last note ends, shape (n,).

        An upbeat is a bar of its own.
        """
        starts: list[int] = []
        end = max(self.end_ticks, 1)
        for i, metre in enumerate(self.metres):
            until = self.metres[i + 1].tick if i + 1 < len(self.metres) else end
            tick = metre.tick
            length = max(1, metre.bar_ticks(self.ticks_per_quarter))
            if i == 0 and self.upbeat_ticks:
                starts.append(0)
                tick = self.upbeat_ticks
            while tick < min(until, end):
                starts.append(tick)
                tick += length
        return np.asarray(starts, dtype=np.int32)

    @property
    def n_bars(self) -> int:
        """Number of bars without an upbeat."""
        return len(self.bar_starts()) - (1 if self.upbeat_ticks else 0)

    def seconds_at(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Seconds from the start for ticks, by the tempo map, shape of `ticks`."""
        starts = np.array([t.tick for t in self.tempos], dtype=np.float64)
        per_tick = np.array([60.0 / t.bpm / self.ticks_per_quarter for t in self.tempos])
        at_start = np.concatenate([[0.0], np.cumsum(np.diff(starts) * per_tick[:-1])])
        ticks = np.asarray(ticks, dtype=np.float64)
        segment = np.searchsorted(starts, ticks, side="right") - 1
        seconds: NDArray[np.float64] = at_start[segment] + (ticks - starts[segment]) * per_tick[segment]
        return seconds

    @property
    def seconds(self) -> float:
        """Playing time in seconds, from tick 0 to the end of the last note."""
        return float(self.seconds_at(self.end_ticks))

    def replace(self, **changes: Any) -> Score:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def where(self, mask: NDArray[np.bool_]) -> Score:
        """The score with only the notes for which `mask`, shape (n_notes,), is true; tracks and maps stay.

        Marks of removed notes are removed; all other marks stay.
        """
        marks = self.marks
        if any(m.on_note for m in marks):
            rows = zip(self.onset[mask], self.track[mask], self.pitch[mask], strict=True)
            here = {(int(on), int(track), int(pitch)) for on, track, pitch in rows}
            marks = tuple(m for m in marks if not m.on_note or (m.tick, m.track, m.pitch) in here)
        return self.replace(
            onset=self.onset[mask],
            duration=self.duration[mask],
            pitch=self.pitch[mask],
            velocity=self.velocity[mask],
            track=self.track[mask],
            marks=marks,
        )

    def transpose(self, semitones: int) -> Score:
        """The score with pitches (not of drums), keys, chord symbols and pitches of marks transposed.

        Args:
            semitones: -12 to 12; positive is up.

        Raises:
            InputError: a pitch would lie outside 0 to 127.
        """
        drums = np.array([t.is_drum for t in self.tracks], dtype=bool)[self.track]
        keys = tuple(
            Key(k.tick, simplest_signature(k.fifths + 7 * semitones, k.fifths), k.mode) for k in self.keys
        )
        pitch = np.where(drums, self.pitch, self.pitch + semitones)
        return self.replace(pitch=pitch, keys=keys, marks=self._transposed_marks(semitones, keys))

    def _transposed_marks(self, semitones: int, keys: tuple[Key, ...]) -> tuple[Mark, ...]:
        if not self.marks:
            return ()
        starts = np.array([k.tick for k in self.keys])
        marks = []
        for mark in self.marks:
            if mark.kind is MarkKind.CHORD:
                # Chords move along the line of fifths with the key, so that their spelling fits it.
                i = int(np.searchsorted(starts, mark.tick, side="right")) - 1
                moved = transpose_chord(mark.text, keys[i].fifths - self.keys[i].fifths)
                mark = mark._replace(text=moved)
            if mark.pitch >= 0 and not (mark.track >= 0 and self.tracks[mark.track].is_drum):
                mark = mark._replace(pitch=min(max(mark.pitch + semitones, 0), 127))
            marks.append(mark)
        return tuple(marks)

    def to_bytes(self) -> bytes:
        """Compact, versioned binary form: a JSON header and the note columns, compressed by zlib."""
        header = json.dumps(
            {
                "version": 2,
                "ticks_per_quarter": self.ticks_per_quarter,
                "notes": len(self),
                "tracks": [[t.program, int(t.is_drum), t.name] for t in self.tracks],
                "tempos": self.tempos,
                "metres": self.metres,
                "keys": self.keys,
                "upbeat_ticks": self.upbeat_ticks,
                "marks": self.marks,
            },
            separators=(",", ":"),
        ).encode()
        columns = self.notes().astype("<i4").T.tobytes()
        return zlib.compress(struct.pack("<I", len(header)) + header + columns, 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The score that `to_bytes` has written.

        Raises:
            InputError: the bytes are damaged or of another version.
        """
        try:
            raw = zlib.decompress(data)
            (length,) = struct.unpack_from("<I", raw)
            header = json.loads(raw[4 : 4 + length])
            if header["version"] not in (1, 2):
                raise InputError(f"score format version {header['version']}; this program reads 1 and 2")
            rows = np.frombuffer(raw, dtype="<i4", offset=4 + length).reshape(5, header["notes"])
            marks = tuple(Mark(m[0], m[1], MarkKind(m[2]), *m[3:]) for m in header.get("marks", ()))
        except (zlib.error, struct.error, KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a stored score: {error}") from error
        return cls(
            header["ticks_per_quarter"],
            rows[0],
            rows[1],
            rows[2],
            rows[3],
            rows[4],
            tuple(Track(p, bool(d), n) for p, d, n in header["tracks"]),
            tuple(Tempo(*t) for t in header["tempos"]),
            tuple(Metre(*m) for m in header["metres"]),
            tuple(Key(*k) for k in header["keys"]),
            header["upbeat_ticks"],
            marks,
        )


def _check_range(name: str, column: Column, low: int, high: int) -> None:
    if len(column) and (column.min() < low or column.max() > high):
        bad = int(column.min()) if column.min() < low else int(column.max())
        raise InputError(f"{name} has the value {bad}; allowed: {low} to {high}")


__all__ = ["MODES", "Column", "Key", "Metre", "Score", "Tempo", "Track"]
