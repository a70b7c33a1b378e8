"""Feasibility checks before sampling.

Given notes are exempt from the constraints while sampling, so each is checked against them here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.chords import Harmony
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.intersection import Named
from troubadour.generation.constraints.parallels import parallel
from troubadour.generation.request import Brief
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.theory.metre import Metre
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Phase, Plan

Spans = Sequence[Sequence[Span]]
"""Events of each voice, in time order."""
STYLE_RANGE: Final = "the style's range"
"""Name of the default range; given notes may lie outside it."""


def probe_plan(plan: Plan) -> Automaton:
    """An automaton at the first event of a piece, with the shortest header that the plan allows."""
    automaton = Automaton(plan)
    while automaton.phase < Phase.EVENT:
        mask = automaton.allowed()
        choice = np.flatnonzero(mask)
        automaton.advance(vocab.BAR if mask[vocab.BAR] else int(choice[0]))
    return automaton


def merge_given(brief: Brief, spans: Spans, voices: int) -> list[list[Span]]:
    """Given events of each voice in time order: the brief's notes and the spans of a task.

    Args:
        brief: a complete brief.
        spans: given events of each voice.
        voices: number of voices.

    Raises:
        InputError: a note is of no such voice, out of range, or overlaps another one of its voice.
    """
    voice_spans = [list(spans[i]) if i < len(spans) else [] for i in range(voices)]
    notes: list[dict[tuple[int, int], set[int]]] = [{} for _ in range(voices)]
    for note in brief.notes:
        if not 1 <= note.voice <= voices:
            raise InputError(f"notes and voices clash: a note is given for voice {note.voice} of {voices}")
        if note.duration < 1 or not 0 <= note.pitch <= 127:
            raise InputError(
                f"given note is {tuple(note)}; allowed: a duration of 1 tick or more, a MIDI pitch of 0 to 127"
            )
        notes[note.voice - 1].setdefault((note.onset, note.onset + note.duration), set()).add(note.pitch)
    for voice, chords in zip(voice_spans, notes, strict=True):
        voice += [Span(start, stop, tuple(sorted(p))) for (start, stop), p in chords.items()]
        voice.sort()
        for before, after in pairwise(voice):
            if after.start < before.stop:
                raise InputError(
                    f"notes clash: two given notes of one voice overlap at {place_of(brief, after.start)}; "
                    "shorten the first one or give the second to another voice"
                )
    return voice_spans


def check_masks(
    brief: Brief, given: Given, requirements: list[list[Named]], harmony: Harmony | None, probe: Automaton
) -> None:
    """Check given notes against the length of the piece, the grid, the pitch requirements and the chords.

    Args:
        brief: a complete brief.
        given: given events.
        requirements: named masks of each voice.
        harmony: the chords, if there are any.
        probe: automaton at the first event.

    Raises:
        InputError: a note contradicts one of them; the message names both and the place.
    """
    assert probe.final is not None
    for voice, spans in enumerate(given.spans):
        for span in spans:
            where = place_of(brief, span.start - probe.upbeat)
            if span.start < 0 or span.stop > probe.final:
                raise InputError(
                    f"notes and bars clash: a given note at {where} lies outside the {brief.bars} bars"
                )
            if not (probe.on_grid(span.start) and probe.on_grid(span.stop)):
                raise InputError(
                    f"notes: the note at {where} is off the grid of 32nds and sixteenth triplets; quantise it first"
                )
            check_pitches(span, requirements[voice], where)
            for pitch in span.pitches:
                if harmony is not None:
                    _check_harmony(harmony, voice, span, pitch, where, brief)


def check_pitches(span: Span, requirements: Sequence[Named], where: str) -> None:
    """Check the pitches of a given event against the requirements of its voice; the default range is ignored.

    Args:
        span: a given event.
        requirements: named masks of the voice.
        where: place of the event, for the message.

    Raises:
        InputError: a pitch contradicts a requirement.
    """
    for pitch in span.pitches:
        for name, mask in requirements:
            if name != STYLE_RANGE and not mask[pitch]:
                raise InputError(f"notes and {name} clash: pitch {pitch} is given at {where}")


def _check_harmony(harmony: Harmony, voice: int, span: Span, pitch: int, where: str, brief: Brief) -> None:
    table = harmony.lowest if voice == harmony.bass else harmony.inner
    for i, tick in enumerate(harmony.places):
        if span.start <= tick < span.stop and not table[i, pitch]:
            raise InputError(
                f"notes and chords {brief.chords} clash: pitch {pitch}, given at {where}, "
                "sounds on a beat and is no tone of its chord"
            )


def check_parallels(spans: Spans) -> None:
    """Check given notes for parallel fifths, octaves and unisons.

    Args:
        spans: given events of each voice.

    Raises:
        InputError: two voices move in parallel.
    """
    moves: list[dict[int, tuple[int, int]]] = []
    for voice in spans:
        pairs = pairwise(voice)
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
                        "notes and parallels clash: the given notes have parallel fifths or octaves; allow parallels"
                    )


def place_of(brief: Brief, tick: int) -> str:
    """Bar and offset of a tick in words, for messages; tick 0 is the start of the first whole bar."""
    assert brief.metre is not None
    bar, rest = divmod(tick, Metre(0, *brief.metre).bar_ticks(TICKS_PER_QUARTER))
    return f"bar {bar + 1}, {rest} ticks in"
