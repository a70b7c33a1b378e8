"""Compilation of a brief into constraints: a plan for the grammar and the constraints over it.

Contradictory controls are found here, before sampling, and refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import ConstrainedDecoder, Constraint
from troubadour.generation.constraints.checks import Spans, check_masks, merge_given, probe_plan
from troubadour.generation.constraints.chords import Chord, Harmony, parse_chords
from troubadour.generation.constraints.ending import last_bar_needs_note, voice_ending
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.intersection import intersect
from troubadour.generation.constraints.parallels import Parallels
from troubadour.generation.constraints.pitches import Pitches
from troubadour.generation.constraints.requirements import (
    InstrumentDefaults,
    check_chords,
    pitch_requirements,
)
from troubadour.generation.constraints.stateful import (
    density_constraint,
    ngram_constraint,
    parallels_forbidden,
)
from troubadour.generation.originality import PassageIndex
from troubadour.generation.request import Brief
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.theory.metre import Metre
from troubadour.tokens.grammar import Automaton, Plan

_ALL_CLASSES = frozenset(range(12))


@dataclass(frozen=True, slots=True)
class ConstraintPlan:
    """Compiled constraints of one request."""

    plan: Plan
    """Constraints that the grammar itself enforces."""
    constraints: tuple[Constraint, ...] = ()
    """Further constraints, in the order in which they narrow a mask."""
    given: Given | None = None
    """Events that are forced."""

    def decoder(self) -> ConstrainedDecoder:
        """A decoder for one new sequence."""
        return ConstrainedDecoder(Automaton(self.plan), [c.copy() for c in self.constraints], self.given)


def compile_constraints(
    brief: Brief,
    defaults: InstrumentDefaults,
    tempo_index: int | None,
    *,
    passages: PassageIndex | None = None,
    spans: Spans = (),
    upbeat: int | None = None,
    ticks: int | None = None,
) -> ConstraintPlan:
    """Compile a complete brief into constraints.

    Args:
        brief: complete: metre, key, bars and tempo are decided.
        defaults: instruments and ranges where the brief has none.
        tempo_index: index of the tempo in `METRONOME`; `None` leaves it free.
        passages: passages of `brief.max_common - 1` steps; needed for `brief.max_common`.
        spans: given events of each voice, beside the brief's notes.
        upbeat: length of a given upbeat in ticks; 0 = no upbeat, `None` = undecided.
        ticks: length of the piece, if it is not `brief.bars` whole bars.

    Raises:
        InputError: two controls contradict each other; the message names them.
    """
    voices = sum(n for _, n in defaults.programs)
    assert brief.bars is not None
    assert brief.metre is not None
    assert brief.key is not None
    bars = parse_chords(brief.chords, brief.bars) if brief.chords else ()
    spans = merge_given(brief, spans, voices)
    given = Given(spans) if any(spans) else None
    if upbeat is None:
        upbeat = _upbeat(brief, given, bars)
    draft = _draft(brief, defaults, tempo_index, spans, bars, upbeat, ticks)
    probe = probe_plan(replace(draft, endings=(_ALL_CLASSES,) * voices))
    requirements = [pitch_requirements(brief, defaults, voice) for voice in range(voices)]
    sets = tuple(intersect(named, f"voice {i + 1}") for i, named in enumerate(requirements))
    harmony = Harmony.of(bars, brief.metre, probe.upbeat, voices) if bars else None
    if harmony is not None:
        check_chords(brief, requirements, harmony)
    ends = [
        voice_ending(brief, bars, harmony, requirements[voice], voice, voices, probe, spans)
        for voice in range(voices)
    ]
    endings = tuple(classes for classes, _ in ends)
    closing = last_bar_needs_note(brief, spans, probe)
    if closing and endings[0] is None:
        closing = not any(e is not None for e in endings)
    constraints: list[Constraint] = []
    if given is not None:
        check_masks(brief, given, requirements, harmony, probe)
        constraints.append(given)
    constraints.append(Pitches(sets))
    if harmony is not None:
        constraints.append(harmony)
    plan = replace(draft, endings=endings, closing=closing)
    if brief.strict and brief.density is not None:
        constraints.append(density_constraint(brief, given, plan, voices))
    if voices > 1 and parallels_forbidden(brief, draft, spans):
        constraints.append(Parallels(voices, given, [allowed for _, allowed in ends]))
    if brief.max_common is not None:
        constraints.append(ngram_constraint(brief, draft, passages, given, spans, voices))
    return ConstraintPlan(plan, tuple(constraints), given)


def _draft(
    brief: Brief,
    defaults: InstrumentDefaults,
    tempo_index: int | None,
    spans: Spans,
    bars: Sequence[Sequence[Chord]],
    upbeat: int | None,
    ticks: int | None,
) -> Plan:
    """Plan of the grammar before the endings are known."""
    assert brief.metre is not None
    voices = sum(n for _, n in defaults.programs)
    last = 12 if voices == 1 else 24
    if bars:
        # The last bar is shortened by the upbeat.
        bar = Metre(0, *brief.metre).bar_ticks(TICKS_PER_QUARTER)
        last = min(last, bar // len(bars[-1]) - (upbeat or 0))
        if last < 3:
            raise InputError(
                "chords and upbeat clash: the upbeat leaves no room for the last bar's chords; "
                "leave the upbeat out, or give the last bar fewer chords"
            )
    return Plan(
        bars=brief.bars,
        ticks=ticks,
        programs=defaults.programs if brief.instruments is None else tuple((p, 1) for p in brief.instruments),
        metre=brief.metre,
        key=brief.key,
        tempo_index=tempo_index,
        upbeat=upbeat,
        needs_upbeat=bool(brief.upbeat),
        chords=any(len(s.pitches) > 1 for voice in spans for s in voice),
        last=last,
        rests=True,
    )


def _upbeat(brief: Brief, given: Given | None, bars: Sequence[object]) -> int | None:
    """Length of the upbeat in ticks, where given notes or chords need it in advance; `None` = free."""
    assert brief.metre is not None
    if brief.notes and brief.upbeat:
        raise InputError("notes and upbeat clash: given notes are counted from the first whole bar")
    if given is not None or brief.upbeat is False or brief.bars == 1:
        return 0
    if bars:
        unit = Metre(0, *brief.metre).unit_ticks(TICKS_PER_QUARTER)
        return (unit if unit < brief.metre[0] * unit else 0) if brief.upbeat else 0
    return None


__all__ = ["ConstraintPlan", "InstrumentDefaults", "compile_constraints"]
