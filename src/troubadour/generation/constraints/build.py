"""From a brief to a plan for the grammar and the controls over it; what cannot be met is refused here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import ConstrainedDecoder, Constraint, Span, of_classes
from troubadour.generation.constraints.checks import HABIT, Spans, check_masks, check_parallels, merged
from troubadour.generation.constraints.chords import Chord, Harmony, parse_chords
from troubadour.generation.constraints.density import Density, note_counts
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.intersection import Named, intersect
from troubadour.generation.constraints.ngram_blocker import NgramBlocker, longest_run
from troubadour.generation.constraints.parallels import Parallels
from troubadour.generation.constraints.pitches import Pitches, scale
from troubadour.generation.originality import PassageIndex
from troubadour.generation.request import Brief
from troubadour.music.instruments import NAMES, playable
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.theory.keys import MINOR_MODES, Key
from troubadour.music.theory.metre import Metre
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase, Plan

_ALL = frozenset(range(12))
_STRICT_STYLE = "chorale"
"""Whose textbooks bar parallels."""


@dataclass(frozen=True, slots=True)
class ConstraintPlan:
    """All that holds for one request."""

    plan: Plan
    controls: tuple[Constraint, ...] = ()
    given: Given | None = None

    def guide(self) -> ConstrainedDecoder:
        """A guide for one new sequence."""
        return ConstrainedDecoder(Automaton(self.plan), [c.copy() for c in self.controls], self.given)


@dataclass(frozen=True, slots=True)
class InstrumentDefaults:
    """What a style does where nothing is asked for."""

    programs: tuple[tuple[int, int], ...]
    ranges: tuple[tuple[int, int], ...]


def compile_constraints(
    brief: Brief,
    habit: InstrumentDefaults,
    tempo_index: int | None,
    *,
    windows: PassageIndex | None = None,
    spans: Spans = (),
    upbeat: int | None = None,
    ticks: int | None = None,
) -> ConstraintPlan:
    """Decide what holds.

    Args:
        brief: complete: metre, key, bars and tempo are decided.
        windows: passages of `brief.max_common - 1` steps, if that is asked for.
        spans: what is given of each voice, beside the brief's notes.
        upbeat: its ticks, where it is given.
        ticks: length of the whole, where it is not `brief.bars` whole bars.

    Raises:
        InputError: two demands clash; the message names them.
    """
    voices = sum(n for _, n in habit.programs)
    assert brief.bars is not None
    assert brief.metre is not None
    assert brief.key is not None
    bars = parse_chords(brief.chords, brief.bars) if brief.chords else ()
    spans = merged(brief, spans, voices)
    given = Given(spans) if any(spans) else None
    if upbeat is None:
        upbeat = _upbeat(brief, given, bars)
    programs = habit.programs if brief.instruments is None else tuple((p, 1) for p in brief.instruments)
    last = 12 if voices == 1 else 24
    if bars:
        # The last bar is shortened by the upbeat.
        bar = Metre(0, *brief.metre).bar_ticks(TICKS_PER_QUARTER)
        last = min(last, bar // len(bars[-1]) - (upbeat or 0))
        if last < 3:
            raise InputError("chords and upbeat clash: the upbeat leaves no room for the last bar's chords")
    draft = Plan(
        bars=brief.bars,
        ticks=ticks,
        programs=programs,
        metre=brief.metre,
        key=brief.key,
        tempo_index=tempo_index,
        upbeat=upbeat,
        early=bool(brief.upbeat),
        chords=any(len(s.pitches) > 1 for lane in spans for s in lane),
        last=last,
        rests=True,
    )
    probe = _probe(replace(draft, endings=(_ALL,) * voices))
    named = [pitch_requirements(brief, habit, lane) for lane in range(voices)]
    sets = tuple(intersect(n, f"voice {i + 1}") for i, n in enumerate(named))
    harmony = Harmony.of(bars, brief.metre, probe.upbeat, voices) if bars else None
    if harmony is not None:
        _check_chords(brief, named, harmony)
    endings: list[frozenset[int] | None] = []
    lasts: list[Mask] = []
    for lane in range(voices):
        classes, mask = _ending(brief, bars, harmony, named[lane], lane, voices, probe, spans)
        endings.append(classes)
        lasts.append(mask)
    closing = _closing(brief, spans, probe)
    if closing and endings[0] is None:
        closing = not any(e is not None for e in endings)
    controls: list[Constraint] = []
    if given is not None:
        check_masks(brief, given, named, harmony, probe)
        controls.append(given)
    controls.append(Pitches(sets))
    if harmony is not None:
        controls.append(harmony)
    plan = replace(draft, endings=tuple(endings), closing=closing)
    if brief.strict and brief.density is not None:
        controls.append(_density(brief, given, plan, voices))
    if voices > 1 and _parallels_barred(brief, draft, spans):
        controls.append(Parallels(voices, given, lasts))
    if brief.max_common is not None:
        controls.append(_novelty(brief, draft, windows, given, spans, voices))
    return ConstraintPlan(plan, tuple(controls), given)


def _parallels_barred(brief: Brief, draft: Plan, spans: Spans) -> bool:
    """Whether no two voices may run in parallel fifths or octaves."""
    if brief.parallels is False:
        _check_single(draft, "parallels: none")
        check_parallels(spans)
        return True
    if brief.parallels or brief.style != _STRICT_STYLE or draft.chords:
        return False
    try:
        check_parallels(spans)
    except InputError:
        # Bach has them, too: what is given stays as it is.
        return False
    return True


def _probe(plan: Plan) -> Automaton:
    """An automaton at the first event of a piece, with the shortest header that the plan allows."""
    automaton = Automaton(plan)
    while automaton.phase < Phase.EVENT:
        mask = automaton.allowed()
        choice = np.flatnonzero(mask)
        automaton.advance(vocab.BAR if mask[vocab.BAR] else int(choice[0]))
    return automaton


def _upbeat(brief: Brief, given: Given | None, bars: Sequence[object]) -> int | None:
    """Where ticks are counted from the first bar the upbeat has to be known beforehand."""
    assert brief.metre is not None
    if brief.notes and brief.upbeat:
        raise InputError("notes and upbeat clash: given notes are counted from the first whole bar")
    if given is not None or brief.upbeat is False or brief.bars == 1:
        return 0
    if bars:
        unit = Metre(0, *brief.metre).unit_ticks(TICKS_PER_QUARTER)
        return (unit if unit < brief.metre[0] * unit else 0) if brief.upbeat else 0
    return None


def pitch_requirements(brief: Brief, habit: InstrumentDefaults, lane: int) -> list[Named]:
    """What each demand leaves of the pitches of one voice."""
    place = np.arange(128)

    def between(low: int, high: int) -> Mask:
        return np.asarray((place >= low) & (place <= high))

    found: list[Named] = []
    if brief.ranges is not None:
        index = lane if len(brief.ranges) > 1 else 0
        if index >= len(brief.ranges):
            raise InputError(f"ranges and voices clash: {len(brief.ranges)} ranges, more voices")
        low, high = brief.ranges[index]
        found.append((f"range {low} to {high}", between(low, high)))
    if brief.lowest is not None:
        found.append((f"lowest {brief.lowest}", between(brief.lowest, 127)))
    if brief.highest is not None:
        found.append((f"highest {brief.highest}", between(0, brief.highest)))
    if brief.strict and brief.key is not None:
        name = Key(0, *brief.key).name
        found.append((f"key {name} as a scale", of_classes(scale(*brief.key))))
    asked = np.logical_and.reduce([m for _, m in found]) if found else np.ones(128, dtype=bool)
    if brief.instruments is not None:
        program = brief.instruments[lane]
        low, high = playable(program)
        found.append((f"instrument {NAMES[program]} ({low} to {high})", between(low, high)))
        asked = asked & between(low, high)
    if brief.ranges is None and lane < len(habit.ranges):
        # A habit gives way: to the part of it that is left, if that is an octave, else wholly.
        usual = asked & between(*habit.ranges[lane])
        if np.ptp(np.flatnonzero(usual)) >= 12 if usual.any() else False:
            found.append((HABIT, between(*habit.ranges[lane])))
    return found


def _check_chords(brief: Brief, named: list[list[Named]], harmony: Harmony) -> None:
    for lane, sets in enumerate(named):
        table = harmony.lowest if lane == harmony.bass else harmony.inner
        for mask in np.unique(table, axis=0):
            intersect([*sets, (f"chords {brief.chords}", mask)], f"voice {lane + 1}")


def _ending(
    brief: Brief,
    bars: tuple[tuple[Chord, ...], ...],
    harmony: Harmony | None,
    named: list[Named],
    lane: int,
    voices: int,
    probe: Automaton,
    spans: Spans,
) -> tuple[frozenset[int] | None, Mask]:
    """Pitch classes on which a voice has to end, and the pitches that are left for that."""
    assert brief.key is not None
    assert probe.final is not None
    deadline = probe.deadlines[lane]
    tonic = Key(0, *brief.key).tonic
    if voices == 1 or lane == voices - 1:
        classes = frozenset({tonic})
    else:
        # Both thirds: a piece in minor may end in major.
        minor = brief.key[1] in MINOR_MODES
        classes = frozenset((tonic + i) % 12 for i in ((0, 3, 4, 7) if minor else (0, 4, 7)))
    if any(s.stop > deadline for s in spans[lane]):
        if brief.cadence and not {p % 12 for p in _given_last(spans[lane], probe.final)} & classes:
            where = "on the tonic" if len(classes) == 1 else "in the tonic's chord"
            raise InputError(f"notes and cadence clash: voice {lane + 1} does not end {where} as it is given")
        return None, np.ones(128, dtype=bool)
    sets = [*named]
    if harmony is not None:
        chord = bars[-1][-1]
        close = of_classes({chord.bass} if lane == harmony.bass else chord.classes)
        sets.append((f"chords {brief.chords}", harmony.last(lane, deadline) & close))
    home = ("cadence on the tonic", of_classes(classes))
    what = f"the last note of voice {lane + 1}"
    kept = intersect([*sets, home] if brief.cadence else sets, what)
    if brief.cadence is None and (kept & home[1]).any():
        kept = kept & home[1]
    return frozenset((np.flatnonzero(kept) % 12).tolist()), kept


def _given_last(spans: Sequence[Span], final: int) -> tuple[int, ...]:
    """What a voice that is given up to its end sounds last; nothing if that is not given."""
    stop = final
    for span in reversed(spans):
        if span.stop != stop:
            break
        if span.pitches:
            return span.pitches
        stop = span.start
    return ()


def _closing(brief: Brief, spans: Spans, probe: Automaton) -> bool:
    """Whether the first voice has to see to it that the last bar is not empty."""
    assert probe.final is not None
    start = probe.final - probe.bar_length + probe.upbeat
    if any(s.pitches and s.stop > start for lane in spans for s in lane):
        return False
    if all(any(s.stop > d for s in lane) for lane, d in zip(spans, probe.deadlines, strict=True)):
        raise InputError("notes and bars clash: the given rests leave the last bar empty")
    return True


def _density(brief: Brief, given: Given | None, plan: Plan, voices: int) -> Density:
    assert brief.density is not None
    probe = _probe(plan)
    assert probe.final is not None
    bounds = note_counts(brief.density, probe.final / 24, voices)
    if bounds[0] > bounds[1]:
        raise InputError(
            f"density and bars clash: no number of notes in {brief.bars} bars is of density {brief.density}"
        )
    control = Density(bounds, given)
    control.begin(probe)
    other = "notes" if given is not None else "bars"
    if control.spare < 0:
        raise InputError(
            f"density and {other} clash: density {brief.density} is {bounds[0]} notes or more, and there is no room"
        )
    if control.most < 0:
        raise InputError(
            f"density and {other} clash: density {brief.density} is {bounds[1]} notes at most, and more are needed"
        )
    return Density(bounds, given)


def _check_single(plan: Plan, what: str) -> None:
    if plan.chords or any(n != 1 for _, n in plan.programs or ()):
        raise InputError(f"{what} and voices clash: each voice needs a track of its own, and single notes")


def _novelty(
    brief: Brief, plan: Plan, windows: PassageIndex | None, given: Given | None, spans: Spans, voices: int
) -> NgramBlocker:
    if windows is None:
        raise InputError("max_common needs the music of a catalogue to compare with")
    _check_single(plan, "max_common")
    for lane in spans:
        notes = [(s.pitches[-1], s.stop - s.start) for s in lane if s.pitches]
        if longest_run(notes, windows):
            raise InputError(
                f"notes and max_common {brief.max_common} clash: "
                "the given notes alone have as long a passage in common with the catalogue"
            )
    return NgramBlocker(windows, voices, given)
