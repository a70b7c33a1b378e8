"""Voices to a given voice: harmony in four parts or in chords, accompaniment, a new harmony."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.constraints.base import Span, of_classes
from troubadour.generation.constraints.build import ConstraintPlan
from troubadour.generation.constraints.chords import Chord, parse_chords
from troubadour.generation.constraints.pitches import Pitches
from troubadour.generation.constraints.rhythm import Rhythm
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.tasks.base import PreparedTask, opening
from troubadour.generation.tasks.infilling import after_gap
from troubadour.generation.tasks.source import describe, end_of, lanes, refuse_parts, track_of_lanes
from troubadour.generation.tasks.splice import KEPT, NEW
from troubadour.generation.tasks.tracks import refuse_kinds, simplified
from troubadour.music.quantise import TICKS_PER_QUARTER, quantise
from troubadour.music.score import Key, Metre, Score, Track
from troubadour.music.theory.keys import MINOR_MODES

Figure = Literal["held", "offbeat"]
CHORAL: Final = "chorale"
"""The style that knows harmony in four parts."""
_VOICES: Final = 8
"""Voices of a piece that can be told to the network."""
_PIANO, _GUITAR, _DOUBLE_BASS = 0, 24, 43
_SHORTEST: Final = 12
"""Ticks of the last chord at least; a shorter one joins the chord before it."""


@dataclass(frozen=True, slots=True)
class Harmonise:
    """Harmony to a voice: three more voices, or chords at a steady pace."""

    score: Score
    """The given piece. Its first voice is the melody, unless `keep` says otherwise."""
    keep: tuple[int, ...] = (1,)
    """Voices that stay, from 1: of a piece in as many voices as the style has, where they are; of any
    other piece one, which becomes the highest."""
    chords: bool = False
    """Chords of three notes on the beats of the bar, as one part, instead of three voices."""

    def settle(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """As `Task.settle`; the brief's style decides how many voices there are, a chorale's without a word.

        Raises:
            InputError: there are no such voices, none is left to compose, or two demands clash.
        """
        if not self.chords:
            return _in_parts(composer, self.score, self.keep, brief, corpus, lambda new: new)
        track = _track(self.score, self.keep[0] if self.keep else 1)

        def finish(new: Score) -> Score:
            rows = [(on, length, pitch, 80, min(t, 1)) for on, length, pitch, _, t in new.notes().tolist()]
            return quantise(_with_rows(new, rows, (track, Track(_PIANO, False, "Chords"))))

        return _in_parts(composer, self.score, self.keep, brief, corpus, finish, chords=True)


@dataclass(frozen=True, slots=True)
class Reharmonise:
    """The piece with its melody and another harmony."""

    score: Score
    """The given piece, in two voices or more. Its drums stay, as does what is kept."""
    keep: tuple[int, ...] = (1,)
    """As in `Harmonise`."""

    def settle(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """As `Harmonise.settle`.

        Raises:
            InputError: as there, or the piece has one voice only.
        """
        if len(lanes(self.score)) < 2:
            raise InputError("the given piece has one voice and no harmony yet; harmonise it")
        return _in_parts(composer, self.score, self.keep, brief, corpus, lambda new: new, replaces=True)


@dataclass(frozen=True, slots=True)
class Accompany:
    """A melody with chords and a bass on instruments of their own."""

    score: Score
    """The given piece; all of it stays."""
    voice: int = 1
    """The melody, from 1."""
    instruments: tuple[int, int] = (_GUITAR, _DOUBLE_BASS)
    """General MIDI programs of chords and bass."""
    figure: Figure = "offbeat"
    """Chords after the bass, or held together with it."""

    def settle(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """As `Harmonise.settle`.

        Raises:
            InputError: as there, or an instrument is none.
        """
        Brief(instruments=self.instruments)
        track = _track(self.score, self.voice)
        chords, bass = (Track(p, False, n) for p, n in zip(self.instruments, ("Chords", "Bass"), strict=True))

        def finish(new: Score) -> Score:
            rows: list[tuple[int, int, int, int, int]] = []
            for onset, length, pitch, _, voice in new.notes().tolist():
                if voice == 0:
                    rows.append((onset, length, pitch, 80, 0))
                else:
                    part = 2 if voice == len(new.tracks) - 1 else 1
                    figured = [(onset, length)]
                    if self.figure == "offbeat":
                        figured = _figured(onset, length, new.metres[0], bass=part == 2)
                    rows += [(o, n, pitch, 64, part) for o, n in figured]
            return quantise(_with_rows(new, rows, (track, chords, bass)))

        return _in_parts(composer, self.score, (self.voice,), brief, corpus, finish, chords=True)


def _in_parts(
    composer: AutoregressiveComposer,
    score: Score,
    keep: tuple[int, ...],
    brief: Brief,
    corpus: Corpus | None,
    finish: Callable[[Score], Score],
    *,
    chords: bool = False,
    replaces: bool = False,
) -> PreparedTask:
    refuse_parts(brief)
    style = brief.style or CHORAL
    whole = simplified(score)
    score, voices = whole, lanes(whole)
    track_of = track_of_lanes(whole)
    lines = not any(t.is_drum for t in whole.tracks) and all(len(s.pitches) < 2 for v in voices for s in v)
    if not (lines and len(voices) <= _VOICES) and len(keep) == 1 <= keep[0] <= len(voices):
        # Of a piece with drums, chords or many voices the melody alone is told.
        score = _line(whole, voices[keep[0] - 1], track_of[keep[0] - 1])
    told = describe(score, replace(brief, style=style))
    told = replace(told, density=brief.density, bars=whole.n_bars)
    end = end_of(whole)
    habit = composer.habit(replace(told, voices=None))
    wanted = sum(n for _, n in habit.programs)
    if wanted < 2:
        raise InputError(f"style '{style}' has one voice; harmony needs a style in several, such as {CHORAL}")
    in_parts = lines and len(voices) == wanted
    bad = [v for v in keep if not 1 <= v <= len(voices)]
    if bad or not keep:
        raise InputError(f"keep is {list(keep)}; allowed: voices 1 to {len(voices)} of the given piece")
    if not in_parts and len(voices) > 1 and len(keep) > 1:
        raise InputError(
            f"keep has {len(keep)} voices of a piece in {len(voices)}; style '{style}' has {wanted}: keep one"
        )
    if in_parts and wanted == len(set(keep)):
        raise InputError(f"keep names all {wanted} voices: none is left to compose")
    refuse_kinds(whole, {track_of[v - 1] for v in keep}, lines_only=False)
    spans: list[list[Span]] = [[] for _ in range(wanted)]
    for voice in keep:
        line = [Span(s.start, s.stop, s.pitches[-1:]) for s in voices[voice - 1]]
        spans[voice - 1 if in_parts and not chords else 0] = line
    told = replace(told, voices=wanted, parallels=True if chords else told.parallels)
    setting = composer.setting(told, corpus, spans=spans, upbeat=score.upbeat_ticks, ticks=end)
    if chords:
        for name, asked in (("parallels: none", brief.parallels is False), ("max_common", brief.max_common is not None),
                            ("density", brief.strict and brief.density is not None)):  # fmt: skip
            if asked:
                raise InputError(
                    f"{name} and chords clash: their rhythm is given, and may leave no note that fits"
                )
        setting = _steady(setting, whole, told, wanted)

    def done(new: Score) -> Score:
        return finish(new.replace(tempos=score.tempos, keys=score.keys))

    start = opening(composer, told, setting, after_gap(spans))
    kept = {v - 1 for v in keep}
    if not in_parts or chords:
        others = set(range(len(voices))) - kept if replaces else set()
        gone = _places(whole, voices, track_of, others) - _places(whole, voices, track_of, kept)
        # As many new tracks as there may be; the first one shows the melody.
        return PreparedTask(told, setting, start, done, tracks=(KEPT, *[NEW] * wanted), gone=gone)
    # A voice with a track of its own is composed there, any other one in a new track.
    alone = [track_of.count(track) == 1 for track in track_of]
    mixed = {i for i in range(wanted) if not alone[i]} - kept
    gone = _places(whole, voices, track_of, mixed) - _places(whole, voices, track_of, kept)
    tracks = [KEPT if i in kept else track_of[i] if alone[i] else NEW for i in range(wanted)]
    return PreparedTask(told, setting, start, done, tracks=tuple(tracks), gone=gone)


def _line(score: Score, voice: Sequence[Span], track: int) -> Score:
    """One voice of a piece as a piece of its own."""
    rows = [(s.start, s.stop - s.start, s.pitches[-1], 80, 0) for s in voice if s.pitches]
    return _with_rows(score, rows, (score.tracks[track],))


def _places(
    score: Score, voices: Sequence[Sequence[Span]], track_of: Sequence[int], which: Iterable[int]
) -> frozenset[tuple[int, int, int]]:
    """The notes (onset, pitch, track) of some voices; drums are no voice."""
    return frozenset(
        (span.start, pitch, track_of[i])
        for i in which
        if not score.tracks[track_of[i]].is_drum
        for span in voices[i]
        for pitch in span.pitches
    )


def _steady(setting: ConstraintPlan, score: Score, told: Brief, voices: int) -> ConstraintPlan:
    """All voices but the first move together, once a beat of the slower kind."""
    assert told.key is not None
    tonic, mode = Key(0, *told.key).tonic, told.key[1]
    home = {tonic, (tonic + (3 if mode in MINOR_MODES else 4)) % 12, (tonic + 7) % 12}
    places = _pulse(score, parse_chords(told.chords, told.bars) if told.chords else ())
    spans = [Span(a, b, (60,)) for a, b in places]
    if places[0][0]:
        spans.insert(0, Span(0, places[0][0], ()))
    uppers, bass = of_classes(home), of_classes({tonic})
    if told.cadence:
        # The parts are joined, so that the tonic has to be the lowest note and not only the bass's.
        sets = next(c.sets[-1] for c in setting.controls if isinstance(c, Pitches))
        below = int(np.flatnonzero(sets & bass)[0])
        uppers, bass = uppers & (np.arange(128) > below), np.arange(128) == below
    lasts = [uppers] * (voices - 1) + [bass]
    rhythm = Rhythm([[], *[spans] * (voices - 1)], lasts)
    # The rhythm decides how long the last note is; it seeks the tonic itself.
    plan = replace(setting.plan, endings=(), closing=False)
    return ConstraintPlan(plan, (*setting.controls, rhythm), setting.given)


def _pulse(score: Score, asked: Sequence[Sequence[Chord]]) -> list[tuple[int, int]]:
    """Start and stop of each chord: half bars, dotted beats, or whole bars in three; and where one is asked for."""
    metre, end = score.metres[0], end_of(score)
    bar = metre.bar_ticks(TICKS_PER_QUARTER)
    if metre.compound:
        unit = metre.beat_ticks(TICKS_PER_QUARTER)
    elif metre.numerator % 2 == 0 and bar > 48:
        unit = bar // 2
    else:
        unit = bar
    wanted = {
        score.upbeat_ticks + number * bar + i * bar // len(chords)
        for number, chords in enumerate(asked)
        for i in range(len(chords))
    }
    starts = sorted({*range(score.upbeat_ticks, end, unit), *(t for t in wanted if t < end)})
    if len(starts) > 1 and end - starts[-1] < _SHORTEST and starts[-1] not in wanted:
        starts.pop()
    return list(zip(starts, [*starts[1:], end], strict=True))


def _figured(onset: int, length: int, metre: Metre, bass: bool) -> list[tuple[int, int]]:
    """The bass on the beat, the chord after it: once in a dotted or plain beat pair, twice in three."""
    beat = metre.unit_ticks(TICKS_PER_QUARTER)
    while beat < 12:
        beat *= 2
    first = min(2 * beat if metre.compound else beat, length)
    if length <= first:
        return [(onset, length)]
    if bass:
        return [(onset, first)]
    return [(o, min(beat, onset + length - o)) for o in range(onset + first, onset + length, beat)]


def _track(score: Score, voice: int) -> Track:
    tracks = track_of_lanes(score)
    if not 1 <= voice <= len(tracks):
        raise InputError(f"voice is {voice}; allowed: 1 to {len(tracks)} of the given piece")
    return score.tracks[tracks[voice - 1]]


def _with_rows(
    score: Score, rows: Iterable[tuple[int, int, int, int, int]], tracks: tuple[Track, ...]
) -> Score:
    return Score.from_notes(
        list(rows),
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tracks,
        tempos=score.tempos,
        metres=score.metres,
        keys=score.keys,
        upbeat_ticks=score.upbeat_ticks,
    )
