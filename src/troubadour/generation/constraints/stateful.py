"""Constraints with state, compiled from a brief: number of notes, parallels and the n-gram limit.

Each function checks the given notes against its constraint, since given notes are exempt while sampling.
"""

from __future__ import annotations

from troubadour.core.errors import InputError
from troubadour.generation.constraints.checks import Spans, check_parallels, probe_plan
from troubadour.generation.constraints.density import Density, note_counts
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.ngram_blocker import NgramBlocker, has_passage
from troubadour.generation.originality import PassageIndex
from troubadour.generation.request import Brief
from troubadour.tokens.grammar import Plan

_STRICT_STYLE = "chorale"
"""Style in which parallels are forbidden by default."""


def parallels_forbidden(brief: Brief, plan: Plan, spans: Spans) -> bool:
    """Whether parallel fifths and octaves are forbidden.

    Default: only in chorales, and only if the given notes have none.

    Args:
        brief: a complete brief.
        plan: plan of the grammar.
        spans: given events of each voice.

    Raises:
        InputError: `brief.parallels` is false, and voices share a track or the given notes have parallels.
    """
    if brief.parallels is False:
        _check_single_notes(plan, "parallels: none")
        check_parallels(spans)
        return True
    if brief.parallels or brief.style != _STRICT_STYLE or plan.chords:
        return False
    try:
        check_parallels(spans)
    except InputError:
        # Chorales by Bach contain parallels; given notes are never changed.
        return False
    return True


def density_constraint(brief: Brief, given: Given | None, plan: Plan, voices: int) -> Density:
    """Bounds on the number of notes for `brief.density`.

    Args:
        brief: a complete brief with a density.
        given: given events.
        plan: plan of the grammar, endings included.
        voices: number of voices.

    Raises:
        InputError: the bars or the given notes allow no such number of notes.
    """
    assert brief.density is not None
    probe = probe_plan(plan)
    assert probe.final is not None
    bounds = note_counts(brief.density, probe.final / 24, voices)
    if bounds[0] > bounds[1]:
        raise InputError(
            f"density and bars clash: no number of notes in {brief.bars} bars is of density {brief.density}"
        )
    density = Density(bounds, given)
    density.begin(probe)
    other = "notes" if given is not None else "bars"
    if density.spare < 0:
        raise InputError(
            f"density and {other} clash: density {brief.density} needs {bounds[0]} notes or more, "
            "and there is no room for them; ask for a lower density"
        )
    if density.most < 0:
        raise InputError(
            f"density and {other} clash: density {brief.density} allows {bounds[1]} notes at most, "
            "and more are needed; ask for a higher density"
        )
    return Density(bounds, given)


def ngram_constraint(
    brief: Brief, plan: Plan, passages: PassageIndex | None, given: Given | None, spans: Spans, voices: int
) -> NgramBlocker:
    """Limit on common passages for `brief.max_common`.

    Args:
        brief: a complete brief with `max_common`.
        plan: plan of the grammar.
        passages: passages of `max_common - 1` steps of the other music.
        given: given events.
        spans: the same events of each voice.
        voices: number of voices.

    Raises:
        InputError: there is no other music, voices share a track, or the given notes exceed the limit.
    """
    if passages is None:
        raise InputError(f"max_common is {brief.max_common} and there is no catalogue to compare with")
    _check_single_notes(plan, "max_common")
    for voice in spans:
        notes = [(s.pitches[-1], s.stop - s.start) for s in voice if s.pitches]
        if has_passage(notes, passages):
            raise InputError(
                f"notes and max_common {brief.max_common} clash: the given notes have a longer passage "
                "in common with the catalogue; raise max_common or give other notes"
            )
    return NgramBlocker(passages, voices, given)


def _check_single_notes(plan: Plan, name: str) -> None:
    if plan.chords or any(n != 1 for _, n in plan.programs or ()):
        raise InputError(f"{name} and voices clash: each voice needs a track of its own, and single notes")
