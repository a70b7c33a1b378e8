"""Continue, vary and harmonise a given piece: the same network, with what is given forced.

Tokens run in time order through all voices, so the network sees of the given music only what lies
before the place that it writes at. Of several candidates the one comes first in which it finds the
given notes and its own the most likely together: that is how what comes later counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from troubadour.composers.base import Brief
from troubadour.composers.constraints.base import Control, Span, of_classes
from troubadour.composers.constraints.build import Habit, Setting, settle
from troubadour.composers.constraints.given import Given
from troubadour.composers.constraints.pitches import Pitches, pitch_sets, scale
from troubadour.composers.constraints.rhythm import Cell, PitchOrder, Rhythm
from troubadour.composers.events import EventComposer
from troubadour.composers.originality import Corpus
from troubadour.errors import InputError
from troubadour.music import lexicon as lx
from troubadour.music.grammar import Plan
from troubadour.music.quantise import METRONOME, TICKS_PER_QUARTER, bars_of, quantise
from troubadour.music.score import Metre, Score
from troubadour.music.tokens import encode, split_voices

Keep = Literal["rhythm", "pitch"]
CONTEXT_BARS: Final = 32
"""Bars of a given piece that the network sees when it continues it."""
_WIDER: Final = 3
"""Semitones by which a voice may leave the range that it has in the given piece."""


def describe(score: Score, brief: Brief) -> Brief:
    """A brief as the piece itself is: its metre, key, tempo, bars and voices, unless said otherwise.

    Raises:
        InputError: the piece has no notes, more voices or bars than allowed, or changes of metre.
    """
    if not len(score):
        raise InputError("the given piece has no notes")
    if len(score.metres) > 1:
        raise InputError(
            f"the given piece changes its metre {len(score.metres) - 1} times; allowed: one metre throughout"
        )
    metre = score.metres[0]
    return replace(
        brief,
        metre=(metre.numerator, metre.denominator),
        key=brief.key or (score.keys[0].fifths, score.keys[0].mode),
        tempo_bpm=brief.tempo_bpm or score.tempos[0].bpm,
        bars=score.n_bars,
        voices=len(lanes(score)),
        upbeat=None,
    )


def lanes(score: Score) -> list[list[Span]]:
    """The voices of a quantised score in the order of its tokens, rests included, without gaps."""
    found: list[list[Span]] = []
    for track in range(len(score.tracks)):
        for voice in split_voices(score, track):
            spans: list[Span] = []
            time = 0
            for start, stop, pitches in voice:
                if start > time:
                    spans.append(Span(time, start, ()))
                spans.append(Span(start, stop, tuple(p for p, _ in pitches)))
                time = stop
            found.append(spans)
    end = _end(score)
    for spans in found:
        last = spans[-1].stop
        if last < end:
            spans.append(Span(last, end, ()))
    return found


def continue_piece(
    composer: EventComposer,
    score: Score,
    bars: int,
    brief: Brief,
    rng: np.random.Generator,
    candidates: int = 1,
    corpus: Corpus | None = None,
) -> list[Score]:
    """The piece with `bars` more bars, the likeliest continuation first.

    Args:
        score: quantised; of a long piece the network sees the last 32 bars.
        bars: 1 to 32.
        brief: style, temperature and controls; metre, bars and voices are the piece's.

    Raises:
        InputError: the piece or a control is not acceptable.
    """
    if not 1 <= bars <= lx.MAX_BARS - CONTEXT_BARS:
        raise InputError(f"bars is {bars}; allowed: 1 to {lx.MAX_BARS - CONTEXT_BARS} more bars")
    _refuse_parts(brief)
    context, cut = _tail(score, CONTEXT_BARS)
    told = describe(context, brief)
    assert told.bars is not None
    total = told.bars + bars
    told = replace(told, bars=total)
    habit = _habit(context)
    bar = context.metres[0].bar_ticks(TICKS_PER_QUARTER)
    end = -(-(context.end_ticks - context.upbeat_ticks) // bar) * bar + context.upbeat_ticks
    # The last bar of a piece with an upbeat is as short as the upbeat leaves it.
    ticks = max(end, total * bar) if context.end_ticks == end and context.upbeat_ticks else None
    if told.max_common is not None and corpus is not None:
        windows = composer.passages(corpus, told.max_common - 1)
    else:
        windows = None
    setting = settle(
        told,
        habit,
        _tempo_index(told),
        windows=windows,
        spans=[_until(lane, context.end_ticks) for lane in lanes(context)],
        upbeat=context.upbeat_ticks,
        ticks=ticks,
    )
    opening = encode(context)[2:-1].tolist()
    grown = composer.grow(told, setting, rng, candidates, opening)
    return [_joined(score, new, context.end_ticks, cut) for new in grown]


def vary(
    composer: EventComposer,
    score: Score,
    keep: Keep,
    brief: Brief,
    rng: np.random.Generator,
    candidates: int = 1,
    bars: tuple[int, int] | None = None,
) -> list[Score]:
    """The piece with its rhythm and other pitches, or with its pitches in another rhythm.

    Args:
        score: quantised.
        keep: `rhythm` or `pitch`. Of pitches, the order within each bar is kept.
        brief: style, temperature, key, `strict` (the key as a scale), lowest and highest.
        bars: first and last bar to vary, from 1; without it all.

    Raises:
        InputError: the piece or a control is not acceptable.
    """
    _refuse_parts(brief)
    for name, asked in (("chords", brief.chords), ("max_common", brief.max_common),
                        ("density", brief.density if brief.strict else None),
                        ("parallels: none", None if brief.parallels else 1)):  # fmt: skip
        if asked is not None:
            raise InputError(f"{name} and a varied piece clash: its {keep} may leave no note that fits")
    told = describe(score, brief)
    voices = lanes(score)
    first, stop = _stretch(score, bars)
    outside = [[s for s in lane if not first <= s.start < stop] for lane in voices]
    habit = _habit(score)
    classes = scale(*told.key) if brief.strict and told.key else None
    low, high = brief.lowest or 0, 127 if brief.highest is None else brief.highest
    sets = pitch_sets(habit.ranges, low, high, classes)
    if keep == "pitch":
        sets = tuple(np.ones(128, dtype=bool) for _ in sets)
    for i, mask in enumerate(sets):
        if not mask.any():
            raise InputError(f"lowest, highest and the range of voice {i + 1} clash: no pitch is left")
    varied: Control
    if keep == "rhythm":
        lasts = [of_classes({p % 12 for p in _last(lane).pitches}) for lane in voices]
        varied = Rhythm(voices, lasts)
    else:
        varied = PitchOrder([_cells(score, lane) for lane in voices])
    plan = Plan(
        bars=told.bars,
        ticks=_end(score),
        programs=habit.programs,
        metre=told.metre,
        key=told.key,
        tempo_index=_tempo_index(told),
        upbeat=score.upbeat_ticks,
        chords=any(len(s.pitches) > 1 for lane in voices for s in lane),
        closing=False,
        rests=True,
    )
    given = Given(outside) if any(outside) else None
    controls: list[Control] = [Pitches(sets), varied] if given is None else [given, Pitches(sets), varied]
    grown = composer.grow(told, Setting(plan, tuple(controls), given), rng, candidates)
    return [new.replace(keys=score.keys, tempos=score.tempos) if brief.key is None else new for new in grown]


def harmonise(
    composer: EventComposer,
    score: Score,
    brief: Brief,
    rng: np.random.Generator,
    candidates: int = 1,
    keep: Sequence[int] = (1,),
    corpus: Corpus | None = None,
) -> list[Score]:
    """The other voices to those that are kept: harmony to a melody, or to a bass, or a new harmony.

    Args:
        score: quantised. A piece of one voice is taken as the highest; of a piece with as many voices
            as the style has, those in `keep` stay where they are.
        brief: its style decides how many voices there are: `chorale`, unless said otherwise.
        keep: voices of the piece, from 1.

    Raises:
        InputError: the piece or a control is not acceptable.
    """
    style = brief.style or "chorale"
    told = describe(score, replace(brief, style=style))
    voices = lanes(score)
    habit = composer.habit(replace(told, voices=None))
    wanted = sum(n for _, n in habit.programs)
    bad = [v for v in keep if not 1 <= v <= len(voices)]
    if bad or not keep:
        raise InputError(f"keep is {list(keep)}; allowed: voices 1 to {len(voices)} of the given piece")
    if len(voices) not in (1, wanted) and len(keep) > 1:
        raise InputError(
            f"keep has {len(keep)} voices of a piece in {len(voices)}; style '{style}' has {wanted}: keep one"
        )
    if len(voices) == wanted == len(set(keep)):
        raise InputError(f"keep names all {wanted} voices: none is left to compose")
    spans: list[list[Span]] = [[] for _ in range(wanted)]
    for voice in keep:
        line = [Span(s.start, s.stop, s.pitches[-1:]) for s in voices[voice - 1]]
        spans[voice - 1 if len(voices) == wanted else 0] = line
    told = replace(told, voices=wanted)
    setting = composer.setting(told, corpus, spans=spans, upbeat=score.upbeat_ticks, ticks=_end(score))
    grown = composer.grow(told, setting, rng, candidates)
    return [new.replace(tempos=score.tempos) for new in grown]


def _refuse_parts(brief: Brief) -> None:
    if brief.instruments is not None or brief.notes:
        raise InputError("instruments and notes are those of the given piece; leave them out")


def _end(score: Score) -> int:
    """The end of the last bar, or of a last bar that an upbeat shortens."""
    bar = score.metres[0].bar_ticks(TICKS_PER_QUARTER)
    short = score.n_bars * bar
    return short if score.end_ticks <= short else short + score.upbeat_ticks


def _habit(score: Score) -> Habit:
    programs: list[tuple[int, int]] = []
    ranges: list[tuple[int, int]] = []
    for i, track in enumerate(score.tracks):
        voices = split_voices(score, i)
        programs.append((lx.DRUMS if track.is_drum else track.program, len(voices)))
        for voice in voices:
            pitches = [p for _, _, chord in voice for p, _ in chord]
            ranges.append((max(min(pitches) - _WIDER, 0), min(max(pitches) + _WIDER, 127)))
    return Habit(tuple(programs), tuple(ranges))


def _tempo_index(brief: Brief) -> int:
    assert brief.tempo_bpm is not None
    return int(np.argmin(np.abs(np.array(METRONOME) - brief.tempo_bpm)))


def _tail(score: Score, bars: int) -> tuple[Score, int]:
    """The last bars as a piece of their own, and the tick at which it starts."""
    starts = bars_of(score).start
    whole = starts[1:] if score.upbeat_ticks else starts
    # Not further back than the last change of metre.
    allowed = whole[whole >= score.metres[-1].tick]
    if len(score.metres) == 1 and len(whole) <= bars:
        return score, 0
    if not len(allowed):
        raise InputError("the given piece changes its metre at the very end")
    cut = int(allowed[max(len(allowed) - bars, 0)])
    kept = score.where(score.onset >= cut)
    if not len(kept):
        raise InputError(f"the last {bars} bars of the given piece have no notes")
    metre = score.metres[-1]
    return quantise(
        kept.replace(
            onset=kept.onset - cut,
            metres=(Metre(0, metre.numerator, metre.denominator),),
            keys=(score.keys[-1]._replace(tick=0),),
            tempos=(score.tempos[-1]._replace(tick=0),),
            upbeat_ticks=0,
        )
    ), cut


def _until(spans: list[Span], tick: int) -> list[Span]:
    return [Span(s.start, min(s.stop, tick), s.pitches) for s in spans if s.start < tick]


def _joined(score: Score, new: Score, end: int, cut: int) -> Score:
    """A piece and what a continuation adds to it after tick `end` of its last part."""
    added = new.where(new.onset >= end)
    sounding = [i for i in range(len(score.tracks)) if (score.track == i).any()]
    rows = added.notes()
    rows[:, 0] += cut
    if cut:  # the part may have lost tracks that are silent in it
        tail_tracks = [i for i in sounding if (score.where(score.onset >= cut).track == i).any()]
        rows[:, 4] = np.array(tail_tracks, dtype=np.int32)[rows[:, 4]]
    return quantise(
        Score.from_notes(
            np.concatenate([score.notes(), rows]),
            ticks_per_quarter=TICKS_PER_QUARTER,
            tracks=score.tracks,
            tempos=score.tempos,
            metres=score.metres,
            keys=score.keys,
            upbeat_ticks=score.upbeat_ticks,
        )
    )


def _stretch(score: Score, bars: tuple[int, int] | None) -> tuple[int, int]:
    """First tick, and the one after the last, of some bars."""
    if bars is None:
        return 0, _end(score)
    first, last = bars
    if not 1 <= first <= last <= score.n_bars:
        raise InputError(f"bars are {first} to {last}; allowed: 1 to {score.n_bars}, rising")
    starts = [*bars_of(score).start.tolist(), _end(score)]
    lead = 1 if score.upbeat_ticks else 0
    return starts[first - 1 + lead], starts[min(last + lead, len(starts) - 1)]


def _last(lane: list[Span]) -> Span:
    return next(s for s in reversed(lane) if s.pitches)


def _cells(score: Score, lane: list[Span]) -> list[Cell]:
    """Bars of a voice with the chords that start in them; a bar in which none starts joins the one before."""
    sounding = [s for s in lane if s.pitches]
    bars = [*bars_of(score).start.tolist(), _end(score)]
    starts = [0]
    for bar, stop in pairwise(bars):
        if any(bar <= s.start < stop for s in sounding):
            held = max((s.stop for s in sounding if s.start < bar), default=0)
            starts.append(max(bar, held))
    starts = sorted(set(starts))
    return [
        Cell(start, stop, tuple(s.pitches for s in sounding if start <= s.start < stop))
        for start, stop in pairwise([*starts, _end(score)])
    ]


__all__ = ["CONTEXT_BARS", "Keep", "continue_piece", "describe", "harmonise", "lanes", "vary"]
