"""The notes of a staff as they are written: lengths that a copyist would choose, chords and voices.

Notes that a person played end a little early or late. They are written with the length that was
meant; the difference goes into the file as a release, so that nothing of the performance is lost.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from troubadour.formats.engraving.measures import beat_ticks, written_bars
from troubadour.formats.engraving.percussion import drum_of
from troubadour.formats.engraving.pulse import QUARTER, THIRTY_SECOND
from troubadour.music.score import Score

_SHORTEST: Final = THIRTY_SECOND
_EIGHTH: Final = QUARTER // 2
_PLAYED: Final = 0.04
"""Share of notes that a rest of a 32nd follows, from which on a staff counts as played."""
_HELD: Final = 0.6
"""Share of the time to the next note from which on a played note is written as held until there."""


class StaffNote(NamedTuple):
    """One note of a staff."""

    start: int
    end: int
    """As written, in ticks."""
    pitch: int
    """As it sounds."""
    velocity: int
    track: int
    release: int
    """Ticks from the written end to the one that sounds."""


@dataclass(frozen=True, slots=True)
class WrittenChord:
    """Notes of one voice that start and end together as written, the lowest first."""

    start: int
    end: int
    notes: tuple[StaffNote, ...]


def as_notated(score: Score) -> Score:
    """The score with notated in place of played lengths; each track counts as one staff.

    Args:
        score: score with `QUARTER` ticks per quarter.
    """
    bars = written_bars(score)
    if not bars:
        return score
    barlines = [bar.start for bar in bars] + [bars[-1].end]
    rows: list[tuple[int, int, int, int, int]] = []
    for track, one in enumerate(score.tracks):
        mine = score.notes()[score.track == track].tolist()
        if one.is_drum:
            voices = drum_voices(mine, barlines, beat_ticks(bars[0].metre))
            notes = [note for voice in voices for chord in voice for note in chord.notes]
        else:
            notes = staff_notes(mine, barlines)
        rows += [(n.start, max(n.end - n.start, 1), n.pitch, n.velocity, track) for n in notes]
    columns = np.array(rows, dtype=np.int32).reshape(-1, 5).T
    names = ("onset", "duration", "pitch", "velocity", "track")
    return score.replace(**dict(zip(names, columns, strict=True)))


def staff_notes(rows: Sequence[Sequence[int]], barlines: Sequence[int]) -> list[StaffNote]:
    """The notes of a staff with the lengths in which they are written.

    Args:
        rows: (onset, duration, pitch, velocity, track) of its notes, by onset.
        barlines: rising ticks of all barlines, the last one after the last note.
    """
    onsets = sorted({row[0] for row in rows})
    starts = set(onsets)
    ragged = sum(1 for r in rows if r[1] > _SHORTEST and _ragged(r[0] + r[1]) and r[0] + r[1] not in starts)
    loose = sum(1 for r in rows if (r[0] + r[1]) % _SHORTEST and r[0] + r[1] not in starts)
    straight = sum(1 for onset in onsets if onset % _SHORTEST) < _PLAYED * len(onsets)
    # Tuplets that only end notes and start none are lengths of a player too.
    played = ragged + (loose if straight else 0) > _PLAYED * len(rows)
    out: list[StaffNote] = []
    for onset, duration, pitch, velocity, track in rows:
        end = onset + duration
        shown = _shown_end(onset, end, onsets, barlines, played)
        out.append(StaffNote(onset, shown, pitch, velocity, track, end - shown))
    return _together(out) if played else out


def _together(notes: Sequence[StaffNote]) -> list[StaffNote]:
    """Notes that are struck together and end nearly together end where the last of them ends."""
    by_start: dict[int, list[StaffNote]] = defaultdict(list)
    for note in notes:
        by_start[note.start].append(note)
    out: list[StaffNote] = []
    for found in by_start.values():
        last = max(n.end for n in found)
        for note in found:
            if last - note.end <= _EIGHTH:
                note = note._replace(end=last, release=note.release + note.end - last)
            out.append(note)
    return out


def _ragged(tick: int) -> bool:
    """Whether a tick is an odd 32nd, counted from the start of the piece."""
    return tick % (2 * _SHORTEST) == _SHORTEST


def _shown_end(onset: int, end: int, onsets: Sequence[int], barlines: Sequence[int], played: bool) -> int:
    duration = end - onset
    inside = onsets[bisect_right(onsets, onset) : bisect_left(onsets, end)]
    if played and inside:
        last = inside[-1]
        # A note that hangs over the next one a little was meant to end there.
        if end - last <= min(2 * _SHORTEST, duration // 3):
            return last
    if _starts(barlines, end) or _starts(onsets, end):
        return end
    after = bisect_left(onsets, end)
    following = onsets[after] if after < len(onsets) else barlines[-1]
    following = min(following, barlines[min(bisect_left(barlines, end), len(barlines) - 1)])
    gap = following - end
    if gap <= _SHORTEST and duration > _SHORTEST:
        return following
    if not played:
        return end
    if duration >= _HELD * (following - onset) and following - onset <= 4 * QUARTER:
        return following
    step = _EIGHTH if duration >= _EIGHTH // 2 and onset % _EIGHTH == 0 else _EIGHTH // 2
    if onset % step:
        return end if end % (2 * _SHORTEST) == 0 else min(following, end + _SHORTEST - end % _SHORTEST)
    return min(following, max(onset + step, round(end / step) * step))


def _starts(onsets: Sequence[int], tick: int) -> bool:
    place = bisect_left(onsets, tick)
    return place < len(onsets) and onsets[place] == tick


def drum_voices(
    rows: Sequence[Sequence[int]], barlines: Sequence[int], beat: int
) -> list[list[WrittenChord]]:
    """The voices of a drum staff: hands above, feet below; a stroke lasts until the next one or the beat."""
    voices: list[list[WrittenChord]] = []
    for foot in (False, True):
        mine = [r for r in rows if drum_of(r[2]).foot is foot]
        onsets = sorted({r[0] for r in mine})
        chords: list[WrittenChord] = []
        for i, onset in enumerate(onsets):
            bar = barlines[bisect_right(barlines, onset) - 1]
            end = bar + ((onset - bar) // beat + 1) * beat
            end = min(end, barlines[bisect_right(barlines, onset)])
            if i + 1 < len(onsets):
                end = min(end, onsets[i + 1])
            notes = [StaffNote(r[0], end, r[2], r[3], r[4], r[0] + r[1] - end) for r in mine if r[0] == onset]
            chords.append(WrittenChord(onset, end, tuple(sorted(notes, key=lambda n: n.pitch))))
        if chords:
            voices.append(chords)
    return voices or [[]]


def voices_of(notes: Sequence[StaffNote]) -> list[list[WrittenChord]]:
    """The voices of a staff, nothing overlapping in any, the highest first wherever there are several."""
    together: dict[tuple[int, int], list[StaffNote]] = defaultdict(list)
    for note in notes:
        together[note.start, note.end].append(note)
    chords = [
        WrittenChord(start, end, tuple(sorted(found, key=lambda n: n.pitch)))
        for (start, end), found in together.items()
    ]
    chords.sort(key=lambda c: (c.start, -c.notes[-1].pitch, c.end))
    voices: list[list[WrittenChord]] = [[]]
    stretch: list[WrittenChord] = []
    until = 0
    for chord in chords:
        if stretch and chord.start >= until:
            _settle(stretch, voices)
            stretch = []
        stretch.append(chord)
        until = max(until, chord.end)
    if stretch:
        _settle(stretch, voices)
    return voices


def _settle(stretch: Sequence[WrittenChord], voices: list[list[WrittenChord]]) -> None:
    """Add a stretch without a common rest to the voices, the highest of its lines to the first."""
    lines: list[list[WrittenChord]] = []
    for chord in stretch:
        free = [line for line in lines if line[-1].end <= chord.start]
        if free:
            top = chord.notes[-1].pitch
            min(free, key=lambda line: abs(line[-1].notes[-1].pitch - top)).append(chord)
        else:
            lines.append([chord])
    lines.sort(key=lambda line: -sum(c.notes[-1].pitch * (c.end - c.start) for c in line) / _length(line))
    for i, line in enumerate(lines):
        if i == len(voices):
            voices.append([])
        voices[i] += line


def _length(line: Sequence[WrittenChord]) -> int:
    return sum(c.end - c.start for c in line)
