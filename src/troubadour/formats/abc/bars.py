"""Lay the written bars of an ABC tune's voices out in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.abc.marks import VoiceMarks, marks_of
from troubadour.formats.barlines import WrittenBar, lay_out
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.score import Key, Metre, Score, Tempo, Track

TICKS_PER_QUARTER: Final = 10080
"""Divisible by 2^5, 3^2, 5 and 7: the tuplets that occur come out exact."""
PROGRAM: Final = 40
"""General MIDI violin: most ABC is music for the fiddle."""
MAX_QUARTERS: Final = 20_000
GOES_ON: Final = "&"
"""`Bar.line` where no barline stands: a variant ending begins within the bar."""
_LONGEST_FREE_BAR: Final = 12
"""Quarters. A longer bar in free metre says nothing about the metre."""


@dataclass(slots=True)
class AbcEvent:
    """Notes or a rest of one voice; times in ticks from the bar's start."""

    start: int
    length: int
    pitches: list[int]
    lengths: list[int] | None = None
    """Length of each note, where notes of a chord differ."""
    tied: bool = False
    ties: set[int] | None = None
    """Tied pitches, where not all notes of a chord are tied."""
    layer: int = 0
    """Overlay (`&`) within the voice."""

    def scale(self, numerator: int, denominator: int) -> None:
        """Change the length and those of the notes."""
        self.length = self.length * numerator // denominator
        if self.lengths is not None:
            self.lengths = [length * numerator // denominator for length in self.lengths]


@dataclass(slots=True)
class AbcBar:
    """One written bar of one voice; times in ticks from its start."""

    events: list[AbcEvent]
    length: int
    metre: Metre
    key: Key
    """Sounding key at the bar's start."""
    line: str
    """The barline that ends it."""
    free: bool = False
    """Whether the music has no metre (`M:none`)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A tempo, or a key in the middle of a bar."""

    bar: int
    """Index of the written bar."""
    tick: int
    """From the bar's start."""
    to: Tempo | Key


@dataclass(frozen=True, slots=True)
class Ending:
    """A variant ending: written bars `start` up to `end`."""

    number: int
    start: int
    end: int


@dataclass(slots=True)
class Part:
    """A voice as it was read."""

    track: Track
    bars: list[AbcBar]
    changes: list[Change] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    marks: VoiceMarks = field(default_factory=VoiceMarks)
    opens_repeat: bool = False
    """Whether a repeat sign stands before the first bar."""


def with_page(parts: Sequence[Part], tempo: Tempo, repairs: list[str]) -> tuple[Score, Score | None, float]:
    """Lay out the bars of a tune without its first endings, and with all endings where there are some.

    Args:
        tempo: tempo at the start.
        repairs: what had to be mended is appended.

    Returns:
        The score without first endings; the score with all endings, or `None` if they are equal; and the
        share of irregular bars of the first, 0 to 1.

    Raises:
        InputError: it is longer than `MAX_QUARTERS`.
    """
    n_bars = max(len(part.bars) for part in parts)
    kept = _kept_bars(parts, repairs)
    if len(kept) == n_bars:
        score, irregular_share = assemble(parts, tempo, repairs, kept)
        return score, None, irregular_share
    # `assemble` may shorten notes of the bars, so the first call gets a copy.
    page, _ = assemble(deepcopy(parts), tempo, [], range(n_bars))
    repairs.append(f"{n_bars - len(kept)} bars of first endings left out")
    score, irregular_share = assemble(parts, tempo, repairs, kept)
    return score, page, irregular_share


def assemble(
    parts: Sequence[Part], tempo: Tempo, repairs: list[str], kept: Sequence[int]
) -> tuple[Score, float]:
    """Lay written bars on a grid of metres; the longest voice's bars say where the others' stand.

    Args:
        tempo: tempo at the start.
        repairs: what had to be mended is appended.
        kept: indices of the written bars to read.

    Returns:
        The score, and the share of irregular bars, 0 to 1.

    Raises:
        InputError: it is longer than `MAX_QUARTERS`.
    """
    lead = max(parts, key=lambda part: (not part.track.is_drum, len(part.bars)))
    if len(lead.bars) < max(len(part.bars) for part in parts):
        lead = max(parts, key=lambda part: len(part.bars))
    bars = [lead.bars[i] for i in kept if i < len(lead.bars)]
    together = [part.bars for part in parts if len(part.bars) == len(lead.bars) and part is not lead]
    squeezed = _make_room(bars, [[b[i] for b in together] for i in kept])
    if squeezed:
        repairs.append(f"{squeezed} last notes of sections shortened to make room for an upbeat")
    lengths: dict[int, int] = {}
    bars[0].free = False  # the only bar, or perhaps an upbeat: it says nothing about the metre
    groups: list[list[int]] = []  # written bars that make one bar
    for i, bar in zip(kept, bars, strict=False):
        if groups and lead.bars[groups[-1][-1]].line == GOES_ON:
            groups[-1].append(i)
        else:
            groups.append([i])
        lengths[i] = bar.length if bar.line == GOES_ON else _length(bar, [b[i] for b in together])
    written = [_written(lead.bars[group[-1]], sum(lengths[i] for i in group)) for group in groups]
    grid = lay_out(written, TICKS_PER_QUARTER)
    if grid.irregular:
        repairs.append(f"irregular bars: {grid.irregular} of {len(written)}")
    if grid.starts[-1] > MAX_QUARTERS * TICKS_PER_QUARTER:
        raise InputError(f"longer than {MAX_QUARTERS} quarter notes; split the tune")
    at: dict[int, int] = {}
    for group, start in zip(groups, grid.starts, strict=True):
        for i in group:
            at[i] = start
            start += lengths[i]
    starts = list(at.values())
    rows: list[tuple[int, int, int, int, int]] = []
    for track, part in enumerate(parts):
        rows += _notes(part.bars, at, track)
    keys = [bar.key._replace(tick=start) for bar, start in zip(bars, starts, strict=True)]
    keys += [
        c.to._replace(tick=at[c.bar] + c.tick) for c in lead.changes if isinstance(c.to, Key) and c.bar in at
    ]
    tempos = [
        c.to._replace(tick=at[c.bar] + c.tick)
        for part in parts
        for c in part.changes
        if isinstance(c.to, Tempo) and c.bar in at
    ]
    ends = dict(zip(at, [*starts[1:], starts[-1] + lengths[groups[-1][-1]]], strict=True))
    marks = list(marks_of([part.marks for part in parts], lead.bars, at, ends))
    if len(kept) == max(len(part.bars) for part in parts):
        marks += _ending_marks(parts, at, ends)
    if lead.opens_repeat:
        marks.append(Mark(0, WHOLE, MarkKind.REPEAT_START))
    score = Score.from_notes(
        rows,
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tuple(part.track for part in parts),
        tempos=tuple(_tempo_map([tempo, *tempos])),
        metres=tuple(grid.metres),
        keys=tuple(_key_map(keys)),
        upbeat_ticks=grid.upbeat_ticks,
        marks=tuple(marks),
    )
    return score, grid.irregular / max(1, len(written))


def _ending_marks(parts: Sequence[Part], at: dict[int, int], ends: dict[int, int]) -> list[Mark]:
    """Marks of the variant endings of the first voice that has some; only for scores with all endings."""
    endings = next((part.endings for part in parts if part.endings), [])
    found = []
    for ending, after in pairwise([*endings, None]):
        if ending is not None and ending.start in at and ending.end - 1 in ends:
            last = after is None or after.start != ending.end
            start, end = at[ending.start], ends[ending.end - 1]
            if end > start:
                name = str(ending.number)
                found.append(Mark(start, WHOLE, MarkKind.ENDING, name, ending.number, int(last), end))
    return found


def _kept_bars(parts: Sequence[Part], repairs: list[str]) -> list[int]:
    """Indices of the bars that are read: of variant endings only the last one.

    Endings are usually marked in the top voice alone, so they hold for all voices.
    """
    n_bars = max(len(part.bars) for part in parts)
    left_out: set[int] = set()
    for part in parts:
        for ending, after in pairwise([*part.endings, None]):
            if ending is None:
                continue
            superseded = after is not None and after.number > ending.number and after.start == ending.end
            if superseded or (ending.number == 1 and ending.end < n_bars):
                left_out.update(range(ending.start, ending.end))
    if len(left_out) >= n_bars:
        repairs.append("every bar stands in a first ending; all of them are kept")
        return list(range(n_bars))
    return [i for i in range(n_bars) if i not in left_out]


def _length(bar: AbcBar, others: Sequence[AbcBar]) -> int:
    """Length of a bar: the metre's where one voice has it, else the longest voice's."""
    lengths = {bar.length, *(other.length for other in others)}
    whole = bar.metre.bar_ticks(TICKS_PER_QUARTER)
    return whole if whole in lengths else max(lengths)


def _written(bar: AbcBar, length: int) -> WrittenBar:
    metre = bar.metre
    if (
        bar.free
        and length <= _LONGEST_FREE_BAR * TICKS_PER_QUARTER
        and length % metre.bar_ticks(TICKS_PER_QUARTER)
    ):
        for denominator in (4, 8):
            beats, rest = divmod(length * denominator, 4 * TICKS_PER_QUARTER)
            if beats and not rest:
                metre = Metre(0, beats, denominator)
                break
    return WrittenBar(length, metre, _ends_section(bar.line))


def _make_room(bars: Sequence[AbcBar], others: Sequence[Sequence[AbcBar]]) -> int:
    """Shorten full last bars of sections before a section that brings its own upbeat; how many.

    Args:
        others: bars of other voices beside each bar.
    """
    count = 0
    rows = list(zip(bars, others, strict=False))
    for (before, beside), (bar, _), after in zip(rows, rows[1:], [*bars[2:], None], strict=False):
        whole = bar.metre.bar_ticks(TICKS_PER_QUARTER)
        completed = after is not None and bar.length + after.length == whole
        if bar.free or not 0 < bar.length < whole or completed or not _ends_section(before.line):
            continue
        if _shortened(before, bar.length, whole):
            count += 1
            for other in beside:
                _shortened(other, bar.length, whole)
    return count


def _shortened(bar: AbcBar, ticks: int, whole: int) -> bool:
    """Take `ticks` off the last note of a full bar, where it is long enough."""
    last = bar.events[-1] if bar.events else None
    if bar.length != whole or not last or last.length <= ticks or last.tied or last.ties or last.layer:
        return False
    last.length -= ticks
    last.lengths = None
    bar.length -= ticks
    return True


def _ends_section(line: str) -> bool:
    return ":" in line or "||" in line or "]" in line or not line


def _key_map(keys: list[Key]) -> list[Key]:
    """Keys by tick: of several at one tick the last, and none that repeats the one before."""
    by_tick = {key.tick: key for key in keys}
    kept: list[Key] = []
    for tick in sorted(by_tick):
        if not kept or by_tick[tick][1:] != kept[-1][1:]:
            kept.append(by_tick[tick]._replace(tick=tick if kept else 0))
    return kept


def _tempo_map(tempos: list[Tempo]) -> list[Tempo]:
    by_tick = {tempo.tick: tempo for tempo in tempos}
    kept: list[Tempo] = []
    for tick in sorted(by_tick):
        if not kept or by_tick[tick].bpm != kept[-1].bpm:
            kept.append(by_tick[tick])
    return kept


def _notes(
    bars: Sequence[AbcBar], at: dict[int, int], track: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """Notes of a voice as rows, ties joined within each layer."""
    open_ties: dict[int, dict[int, tuple[int, int]]] = {}  # layer -> pitch -> start, end
    for i, bar in enumerate(bars):
        if i not in at:
            continue
        for event in bar.events:
            start = at[i] + event.start
            end = start + event.length
            tied = open_ties.get(event.layer)
            if not tied and not event.tied and not event.ties and event.lengths is None:
                for pitch in event.pitches:
                    yield start, max(1, event.length), pitch, 80, track
                continue
            going_on: dict[int, tuple[int, int]] = {}
            ends = (
                [start + length for length in event.lengths] if event.lengths else [end] * len(event.pitches)
            )
            for pitch, stop in zip(event.pitches, ends, strict=True):
                first, until = tied.pop(pitch, (start, start)) if tied else (start, start)
                if until != start:
                    yield _row(first, until, pitch, track)
                    first = start
                if event.tied or (event.ties and pitch in event.ties):
                    going_on[pitch] = (first, stop)
                else:
                    yield _row(first, stop, pitch, track)
            for pitch, (first, until) in (tied or {}).items():
                if until > start and pitch not in going_on:
                    going_on[pitch] = (first, until)  # longer than the event it began with
                else:
                    yield _row(first, until, pitch, track)
            open_ties[event.layer] = going_on
    for tied in open_ties.values():
        for pitch, (first, until) in tied.items():
            yield _row(first, until, pitch, track)


def _row(start: int, end: int, pitch: int, track: int) -> tuple[int, int, int, int, int]:
    return start, max(1, end - start), pitch, 80, track
