"""Variation of a piece: its rhythm with new pitches, or its pitches with a new rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.constraints.base import Constraint, Span, of_classes
from troubadour.generation.constraints.build import ConstraintPlan, InstrumentDefaults
from troubadour.generation.constraints.checks import check_pitches, place_of
from troubadour.generation.constraints.given import Given
from troubadour.generation.constraints.intersection import intersect
from troubadour.generation.constraints.pitches import Pitches
from troubadour.generation.constraints.requirements import pitch_requirements
from troubadour.generation.constraints.rhythm import PitchOrder, Rhythm, RhythmCell
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.tasks.base import PreparedTask, opening
from troubadour.generation.tasks.infilling import after_gap
from troubadour.generation.tasks.source import (
    bar_span,
    describe,
    end_of,
    instrument_defaults_of,
    refuse_parts,
    tempo_index,
    voice_spans,
)
from troubadour.generation.tasks.tracks import numbered, refuse_kinds, simplified, view
from troubadour.music.quantise import bars_of
from troubadour.music.score import Score
from troubadour.tokens.grammar import Mask, Plan

Keep = Literal["rhythm", "pitch"]


@dataclass(frozen=True, slots=True)
class Vary:
    """The given piece with either rhythm or pitches kept, and the other composed."""

    score: Score
    """The given piece."""
    keep: Keep = "rhythm"
    """`rhythm` (onsets and lengths) or `pitch` (order of the pitches within each bar)."""
    bars: tuple[int, int] | None = None
    """First and last bar to vary (1-based, inclusive). `None` = whole piece."""
    tracks: tuple[int, ...] = ()
    """Tracks with notes to vary, 1-based; empty = all. Tracks with drums are refused."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Task.prepare`; the controls key, `strict` (the key as a scale), ranges, lowest and highest hold.

        Raises:
            InputError: another control is used, or the piece does not allow the task.
        """
        refuse_parts(brief)
        if self.keep not in ("rhythm", "pitch"):
            raise InputError(f"keep is '{self.keep}'; allowed: rhythm, pitch")
        for name, value in (("chords", brief.chords), ("max_common", brief.max_common), ("cadence", brief.cadence), ("density", brief.density if brief.strict else None),
                            ("parallels: none", 1 if brief.parallels is False else None)):  # fmt: skip
            if value is not None:
                raise InputError(
                    f"{name} and a varied piece clash: the kept {self.keep} may leave no note that fits; leave {name} out"
                )
        whole = simplified(self.score)
        chosen = numbered(whole, self.tracks)
        refuse_kinds(whole, chosen, lines_only=False)
        score, numbers = view(whole, chosen)
        complete = describe(score, brief)
        voices = voice_spans(score)
        first, stop = bar_span(self.score, self.bars)
        outside = [[s for s in voice if not first <= s.start < stop] for voice in voices]
        defaults = instrument_defaults_of(score)
        given = Given(outside) if any(outside) else None
        varied = self._control(score, voices)
        sets = self._sets(
            complete, defaults, outside if self.keep == "rhythm" else voices, score.upbeat_ticks
        )
        plan = Plan(
            bars=complete.bars,
            ticks=end_of(score),
            programs=defaults.programs,
            metre=complete.metre,
            key=complete.key,
            tempo_index=tempo_index(complete),
            upbeat=score.upbeat_ticks,
            chords=any(len(s.pitches) > 1 for voice in voices for s in voice),
            closing=False,
            rests=True,
        )
        constraints: list[Constraint] = (
            [Pitches(sets), varied] if given is None else [given, Pitches(sets), varied]
        )
        constraint_plan = ConstraintPlan(plan, tuple(constraints), given)

        def finish(new: Score) -> Score:
            return new.replace(tempos=score.tempos, keys=score.keys)

        start = opening(composer, complete, constraint_plan, after_gap(outside))
        return PreparedTask(
            complete, constraint_plan, start, finish, tracks=numbers, same_timing=self.keep == "rhythm"
        )

    def _control(self, score: Score, voices: list[list[Span]]) -> Rhythm | PitchOrder:
        if self.keep == "pitch":
            return PitchOrder([_cells(score, voice) for voice in voices])
        return Rhythm(voices, [of_classes({p % 12 for p in _last(voice).pitches}) for voice in voices])

    def _sets(
        self, complete: Brief, defaults: InstrumentDefaults, kept: Sequence[Sequence[Span]], upbeat: int
    ) -> tuple[Mask, ...]:
        """Allowed pitches of each voice, masks of shape (128,); kept pitches are checked against them."""
        sets = []
        for voice, spans in enumerate(kept):
            requirements = pitch_requirements(complete, defaults, voice)
            sets.append(intersect(requirements, f"voice {voice + 1}"))
            for span in spans:
                check_pitches(span, requirements, place_of(complete, span.start - upbeat))
        return tuple(sets) if self.keep == "rhythm" else tuple(np.ones(128, dtype=bool) for _ in sets)


def _last(voice: list[Span]) -> Span:
    return next(s for s in reversed(voice) if s.pitches)


def _cells(score: Score, voice: list[Span]) -> list[RhythmCell]:
    """Bars of a voice with the chords that start in them; a bar without onsets is merged with the one before."""
    sounding = [s for s in voice if s.pitches]
    bars = [*bars_of(score).start.tolist(), end_of(score)]
    starts = [0]
    for bar, stop in pairwise(bars):
        if any(bar <= s.start < stop for s in sounding):
            held = max((s.stop for s in sounding if s.start < bar), default=0)
            starts.append(max(bar, held))
    starts = sorted(set(starts))
    return [
        RhythmCell(start, stop, tuple(s.pitches for s in sounding if start <= s.start < stop))
        for start, stop in pairwise([*starts, end_of(score)])
    ]
