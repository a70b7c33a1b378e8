"""End of a piece: the pitches on which each voice may end, and whether the last bar needs a note."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import Span, of_classes
from troubadour.generation.constraints.checks import Spans
from troubadour.generation.constraints.chords import Chord, Harmony
from troubadour.generation.constraints.intersection import Named, intersect
from troubadour.generation.request import Brief
from troubadour.music.theory.keys import MINOR_MODES, Key
from troubadour.tokens.grammar import Automaton, Mask


def voice_ending(
    brief: Brief,
    bars: tuple[tuple[Chord, ...], ...],
    harmony: Harmony | None,
    requirements: list[Named],
    voice: int,
    voices: int,
    probe: Automaton,
    spans: Spans,
) -> tuple[frozenset[int] | None, Mask]:
    """Pitch classes and pitches on which a voice has to end.

    A single voice and the lowest voice end on the tonic, the others in the tonic's chord. Without
    `brief.cadence` this holds only where the other controls leave such a pitch.

    Args:
        brief: a complete brief.
        bars: chords of each bar; empty without a progression.
        harmony: the same chords as a constraint.
        requirements: named masks of the voice.
        voice: index from 0, the highest voice.
        voices: number of voices.
        probe: automaton at the first event.
        spans: given events of each voice.

    Returns:
        Pitch classes, or `None` where the end of the voice is given; and allowed pitches, shape (128,).

    Raises:
        InputError: no pitch remains for the last note, or the given end contradicts `brief.cadence`.
    """
    assert brief.key is not None
    assert probe.final is not None
    deadline = probe.deadlines[voice]
    tonic = Key(0, *brief.key).tonic
    if voices == 1 or voice == voices - 1:
        classes = frozenset({tonic})
    else:
        # Both thirds: a piece in minor may end in major.
        minor = brief.key[1] in MINOR_MODES
        classes = frozenset((tonic + i) % 12 for i in ((0, 3, 4, 7) if minor else (0, 4, 7)))
    if any(s.stop > deadline for s in spans[voice]):
        if brief.cadence and not {p % 12 for p in _last_given_pitches(spans[voice], probe.final)} & classes:
            where = "on the tonic" if len(classes) == 1 else "in the tonic's chord"
            raise InputError(
                f"notes and cadence clash: voice {voice + 1} does not end {where} as it is given"
            )
        return None, np.ones(128, dtype=bool)
    sets = [*requirements]
    if harmony is not None:
        chord = bars[-1][-1]
        close = of_classes({chord.bass} if voice == harmony.bass else chord.classes)
        sets.append((f"chords {brief.chords}", harmony.last(voice, deadline) & close))
    home = ("cadence on the tonic", of_classes(classes))
    allowed = intersect([*sets, home] if brief.cadence else sets, f"the last note of voice {voice + 1}")
    if brief.cadence is None and (allowed & home[1]).any():
        allowed = allowed & home[1]
    return frozenset((np.flatnonzero(allowed) % 12).tolist()), allowed


def last_bar_needs_note(brief: Brief, spans: Spans, probe: Automaton) -> bool:
    """Whether the first voice has to sound at the end, because no given note sounds in the last bar.

    Args:
        brief: a complete brief.
        spans: given events of each voice.
        probe: automaton at the first event.

    Raises:
        InputError: given rests fill the end of all voices.
    """
    assert probe.final is not None
    start = probe.final - probe.bar_length + probe.upbeat
    if any(s.pitches and s.stop > start for voice in spans for s in voice):
        return False
    if all(any(s.stop > d for s in voice) for voice, d in zip(spans, probe.deadlines, strict=True)):
        raise InputError(
            f"notes and bars clash: the given rests leave bar {brief.bars}, the last, empty; "
            "give a note there or ask for fewer bars"
        )
    return True


def _last_given_pitches(spans: Sequence[Span], final: int) -> tuple[int, ...]:
    """Last pitches of a voice that is given up to tick `final`; empty if its end is not given."""
    stop = final
    for span in reversed(spans):
        if span.stop != stop:
            break
        if span.pitches:
            return span.pitches
        stop = span.start
    return ()
