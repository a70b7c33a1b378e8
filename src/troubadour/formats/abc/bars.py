"""Lay the written bars of an ABC tune's voices out in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.barlines import WrittenBar, lay_out
from troubadour.music.score import Key, Metre, Score, Tempo, Track

TICKS_PER_QUARTER: Final = 10080
"""Divisible by 2^5, 3^2, 5 and 7: the tuplets that occur come out exact."""
PROGRAM: Final = 40
"""General MIDI violin: most ABC is music for the fiddle."""
MAX_QUARTERS: Final = 20_000


@dataclass(slots=True)
class AbcEvent:
    """Notes or a rest of one voice; times in ticks from the bar's start."""

    start: int
    length: int
    pitches: list[int]
    tied: bool = False


@dataclass(slots=True)
class Bar:
    """One written bar of one voice; times in ticks from its start."""

    events: list[AbcEvent]
    length: int
    metre: Metre
    key: Key
    line: str
    """The barline that ends it."""


def assemble(voices: Mapping[str, Sequence[Bar]], bpm: float, repairs: list[str]) -> tuple[Score, float]:
    """Lay written bars on a grid of metres; the longest voice's bars say where the others' stand.

    Args:
        voices: bars by the voice's name.
        repairs: what had to be mended is appended.

    Returns:
        The score, and the share of irregular bars, 0 to 1.

    Raises:
        InputError: it is longer than `MAX_QUARTERS`.
    """
    lead = max(voices.values(), key=len)
    squeezed = _make_room(lead)
    if squeezed:
        repairs.append(f"{squeezed} last notes of sections shortened to make room for an upbeat")
    written = [WrittenBar(b.length, b.metre, _ends_section(b.line)) for b in lead]
    starts, metres, upbeat, irregular = lay_out(written, TICKS_PER_QUARTER)
    if irregular:
        repairs.append(f"irregular bars: {irregular} of {len(written)}")
    if starts[-1] > MAX_QUARTERS * TICKS_PER_QUARTER:
        raise InputError(f"longer than {MAX_QUARTERS} quarter notes")
    rows: list[tuple[int, int, int, int, int]] = []
    for track, bars in enumerate(voices.values()):
        rows += _notes(bars, starts, track)
    keys: list[Key] = []
    for bar, start in zip(lead, starts, strict=True):
        if not keys or bar.key[1:] != keys[-1][1:]:
            keys.append(bar.key._replace(tick=start if keys else 0))
    score = Score.from_notes(
        rows,
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tuple(Track(PROGRAM, name=name) for name in voices),
        tempos=(Tempo(0, bpm),),
        metres=tuple(metres),
        keys=tuple(keys),
        upbeat_ticks=upbeat,
    )
    return score, irregular / max(1, len(written))


def _make_room(bars: Sequence[Bar]) -> int:
    """Shorten full last bars of sections before a section that brings its own upbeat; how many."""
    count = 0
    for before, bar, after in zip(bars, bars[1:], [*bars[2:], None], strict=False):
        whole = bar.metre.bar_ticks(TICKS_PER_QUARTER)
        completed = after is not None and bar.length + after.length == whole
        if not 0 < bar.length < whole or completed or not _ends_section(before.line):
            continue
        last = before.events[-1] if before.events else None
        if before.length == whole and last and last.length > bar.length and not last.tied:
            last.length -= bar.length
            before.length -= bar.length
            count += 1
    return count


def _ends_section(line: str) -> bool:
    return ":" in line or "||" in line or "]" in line or not line


def _notes(bars: Sequence[Bar], starts: list[int], track: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Notes of a voice as rows, ties joined."""
    tied: dict[int, tuple[int, int]] = {}  # pitch -> start, end
    for bar, bar_start in zip(bars, starts, strict=False):
        for event in bar.events:
            start = bar_start + event.start
            end = start + event.length
            going_on: dict[int, tuple[int, int]] = {}
            for pitch in event.pitches:
                first, until = tied.pop(pitch, (start, start))
                if until != start:
                    yield _row(first, until, pitch, track)
                    first = start
                if event.tied:
                    going_on[pitch] = (first, end)
                else:
                    yield _row(first, end, pitch, track)
            for pitch, (first, until) in tied.items():
                yield _row(first, until, pitch, track)
            tied = going_on
    for pitch, (first, until) in tied.items():
        yield _row(first, until, pitch, track)


def _row(start: int, end: int, pitch: int, track: int) -> tuple[int, int, int, int, int]:
    return start, max(1, end - start), pitch, 80, track
