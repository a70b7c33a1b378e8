"""Pitch requirements: the set of pitches that each control of a brief allows to a voice, with a name for messages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import of_classes
from troubadour.generation.constraints.checks import STYLE_RANGE
from troubadour.generation.constraints.chords import Harmony
from troubadour.generation.constraints.intersection import Named, intersect
from troubadour.generation.constraints.pitches import scale
from troubadour.generation.request import Brief
from troubadour.music.instruments import NAMES, playable
from troubadour.music.score import Key
from troubadour.tokens.grammar import Mask

_OCTAVE = 12


@dataclass(frozen=True, slots=True)
class InstrumentDefaults:
    """Instruments and ranges of a style or of a given piece. A control of the brief takes precedence."""

    programs: tuple[tuple[int, int], ...]
    """(General MIDI program or 128 for drums, number of voices) of each track."""
    ranges: tuple[tuple[int, int], ...]
    """(lowest, highest) MIDI pitch of each voice."""


def pitch_requirements(brief: Brief, defaults: InstrumentDefaults, voice: int) -> list[Named]:
    """Named masks of one voice, one for each control that limits its pitches; each mask has shape (128,).

    The default range is the last entry, named `STYLE_RANGE`. It is left out where it shares less than an
    octave with the pitches that the controls allow.

    Args:
        brief: a complete brief.
        defaults: instruments and ranges where the brief has none.
        voice: index from 0, the highest voice.

    Raises:
        InputError: the brief has more than one range, and fewer ranges than voices.
    """
    place = np.arange(128)

    def between(low: int, high: int) -> Mask:
        return np.asarray((place >= low) & (place <= high))

    found: list[Named] = []
    if brief.ranges is not None:
        index = voice if len(brief.ranges) > 1 else 0
        if index >= len(brief.ranges):
            raise InputError(
                f"ranges and voices clash: {len(brief.ranges)} ranges, more voices; "
                "allowed: one range, or one for each voice"
            )
        low, high = brief.ranges[index]
        found.append((f"range {low} to {high}", between(low, high)))
    if brief.lowest is not None:
        found.append((f"lowest {brief.lowest}", between(brief.lowest, 127)))
    if brief.highest is not None:
        found.append((f"highest {brief.highest}", between(0, brief.highest)))
    if brief.strict and brief.key is not None:
        name = Key(0, *brief.key).name
        found.append((f"key {name} as a scale", of_classes(scale(*brief.key))))
    allowed = np.logical_and.reduce([m for _, m in found]) if found else np.ones(128, dtype=bool)
    if brief.instruments is not None:
        program = brief.instruments[voice]
        low, high = playable(program)
        found.append((f"instrument {NAMES[program]} ({low} to {high})", between(low, high)))
        allowed = allowed & between(low, high)
    if brief.ranges is None and voice < len(defaults.ranges):
        usual = allowed & between(*defaults.ranges[voice])
        if np.ptp(np.flatnonzero(usual)) >= _OCTAVE if usual.any() else False:
            found.append((STYLE_RANGE, between(*defaults.ranges[voice])))
    return found


def check_chords(brief: Brief, requirements: list[list[Named]], harmony: Harmony) -> None:
    """Check that each voice has a pitch for each chord.

    Args:
        brief: names the chords in messages.
        requirements: named masks of each voice.
        harmony: the chords.

    Raises:
        InputError: a voice has no pitch for a chord; the message names the controls.
    """
    for voice, sets in enumerate(requirements):
        table = harmony.lowest if voice == harmony.bass else harmony.inner
        for mask in np.unique(table, axis=0):
            intersect([*sets, (f"chords {brief.chords}", mask)], f"voice {voice + 1}")
