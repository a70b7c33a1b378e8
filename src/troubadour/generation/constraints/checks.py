"""Given notes are exempt from the controls, so each is held against them before sampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.chords import Harmony
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.intersection import Named
from troubadour.generation.constraints.parallels import parallel
from troubadour.generation.request import Brief
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.theory.metre import Metre
from troubadour.tokens.grammar import Automaton

Spans = Sequence[Sequence[Span]]
HABIT: Final = "the style's range"
"""Name of what is not demanded, and gives way."""


def merged(brief: Brief, spans: Spans, voices: int) -> list[list[Span]]:
    """The brief's notes beside the spans of a task, in time order."""
    lanes = [list(spans[i]) if i < len(spans) else [] for i in range(voices)]
    notes: list[dict[tuple[int, int], set[int]]] = [{} for _ in range(voices)]
    for note in brief.notes:
        if not 1 <= note.voice <= voices:
            raise InputError(f"notes and voices clash: a note is given for voice {note.voice} of {voices}")
        if note.duration < 1 or not 0 <= note.pitch <= 127:
            raise InputError(
                f"given note {tuple(note)} is not a note; allowed: 1 tick or more, pitch 0 to 127"
            )
        notes[note.voice - 1].setdefault((note.onset, note.onset + note.duration), set()).add(note.pitch)
    for lane, chords in zip(lanes, notes, strict=True):
        lane += [Span(start, stop, tuple(sorted(p))) for (start, stop), p in chords.items()]
        lane.sort()
        for before, after in pairwise(lane):
            if after.start < before.stop:
                raise InputError(
                    f"notes clash: two given notes of one voice overlap at {place_of(brief, after.start)}"
                )
    return lanes


def check_masks(
    brief: Brief, given: Given, named: list[list[Named]], harmony: Harmony | None, probe: Automaton
) -> None:
    """Given notes are exempt from the masks, so each is held against each demand here."""
    assert probe.final is not None
    for lane, spans in enumerate(given.spans):
        for span in spans:
            where = place_of(brief, span.start - probe.upbeat)
            if span.start < 0 or span.stop > probe.final:
                raise InputError(
                    f"notes and bars clash: a given note at {where} is not within {brief.bars} bars"
                )
            if not (probe.on_grid(span.start) and probe.on_grid(span.stop)):
                raise InputError(
                    f"notes: the one at {where} is off the grid of 32nds and sixteenth triplets; quantise it first"
                )
            check_pitches(span, named[lane], where)
            for pitch in span.pitches:
                if harmony is not None:
                    _check_harmony(harmony, lane, span, pitch, where, brief)


def check_pitches(span: Span, named: Sequence[Named], where: str) -> None:
    """Hold given pitches against what is demanded of their voice; a style's habit does not count."""
    for pitch in span.pitches:
        for name, mask in named:
            if name != HABIT and not mask[pitch]:
                raise InputError(f"notes and {name} clash: pitch {pitch} is given at {where}")


def _check_harmony(harmony: Harmony, lane: int, span: Span, pitch: int, where: str, brief: Brief) -> None:
    table = harmony.lowest if lane == harmony.bass else harmony.inner
    for i, tick in enumerate(harmony.places):
        if span.start <= tick < span.stop and not table[i, pitch]:
            raise InputError(
                f"notes and chords {brief.chords} clash: pitch {pitch}, given at {where}, "
                "sounds on a beat whose chord it does not belong to"
            )


def check_parallels(spans: Spans) -> None:
    """Refuse given notes of two voices that run in parallel fifths or octaves."""
    moves: list[dict[int, tuple[int, int]]] = []
    for lane in spans:
        pairs = pairwise(lane)
        moves.append(
            {
                b.start: (a.pitches[-1], b.pitches[-1])
                for a, b in pairs
                if a.stop == b.start and a.pitches and b.pitches
            }
        )
    for i, upper in enumerate(moves):
        for lower in moves[i + 1 :]:
            for tick in upper.keys() & lower.keys():
                (a, b), (c, d) = upper[tick], lower[tick]
                if parallel((a, c), (b, d)):
                    raise InputError(
                        "notes and parallels clash: the given notes run in parallel fifths or octaves"
                    )


def place_of(brief: Brief, tick: int) -> str:
    """A place in words; `tick` counts from the first whole bar."""
    assert brief.metre is not None
    bar, rest = divmod(tick, Metre(0, *brief.metre).bar_ticks(TICKS_PER_QUARTER))
    return f"bar {bar + 1}, {rest} ticks in"
