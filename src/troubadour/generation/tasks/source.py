"""Views of a given piece for tasks: voices as events without gaps, a brief of its controls, excerpts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.build import InstrumentDefaults
from troubadour.generation.request import Brief
from troubadour.music.quantise import (
    METRONOME,
    TICKS_PER_QUARTER,
    VELOCITY_LEVELS,
    bars_of,
    nearest,
    quantise,
)
from troubadour.music.score import Metre, Score
from troubadour.music.voices import split_voices
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.prefix import density_level

_WIDER = 3
"""Semitones by which a new note may leave the range of its voice in the given piece."""
_NARROWEST = 16
"""Semitones of the narrowest range; less than an octave within the key would not count as usual."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some bars of a piece as a piece of its own, in one metre."""

    score: Score
    offset: int
    """Tick of the whole piece at which the excerpt starts."""
    tracks: tuple[int, ...]
    """Tracks of the whole piece that sound in the excerpt, 0-based."""


def describe(score: Score, brief: Brief) -> Brief:
    """A brief completed from a piece: its metre, bars and voices; its key, tempo and density where open.

    Args:
        score: a quantised score.
        brief: controls of the request.

    Raises:
        InputError: the piece has no notes, too many voices or bars, or changes its metre.
    """
    if not len(score):
        raise InputError("the given piece has no notes")
    if len(score.metres) > 1:
        raise InputError(
            f"the given piece changes its metre {len(score.metres) - 1} times; allowed: one metre throughout"
        )
    voices = len(voice_spans(score))
    if voices > 8:
        raise InputError(f"the given piece has {voices} voices; allowed: 1 to 8")
    if score.n_bars > vocab.MAX_BARS:
        raise InputError(f"the given piece has {score.n_bars} bars; allowed: 1 to {vocab.MAX_BARS}")
    metre = score.metres[0]
    density = brief.density
    if density is None and not brief.strict:
        density = density_level(score, voices)
    return replace(
        brief,
        metre=(metre.numerator, metre.denominator),
        key=brief.key or (score.keys[0].fifths, score.keys[0].mode),
        tempo_bpm=brief.tempo_bpm or score.tempos[0].bpm,
        bars=score.n_bars,
        voices=voices,
        density=density,
        upbeat=None,
    )


def voice_spans(score: Score) -> list[list[Span]]:
    """Events of each voice of a quantised score, in the order of its tokens, filled with rests."""
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
    end = end_of(score)
    for spans in found:
        last = spans[-1].stop
        if last < end:
            spans.append(Span(last, end, ()))
    return found


def voice_tracks(score: Score) -> list[int]:
    """Track of each voice of `voice_spans`, 0-based."""
    return [t for t in range(len(score.tracks)) for _ in split_voices(score, t)]


def end_of(score: Score) -> int:
    """End of the last bar in ticks; a last bar may be shortened by the upbeat."""
    bar = score.metres[0].bar_ticks(TICKS_PER_QUARTER)
    short = score.n_bars * bar
    return short if score.end_ticks <= short else short + score.upbeat_ticks


def instrument_defaults_of(score: Score) -> InstrumentDefaults:
    """Instruments and ranges of a given piece, ranges widened by 3 semitones and to at least 16."""
    programs: list[tuple[int, int]] = []
    ranges: list[tuple[int, int]] = []
    for i, track in enumerate(score.tracks):
        voices = split_voices(score, i)
        programs.append((vocab.DRUMS if track.is_drum else track.program, len(voices)))
        for voice in voices:
            pitches = [p for _, _, chord in voice for p, _ in chord]
            low, high = min(pitches) - _WIDER, max(pitches) + _WIDER
            missing = max(_NARROWEST - (high - low), 0)
            low, high = low - missing // 2, high + (missing + 1) // 2
            ranges.append((max(low, 0), min(high, 127)))
    return InstrumentDefaults(tuple(programs), tuple(ranges))


def tempo_index(brief: Brief) -> int:
    """Index in `METRONOME` of a complete brief's tempo."""
    assert brief.tempo_bpm is not None
    return METRONOME.index(int(nearest(np.array([brief.tempo_bpm]), METRONOME)[0]))


def refuse_parts(brief: Brief) -> None:
    """Refuse controls that a given piece decides.

    Raises:
        InputError: the brief has instruments or notes.
    """
    for name, used in (("instruments", brief.instruments is not None), ("notes", bool(brief.notes))):
        if used:
            raise InputError(f"{name} and the given piece clash: it has its own; leave {name} out")


def bar_span(score: Score, bars: tuple[int, int] | None) -> tuple[int, int]:
    """Start and stop of a range of bars, in ticks.

    Args:
        score: a quantised score.
        bars: first and last bar (1-based, inclusive); `None` = whole piece.

    Raises:
        InputError: the piece has no such bars.
    """
    end = max(end_of(score), score.end_ticks) if len(score.metres) == 1 else score.end_ticks
    if bars is None:
        return 0, end
    first, last = bars
    if not 1 <= first <= last <= score.n_bars:
        raise InputError(f"bars are {first} to {last}; allowed: 1 to {score.n_bars}, rising")
    starts = [*bars_of(score).start.tolist(), end]
    lead = 1 if score.upbeat_ticks else 0
    return starts[first - 1 + lead], starts[min(last + lead, len(starts) - 1)]


def excerpt(score: Score, start: int, stop: int) -> Excerpt:
    """The notes that start in a range of ticks, as a piece of its own.

    Args:
        score: a quantised score.
        start: first tick, at a barline.
        stop: tick after the last, at a barline.

    Raises:
        InputError: the metre changes in the range, or it has no notes.
    """
    if start == 0 and stop >= score.end_ticks and len(score.metres) == 1:
        return Excerpt(score, 0, tuple(range(len(score.tracks))))
    if any(start < m.tick < stop for m in score.metres):
        raise InputError("the metre changes within the given bars; allowed: one metre throughout")
    mask = (score.onset >= start) & (score.onset < stop)
    kept = score.where(mask)
    if not len(kept):
        raise InputError("the given bars have no notes")
    metre = [m for m in score.metres if m.tick <= start][-1]
    key = [k for k in score.keys if k.tick <= start][-1]
    tempo = [t for t in score.tempos if t.tick <= start][-1]
    piece = quantise(
        kept.replace(
            onset=kept.onset - start,
            duration=np.minimum(kept.duration, stop - kept.onset),
            metres=(Metre(0, metre.numerator, metre.denominator),),
            keys=(key._replace(tick=0),),
            tempos=(tempo._replace(tick=0),),
            upbeat_ticks=score.upbeat_ticks if start == 0 else 0,
        )
    )
    return Excerpt(piece, start, tuple(np.unique(score.track[mask]).tolist()))


def merge(score: Score, kept: Iterable[Sequence[int]], new: Iterable[Sequence[int]]) -> Score:
    """A piece with some of its own notes and new notes; these get its mean velocity.

    Args:
        score: a quantised score.
        kept: rows as in `Score.notes` (onset, duration, pitch, velocity, track).
        new: rows likewise; their velocity is ignored.
    """
    level = int(nearest(np.array([score.velocity.mean()]), VELOCITY_LEVELS)[0])
    rows = [tuple(int(v) for v in row) for row in kept]
    rows += [(int(r[0]), int(r[1]), int(r[2]), level, int(r[4])) for r in new]
    return quantise(
        Score.from_notes(
            rows,
            ticks_per_quarter=TICKS_PER_QUARTER,
            tracks=score.tracks,
            tempos=score.tempos,
            metres=score.metres,
            keys=score.keys,
            upbeat_ticks=score.upbeat_ticks,
        )
    )
